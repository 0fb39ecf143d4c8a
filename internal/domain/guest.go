package domain

import "time"

// MaxGuestDays is for how many days a guest may have access at most, from the day on that an administrator says so.
const MaxGuestDays = 365

// EndedGuest is the reason of what ends with the access of a guest.
const EndedGuest = "guest_ended"

// ErrGuestEnded is what a guest is told whose access ended at a time.
func ErrGuestEnded(until time.Time) *Error {
	e := Unauthorized.Errorf(CodeGuestEnded, "your guest access ended on %s; ask an administrator",
		until.UTC().Format(time.DateOnly))
	e.Values = map[string]string{"until": until.UTC().Format(time.RFC3339)}
	return e
}

// ErrNotForGuests is the answer to what guests may not do.
func ErrNotForGuests() *Error {
	return Forbidden.Errorf(CodeNotForGuests, "guests cannot do this; ask a member of the team")
}

// CheckGuestUntil refuses a time until which nobody may be a guest. One that has passed ends the access at once.
func CheckGuestUntil(until, now time.Time) error {
	if until.IsZero() {
		return InvalidField("/guest_until", "say until when they are a guest")
	}
	if until.After(now.AddDate(0, 0, MaxGuestDays+1)) {
		return InvalidField("/guest_until", "a guest has access for at most %d days; extend it later", MaxGuestDays)
	}
	return nil
}
