package domain

import "time"

// RoomKind says who may find and enter a room.
type RoomKind string

// The kinds of room.
const (
	PublicRoom  RoomKind = "public"  // anyone finds it and joins
	PrivateRoom RoomKind = "private" // by invitation
	DirectRoom  RoomKind = "direct"  // between the people it was opened for; has no name
	// The store has one more, "gone": deleted, and not yet forgotten.
)

// Room is a durable, ordered log with members.
type Room struct {
	ID        string
	Kind      RoomKind
	Name      string // empty for direct rooms
	Topic     string
	Archived  bool
	Head      int64 // the last sequence number; 0: empty log
	Floor     int64 // the last sequence number that is no longer kept; 0: all are
	Keep      RoomRetention
	HeldAt    time.Time // since when a legal hold is on it; zero: none is
	Members   int       // how many
	CreatedAt time.Time
	LastAt    time.Time // when the last message of the main timeline was written, or else the room made
	Previews  bool      // pages that messages link to are shown with a preview
	Replied   int64     // number of the last reply in a thread; 0: there never was one
	Hides     bool      // whoever joins from now on does not see what was written before; never of public rooms
	Look      RoomLook  // never of direct rooms
	Screening Screening // never of direct rooms
}

// Member is the membership of one principal in a room.
type Member struct {
	Room       string
	User       UserRef
	Role       RoomRole
	MutedUntil time.Time // zero: not muted
	JoinedAt   time.Time
	Since      int64 // the last number that they do not see; 0: they see all. See View
	Guest      bool  // of the server; also of who is no member
}

// Muted reports whether m may not write at the time now.
func (m Member) Muted(now time.Time) bool { return now.Before(m.MutedUntil) }

// RoomState is a room as one of its members sees it in a list.
type RoomState struct {
	Room  Room
	Role  RoomRole
	Muted time.Time // until when the member may not write; zero: may
	Read  int64     // last sequence number the member has read, on any device
	Since int64     // last sequence number that the member does not see; 0: they see all
	Unread
	ThreadsRead   int64     // how far the member has read in all threads
	FollowThreads bool      // the member follows each thread that gets a reply
	Last          *Message  // latest message that still has content, nil if none
	Peers         []UserRef // direct rooms: the other people, at most MaxDirect
	Guests        int       // how many guests of the server are members
}

// View is what the member sees of the log.
func (s RoomState) View() View { return View{s.Room.ID, s.Since} }

// Greeting is what a user is told when they connect.
type Greeting struct {
	Rooms    []RoomState // the most recently active first
	Requests int         // rooms that strangers want them in
	Blocked  []string    // ids of the users whom they have blocked, in their order
}

// OwnedRoom is a room as administrators of the server see it.
type OwnedRoom struct {
	Room
	Owner UserRef // zero: it has none
}

// RoomOrder is what a list of rooms is sorted by.
type RoomOrder string

// The orders.
const (
	RoomsByName     RoomOrder = "name"
	RoomsByActivity RoomOrder = "activity" // the latest first
	RoomsBySize     RoomOrder = "size"     // the most events first
)

// NewRoom asks for a room to be created.
type NewRoom struct {
	Kind    RoomKind
	Name    string
	Topic   string
	Members []string // user ids, besides the creator
}

// RoomChange is a change to a room: nil leaves a value as it is.
type RoomChange struct {
	Name     *string
	Topic    *string
	Kind     *RoomKind // between public and private
	Archived *bool
	Previews *bool
	Hides    *bool
	Look     *LookChange
	Keep     *RoomRetention

	Screening *Screening
}

// Invite is a link into a room.
type Invite struct {
	ID        string
	Room      string
	Code      string // the secret part of the link; only known when it is made
	CreatedBy string
	CreatedAt time.Time
	Expires   time.Time // zero: never
	MaxUses   int       // 0: no limit
	Uses      int
}

// Ban keeps a user out of a room.
type Ban struct {
	Room   string
	User   UserRef
	By     string
	Reason string
	At     time.Time
}

// ReadMark is how far a user has read in a room, on any device.
type ReadMark struct {
	Room string
	Seq  int64
	Back bool // the user has moved it back
	Unread
}

// Unread is what a member has not read in a room.
type Unread struct {
	Messages int // of others in the main timeline, at most UnreadCap
	Mentions int // those that name the member or @room, in threads as well
	Threads  int // that the member follows, with unread replies
}
