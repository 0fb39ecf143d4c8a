package domain

import (
	"strings"
	"time"
)

// Session is one sign-in of a user, on one device, for as long as its refresh
// tokens are renewed.
type Session struct {
	ID        string
	User      string
	CreatedAt time.Time
	LastSeen  time.Time
	Idle      time.Time // ends then unless it is used
	Expires   time.Time // ends then in any case
	AuthTime  time.Time // last proof of identity
	AMR       []string  // how it was proven (RFC 8176)
	IP        string
	UserAgent string
}

// Methods by which an identity is proven (RFC 8176, but for the last four).
const (
	AMRPassword     = "pwd"
	AMROTP          = "otp"
	AMRPasskey      = "hwk"
	AMRSecondFactor = "mfa"
	AMRProvider     = "fed"        // an OpenID provider
	AMRRecovery     = "rec"        // a recovery code
	AMRRemembered   = "remembered" // a browser that showed a second factor before
	AMROperator     = "operator"   // a token that an operator made
)

// Refreshed is what became of a refresh token that was presented.
type Refreshed struct {
	Session Session
	User    User
	Reused  bool // the token had been used before: the session is revoked now
}

// Flow is a sign-in on its way: what has been proven, and what is asked next.
type Flow struct {
	ID       string
	User     string
	Epoch    int64 // of the user; another one ends it
	State    string
	AMR      []string
	Data     string // of the next step
	Attempts int
	Expires  time.Time
}

// Revocation tells that access tokens ended before their time.
type Revocation struct {
	User    string
	Session string // empty: all of the user's with an epoch before Epoch
	Epoch   int64
	Reason  string
}

// NoEpoch is the epoch of an account that does not exist any more: above that of
// every token.
const NoEpoch int64 = 1 << 62

// DeviceLabel is a browser and a system as people call them, from a User-Agent.
func DeviceLabel(agent string) string {
	browser, system := "A program", ""
	for _, b := range []struct{ mark, name string }{
		{"Firefox/", "Firefox"}, {"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
		{"unhidra", "Unhidra"}, {"curl/", "curl"},
	} {
		if strings.Contains(agent, b.mark) {
			browser = b.name
			break
		}
	}
	for _, b := range []struct{ mark, name string }{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	} {
		if strings.Contains(agent, b.mark) {
			system = " on " + b.name
			break
		}
	}
	return browser + system
}
