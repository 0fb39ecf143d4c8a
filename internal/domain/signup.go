package domain

import "time"

// Signup is what lets somebody make an account; each is nil where it is not used.
type Signup struct {
	Setup  []byte // hash of the first administrator's ticket, which is used up
	Invite []byte // hash of an invitation to the server, which is used once
}

// SignupInvite is an invitation to the server.
type SignupInvite struct {
	ID        string
	Note      string // whom it is for
	CreatedBy string
	CreatedAt time.Time
	Expires   time.Time
	MaxUses   int
	Uses      int
	GuestDays int      // it makes guests, with access for so many days; 0: regular accounts
	Rooms     []string // ids of those that they are added to
}

// A Setting is what an administrator changed while the server runs.
type Setting struct {
	Name  string
	Value string
	By    string
	At    time.Time
}
