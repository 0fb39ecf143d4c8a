package domain

import "time"

// MaxPins is how many messages of a room can be pinned.
const MaxPins = 100

// Pin is a message that is pinned in its room.
type Pin struct {
	Message Message // as it is now
	By      UserRef
	At      time.Time
	Seq     int64 // number of the event by which it was pinned
}
