package domain

import "time"

// Limits of threads.
const (
	MaxRepliesCounted = 1000 // in one thread: there may be more
	MaxRepliers       = 5    // users that are listed with a thread, of those who wrote its first replies
)

// Replies are what is said in the thread of a message. Deleted replies do not count.
type Replies struct {
	Count int       // at most MaxRepliesCounted; 0: it has no thread
	Last  int64     // number of the last reply
	At    time.Time // when that was written
	Users []UserRef // who wrote the first replies, the first comes first
}

// ThreadState is a thread as a user sees it who may read its room.
type ThreadState struct {
	Room      string
	Root      int64 // number of the message that it begins with
	Following bool
	Read      int64 // number up to which the user has read it
	Unread    int   // replies of others after Read, at most UnreadCap
	Back      bool  // the user has marked replies as unread again
	RoomMark  ReadMark
}

// FollowedThread is a thread in the list of those that a user follows.
type FollowedThread struct {
	ThreadState          // without RoomMark
	First       *Message // what it begins with; nil: that is no longer kept
	Last        Message  // its last reply
}

// ThreadCursor is the place in the list of followed threads after which the next page begins: the last reply of the
// last one. The zero cursor is the beginning.
type ThreadCursor struct {
	At   int64  `json:"a,omitempty"` // Unix milliseconds
	Room string `json:"r,omitempty"`
	Seq  int64  `json:"s,omitempty"`
}
