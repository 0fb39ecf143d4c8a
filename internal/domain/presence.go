package domain

import "time"

// Availability is what others see of someone.
type Availability string

// Offline is also what others see of someone invisible.
const (
	Online       Availability = "online"
	Away         Availability = "away"
	Asleep       Availability = "asleep" // a device that said when it wants to be back
	DoNotDisturb Availability = "dnd"
	Invisible    Availability = "invisible" // only ever shown to oneself
	Offline      Availability = "offline"
)

// Status is what a user chose to show, kept in the store.
type Status struct {
	Mode    Availability // "" (by activity), DoNotDisturb or Invisible
	Text    string       // at most MaxStatusText characters
	Emoji   string
	Expires time.Time // when Text and Emoji end; zero: never
}

// At is the status as it is at a time: what has ended is gone from it.
func (s Status) At(now time.Time) Status {
	if s.Expires.IsZero() || now.Before(s.Expires) {
		return s
	}
	return Status{Mode: s.Mode}
}

// Presence is what others see of a user at one moment.
type Presence struct {
	User     string
	Is       Availability
	Text     string
	Emoji    string
	Expires  time.Time // of Text and Emoji; zero: never
	LastSeen time.Time // zero: never, or now
	Until    time.Time // of who is asleep: offline from then on
}
