package domain

// Limits that every edge applies in the same way.
const (
	MaxText        = 16 << 10 // bytes of a message
	MaxKey         = 64       // bytes of an idempotency key
	MaxRoomName    = 80       // characters
	MaxTopic       = 500      // characters
	MaxDisplayName = 64       // characters
	MaxAbout       = 500      // characters
	MaxStatusText  = 100      // characters
	MaxReason      = 200      // characters
	MaxDirect      = 10       // people in a direct room, the opener included
	MaxFirst       = 100      // people whom a new room begins with, besides its owner
	MaxMentions    = 50       // people and user groups that one message can name
	UnreadCap      = 1000     // unread counts stop here
	MaxReplay      = 500      // events in one answer to a sync
)
