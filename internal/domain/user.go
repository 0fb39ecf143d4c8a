package domain

import (
	"strings"
	"time"
)

// PrincipalKind says what sort of member someone is.
type PrincipalKind string

// People, programs and devices are members of rooms under the same rules.
const (
	KindUser   PrincipalKind = "user"
	KindBot    PrincipalKind = "bot"
	KindDevice PrincipalKind = "device"
)

// SystemRole is what someone may do to the server as a whole. It gives no
// right in any room.
type SystemRole string

// The system roles.
const (
	SystemUser  SystemRole = "user"
	SystemAdmin SystemRole = "admin"
	SystemGuest SystemRole = "guest" // in rooms that they were added to, and nowhere else, until a time
)

// User is a person's (or a program's) account. Passwords and other secrets are
// not in it.
type User struct {
	ID          string
	Kind        PrincipalKind
	Username    string // unique, lower case; what @mentions name
	DisplayName string
	Email       string // may be empty
	About       string
	Locale      string // BCP 47, may be empty
	TimeZone    string // IANA name, may be empty
	Avatar      string // content hash of the picture; empty: initials
	Role        SystemRole
	GuestUntil  time.Time // when the access of a guest ends; zero: no guest
	Disabled    bool
	Pending     bool  // waits for the e-mail address to be proven; cannot sign in
	Epoch       int64 // bumped by whatever must end every access token at once
	Status      Status
	CreatedAt   time.Time
	LastSeenAt  time.Time // zero: never
}

// GuestEnded reports whether u is a guest whose access is over at the time now.
func (u User) GuestEnded(now time.Time) bool {
	return u.Role == SystemGuest && !now.Before(u.GuestUntil)
}

// Ref returns the part of u that goes wherever u's name is shown.
func (u User) Ref() UserRef {
	return UserRef{ID: u.ID, Kind: u.Kind, Username: u.Username, DisplayName: u.DisplayName, Avatar: u.Avatar}
}

// UserRef names a principal as others see it.
type UserRef struct {
	ID          string
	Kind        PrincipalKind
	Username    string
	DisplayName string
	Avatar      string
}

// Profile is a change to a user's own profile: nil leaves a value as it is.
type Profile struct {
	DisplayName *string
	About       *string
	Locale      *string
	TimeZone    *string
}

// Principal is who is acting, proven by a token or a key.
type Principal struct {
	ID        string
	Kind      PrincipalKind
	Role      SystemRole
	SessionID string    // empty for what has no session (device keys, scripts)
	Epoch     int64     // of the user, when the token was issued
	Expires   time.Time // when the proof ends; zero: not by time
	AuthTime  time.Time // last proof of identity
	AMR       []string  // how it was proven (RFC 8176)
	Limited   bool      // must add a second factor, and may do nothing else before
	Key       string    // of a device: the id of the key that it came with
	Owner     string    // of a device, a bot or a webhook: whose it is
	Access    DeviceAccess
}

// IsAdmin reports whether p administers the server.
func (p Principal) IsAdmin() bool { return p.Role == SystemAdmin }

// IsGuest reports whether p is a guest.
func (p Principal) IsGuest() bool { return p.Role == SystemGuest }

// Circle returns whose rooms bound the people that p finds: p's own, for a guest or if p wants only those who share a
// room with p; empty: nothing does.
func (p Principal) Circle(shared bool) string {
	if shared || p.IsGuest() {
		return p.ID
	}
	return ""
}

// CheckEmail brings an e-mail address into the form in which it is kept, and refuses what is
// none. Empty is no address, and allowed.
func CheckEmail(email string) (string, error) {
	email, err := CheckLine("/email", strings.ToLower(email), 254, false)
	if err != nil || email == "" {
		return "", err
	}
	local, host, ok := strings.Cut(email, "@")
	if !ok || local == "" || !strings.Contains(host, ".") || strings.ContainsAny(email, " <>,;\"") {
		return "", InvalidField("/email", "an e-mail address looks like ann@example.org")
	}
	return email, nil
}
