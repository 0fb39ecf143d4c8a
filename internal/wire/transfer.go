package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// DeviceTransfer offers a device to another user, or says what became of that.
type DeviceTransfer struct {
	Device  string     `json:"device"`
	Name    string     `json:"name" doc:"of the device"`
	Kind    string     `json:"kind,omitempty" doc:"its type, as its owner calls it"`
	From    User       `json:"from" doc:"whose it is, or was"`
	To      User       `json:"to"`
	State   string     `json:"state" enum:"offered,withdrawn,declined,done" doc:"done: it has changed hands"`
	At      time.Time  `json:"at" doc:"when it was offered"`
	Expires *time.Time `json:"expires,omitempty" doc:"of an offer"`
}

// FromTransfer is the wire's view of v.
func FromTransfer(v domain.DeviceTransfer) DeviceTransfer {
	w := DeviceTransfer{Device: v.Device, Name: v.Name, Kind: v.Type, From: FromUser(v.From), To: FromUser(v.To),
		State: string(v.State), At: v.At}
	if v.State == domain.TransferOffered {
		w.Expires = &v.Expires
	}
	return w
}
