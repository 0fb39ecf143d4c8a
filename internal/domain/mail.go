package domain

import "time"

// MailTemplate says what a mail is about. Its text is package mail's.
type MailTemplate string

// The mails that the server sends, and which fields of MailData each needs.
const (
	MailVerifyEmail     MailTemplate = "verify_email"     // Username, Link, Expires
	MailEmailTaken      MailTemplate = "email_taken"      // Username, Link (to reset the password)
	MailResetPassword   MailTemplate = "reset_password"   // Username, Link, Expires
	MailPasswordChanged MailTemplate = "password_changed" // Username, Link (to reset), At, Address, Device
	// to the old address: Username, NewEmail, Link (undo), Expires
	MailEmailChanged        MailTemplate = "email_changed"
	MailConfirmEmail        MailTemplate = "confirm_email"         // to the new address: Username, Link, Expires
	MailLocked              MailTemplate = "locked"                // Username, Link (unlock), Expires
	MailNewSignIn           MailTemplate = "new_sign_in"           // Username, Link (sessions), At, Address, Device
	MailSecondFactorAdded   MailTemplate = "second_factor_added"   // Username, Link (security page), Factor, At
	MailSecondFactorRemoved MailTemplate = "second_factor_removed" // Username, Link (security page), Factor, At
	MailRecoveryCodeUsed    MailTemplate = "recovery_code_used"    // Username, Link (security page), At, Left
	MailInvitation          MailTemplate = "invitation"            // From, Link, Expires
	MailDigest              MailTemplate = "digest"                // Username, Link, Digest
)

// MailTemplates lists every template.
func MailTemplates() []MailTemplate {
	return []MailTemplate{
		MailVerifyEmail, MailEmailTaken, MailResetPassword, MailPasswordChanged, MailEmailChanged, MailConfirmEmail,
		MailLocked,
		MailNewSignIn, MailSecondFactorAdded, MailSecondFactorRemoved, MailRecoveryCodeUsed, MailInvitation,
		MailDigest,
	}
}

// Mail is one mail to one address, to be queued.
type Mail struct {
	To       string // a bare address
	Template MailTemplate
	Data     MailData
	// Once names a notice of which nobody wants more than one in 24 hours, such
	// as "locked:usr_01...": a second mail with the same name is dropped, without
	// an error. Empty: every mail is sent.
	Once string
}

// MailData fills in a template. The name in a mail is the username and never the
// display name: who registers with a stranger's address must not choose what the
// stranger reads.
type MailData struct {
	Username string    `json:"username,omitempty"`
	Link     string    `json:"link,omitempty"` // absolute; a secret where it holds a ticket
	Expires  time.Time `json:"expires,omitzero"`
	NewEmail string    `json:"new_email,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Address  string    `json:"address,omitempty"` // where the request came from
	Device   string    `json:"device,omitempty"`  // "Firefox on Linux"
	Factor   string    `json:"factor,omitempty"`  // "an authenticator app", "the passkey “phone”"
	Left     int       `json:"left,omitempty"`    // recovery codes
	From     string    `json:"from,omitempty"`    // who invites
	Digest   *Summary  `json:"digest,omitempty"`
}

// Summary is what a digest says.
type Summary struct {
	Messages    int           `json:"messages"` // that were missed
	Rooms       []SummaryRoom `json:"rooms"`
	MoreRooms   int           `json:"more_rooms,omitempty"` // of which it shows nothing
	MoreThere   int           `json:"more_there,omitempty"` // messages in them
	Capped      bool          `json:"capped,omitempty"`     // there are more messages than Messages says
	Reports     int           `json:"reports,omitempty"`    // reported messages that wait for their decision
	Weekly      bool          `json:"weekly,omitempty"`
	Unsubscribe string        `json:"unsubscribe"` // page on which they end digests
	OneClick    string        `json:"one_click"`   // where mail programs end them for their users: RFC 8058
}

// SummaryRoom is what a digest says of a room.
type SummaryRoom struct {
	Name     string        `json:"name"`
	Link     string        `json:"link"`
	Count    int           `json:"count"`
	Capped   bool          `json:"capped,omitempty"` // there are more than Count says
	Mentions int           `json:"mentions,omitempty"`
	Lines    []SummaryLine `json:"lines,omitempty"`
}

// SummaryLine is a message that a digest shows.
type SummaryLine struct {
	From string `json:"from"`
	Text string `json:"text"`
}

// QueuedMail is a mail that waits in the store.
type QueuedMail struct {
	ID       string
	To       string
	Template MailTemplate
	Data     []byte // sealed; empty once it was sent or given up
	Attempts int    // with the one that it was claimed for
	Created  time.Time
	GiveUp   time.Time // not sent after that
	Trace    string    // traceparent of the request that it is from; empty: it is not traced
}

// MailState is how the queue of mails stands.
type MailState struct {
	Waiting int
	Oldest  time.Time // of those that wait; zero: none does
	Failed  int       // given up, and not forgotten yet
}
