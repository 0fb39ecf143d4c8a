package domain

import "time"

// MaxHooks is how many incoming webhooks a room may have.
const MaxHooks = 20

// MaxFailure is how many bytes are kept of what was wrong with a request.
const MaxFailure = 200

// Hook is an incoming webhook: an address by which another program posts to a room. In the room it is a member
// of its own, of kind bot, and exists as long as this membership.
type Hook struct {
	ID        string // also that of the user that it is in the room
	Room      string
	User      UserRef // its name and its picture
	Secret    string  // the secret part of the address; only known when it is made or renewed
	Faces     bool    // its messages may have a name and a picture of their own
	CreatedBy UserRef
	CreatedAt time.Time
	RenewedAt time.Time // when the secret was replaced; zero: never
	UsedAt    time.Time // about when it last posted; zero: never
	FailedAt  time.Time // about when a request of it was last refused; zero: never
	Failure   string    // what was wrong then
}

// IsHook reports whether u is a webhook. Its username is its id.
func (u UserRef) IsHook() bool { return u.Kind == KindBot && u.Username == u.ID }
