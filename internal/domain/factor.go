package domain

import "time"

// A Ticket is a single-use secret that somebody was given: a link in a mail.
type Ticket struct {
	Kind    TicketKind
	User    string    // whom it is about; may be empty
	Epoch   int64     // of the user; where something is changed, another one ends it
	Data    string    // what it was made for: an e-mail address
	Created time.Time // set by the store
	Expires time.Time
}

// TicketKind says what a ticket is good for.
type TicketKind string

// The kinds of tickets.
const (
	SetupTicket     TicketKind = "setup"        // become the first administrator
	VerifyTicket    TicketKind = "verify_email" // prove the address of a new account
	ResetTicket     TicketKind = "reset"        // choose another password
	UnlockTicket    TicketKind = "unlock"       // end a lock
	EmailTicket     TicketKind = "email"        // prove a new address of an account
	EmailUndoTicket TicketKind = "email_undo"   // go back to the address before
	PasskeyTicket   TicketKind = "passkey"      // answer a challenge
	ProviderTicket  TicketKind = "oidc"         // come back from an OpenID provider
)

// Factors are the second factors that a user has.
type Factors struct {
	TOTP          bool
	TOTPSince     time.Time
	Passkeys      int
	RecoveryCodes int // that are left
}

// Any reports whether there is a second factor to ask for.
func (f Factors) Any() bool { return f.TOTP || f.Passkeys > 0 }

// RemovedFactors counts what was taken away at once of what a user signs in with.
type RemovedFactors struct {
	TOTP          int64
	Passkeys      int64
	RecoveryCodes int64
	Identities    int64 // at OpenID providers
}

// TOTP is a user's authenticator app.
type TOTP struct {
	User      string
	Seed      []byte    // sealed
	Confirmed time.Time // zero: on trial
	Expires   time.Time // of the trial
}

// Remembered is a browser that is not asked for a second factor for a while.
type Remembered struct {
	ID        string
	User      string
	Epoch     int64 // of the user; another one ends it
	CreatedAt time.Time
	UsedAt    time.Time
	Expires   time.Time
	IP        string
	UserAgent string
}

// Passkey is a user's WebAuthn credential.
type Passkey struct {
	ID         string // base64url
	User       string
	Name       string
	Credential []byte // JSON of package passkey
	CreatedAt  time.Time
	UsedAt     time.Time
}

// Identity is an account at an OpenID provider that signs in as a user.
type Identity struct {
	Issuer, Subject string
	User            string
	Email           string
	CreatedAt       time.Time
}

// SecondFactorRule says who must have a second factor.
type SecondFactorRule string

// The rules.
const (
	FactorNobody SecondFactorRule = "none"
	FactorAdmins SecondFactorRule = "admins"
	FactorAll    SecondFactorRule = "everyone"
)

// Asks reports whether the rule asks a user of this role.
func (r SecondFactorRule) Asks(role SystemRole) bool {
	return r == FactorAll || r == FactorAdmins && role == SystemAdmin
}
