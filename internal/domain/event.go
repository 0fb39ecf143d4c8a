package domain

import "time"

// Event is one entry of a room's log.
type Event struct {
	Room    string
	Seq     int64 // 1, 2, 3 in each room, without gaps
	Type    EventType
	Actor   UserRef
	At      time.Time
	Subject *UserRef // whom it is about, nil if nobody
	Message *Message // the message that it is or changes, as it is now; nil if none
	Payload Payload  // what else its type says, as the catalogue has it; nil: nothing
	Trace   string   // traceparent of the request that it is from; empty: it is not traced
}

// ContentMarkdown is the content type of a message that names none.
const ContentMarkdown = "text/markdown"

// ContentAction is the content type of a message whose text, in Markdown, says what its sender does: "waves" is shown
// as "Ann waves".
const ContentAction = "text/vnd.unhidra.action"

// Message is what someone said. Its name is its room and the sequence number
// of the event that created it.
type Message struct {
	Room         string
	Seq          int64
	Sender       UserRef
	Key          string // the sender's idempotency key
	ContentType  string
	Text         string   // empty once deleted
	ReplyTo      *Quote   // the message it answers, nil if none
	Mentions     []string // ids of the members it names
	MentionsRoom bool     // it names @room
	At           time.Time
	EditedAt     time.Time // zero: never
	Edits        int
	DeletedAt    time.Time // zero: not deleted
	Reactions    Reactions
	Previews     []LinkPreview // of pages that it links to; not in search, nor in last of a room
	Files        []File        // in the order of the sender
	Thread       int64         // of a reply: number of the message that its thread began with; 0: it is in none
	Broadcast    bool          // a reply that is a line of the room as well
	Replies      Replies
	Poll         *Poll    // nil: it is none; not in search, nor in last of a room
	Forward      *Forward // nil: it forwards nothing; not in search, nor in last of a room
	Face         *Face    // the name and picture that a webhook gave it; nil: those of the sender
	Flag         *Flag    // nil: the server has none on it
	Hidden       bool     // it is from before the reader joined, and nothing else is told of it: see View
}

// Main reports whether m is a line of its room's main timeline.
func (m *Message) Main() bool { return m.Thread == 0 || m.Broadcast }

// Quote is the message that a reply answers, as it is now.
type Quote struct {
	Seq     int64
	Sender  UserRef
	Face    *Face  // nil: it has none
	Excerpt string // at most 200 characters; empty if deleted
	Deleted bool
	Hidden  bool // it is from before the reader joined, and nothing else is told of it: see View
}

// Version is one earlier text of an edited message.
type Version struct {
	Text string
	At   time.Time // when this text was written
}

// Draft is a message that asks for its place in a room's log.
type Draft struct {
	Room        string
	Key         string // chosen by the sender; the same key gives the same message
	ContentType string
	Text        string
	ReplyTo     int64    // sequence number of the message it answers; 0: none
	Thread      int64    // sequence number of the message whose thread it is a reply in; 0: in none
	Broadcast   bool     // a reply that is a line of the room as well
	Files       []string // ids
	Poll        *Poll    // as CheckPoll returns it; the text is that of the poll; nil: it is none
	Forward     *Forward // as ForwardOf returns it, with that text; nil: it forwards nothing
	Face        *Face    // of a message of a webhook; nil: none
	Answer      bool     // an assistant wrote it, and it names nobody
}
