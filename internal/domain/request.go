package domain

import "time"

// Asking says who must ask somebody before bringing them into a room.
type Asking string

// Who must ask. Devices and administrators of the server need not.
const (
	AskNobody    Asking = "nobody"
	AskStrangers Asking = "strangers" // who is in no room with them
	AskEveryone  Asking = "everyone"
)

// RoomBounds are how many rooms and members there may be, and who must ask those
// who chose nothing themselves. A zero does not bound, and nobody must ask.
type RoomBounds struct {
	PerUser int // rooms that one user is in
	Members int // of one room
	Made    int // rooms that one user has made and that are there
	Asking  Asking
}

// RoomRequest asks somebody whether they want to be in a room.
type RoomRequest struct {
	Room Room
	By   UserRef
	At   time.Time
}

// The most requests that wait for one user, and those of one user to another that
// wait or were declined.
const (
	MaxRequests       = 100
	MaxRequestsByUser = 20
)
