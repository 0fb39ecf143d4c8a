// Package bus carries news between the parts of the server, and between its nodes. It
// may lose anything at any time: whoever needs everything reads what it missed from the
// log. Local is the reference implementation, within one process.
package bus

// Message is one piece of news. Data is shared with other subscribers and must
// not be changed.
type Message struct {
	Subject string
	Data    []byte
}

// Bus is what every implementation does.
type Bus interface {
	// Publish sends data to all who subscribe to subject, on any node, and
	// does not wait for them. The caller must not change data afterwards.
	Publish(subject string, data []byte) error

	// Subscribe calls fn for each message on subject, one at a time, in the
	// order in which one publisher sent them. A subscriber that is too slow
	// loses messages. After unsubscribe returns, no new call of fn begins; one
	// that is under way may still finish.
	Subscribe(subject string, fn func(Message)) (unsubscribe func(), err error)
}

// Subjects that several parts of the server share; those of rooms and users
// are in package wire.
const (
	PresenceSubject = "presence"    // who came and went, and wire.PackUser: new names and statuses
	ProfileSubject  = "profiles"    // wire.PackUser: a new name or picture, for all who share a room
	NewsSubject     = "news"        // wire.PackReply: for everybody who is connected
	RevokeSubject   = "auth.revoke" // JSON: Revocation
	// DescribedSubject carries the ids of devices that are described otherwise than before, by themselves or
	// by their owner.
	DescribedSubject = "devices.described"

	// GapSubject says, to this node alone and without data, that messages of
	// other nodes may have been lost: whoever must know them asks the store now.
	GapSubject = "bus.gap"
)

// Renewed is the reason of a revocation whose session goes on under another id:
// who is connected comes back with new tokens.
const Renewed = "renewed"

// Revocation ends sessions: the one named, or, with no session, every session
// of the user that began before Epoch. With a device, it ends that device's
// connections instead, or those by one of its keys.
type Revocation struct {
	User    string `json:"user,omitempty"`
	Session string `json:"session,omitempty"`
	Epoch   int64  `json:"epoch,omitempty"`
	Device  string `json:"device,omitempty"`
	Key     string `json:"key,omitempty"`
	Reason  string `json:"reason"`
}
