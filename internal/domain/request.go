package domain

import "time"

// RequestPolicy says whose additions to rooms need the consent of the person who is added.
type RequestPolicy string

// Who must ask. Devices and administrators of the server need not.
const (
	AskNobody    RequestPolicy = "nobody"
	AskStrangers RequestPolicy = "strangers" // who is in no room with them
	AskEveryone  RequestPolicy = "everyone"
)

// RoomLimits limit rooms and members. Requests is the policy for users who have not chosen one.
// The zero value sets no limits, and nobody must ask.
type RoomLimits struct {
	PerUser  int // rooms that one user is a member of
	Members  int // members of one room
	Created  int // rooms that one user has created and that still exist
	Requests RequestPolicy
}

// RoomRequest asks somebody whether they want to be in a room.
type RoomRequest struct {
	Room Room
	By   UserRef
	At   time.Time
}

// The most requests that wait for one user, and those of one user to another that
// wait or were declined; and whom one user blocks.
const (
	MaxRequests       = 100
	MaxRequestsByUser = 20
	MaxBlocked        = 500 // people whom one person blocks
)
