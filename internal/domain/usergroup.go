package domain

import "time"

// Limits of user groups. A message has a row and an id for each person whom it mentions, so both are bounded: a group
// by what a room of a department has, a message by twice that. Whoever means everybody names @room, which costs one
// row.
const (
	MaxUserGroups    = 500 // of a server
	MaxUserGroupSize = 100 // people in a group
	MaxMentioned     = 200 // people whom one message mentions, by name or through groups
)

// A UserGroup is people whom messages mention together, by the handle of the group. It is no member of rooms and has no
// rights. A DeviceGroup has devices.
type UserGroup struct {
	ID        string
	Handle    string // unique among usernames and handles, lower case; what @mentions name
	Name      string
	CreatedAt time.Time
	Size      int  // people in it
	Mine      bool // who asks is in it
}

// ErrTooManyMentioned returns the error of a message that mentions n people.
func ErrTooManyMentioned(n int) error {
	return InvalidField("/text", "the groups in this message have %d people of this room, and a message mentions at most "+
		"%d; name fewer groups, or @room", n, MaxMentioned)
}
