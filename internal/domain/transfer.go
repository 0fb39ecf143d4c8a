package domain

import "time"

// How long an offer of a device is good, and how many may wait for one user.
const (
	TransferExpiry = 7 * 24 * time.Hour
	MaxTransfers   = 50
)

// EndTransferred is why the connections of a device end that changes hands.
const EndTransferred = "transferred"

// TransferState is how far the transfer of a device to another owner has come.
type TransferState string

// The states. All but the first are only told of.
const (
	TransferOffered   TransferState = "offered"
	TransferWithdrawn TransferState = "withdrawn" // by the owner, or by another offer
	TransferDeclined  TransferState = "declined"
	TransferDone      TransferState = "done" // it has changed hands
)

// DeviceTransfer offers a device to another user, or says that it has changed hands.
type DeviceTransfer struct {
	Device  string
	Name    string // of the device
	Type    string
	From    UserRef // whose it is, or was
	To      UserRef
	At      time.Time
	Expires time.Time // of an offer
	State   TransferState
	Hidden  bool // from To, who has blocked From
}

// Handover is what came of a device changing hands.
type Handover struct {
	DeviceTransfer
	Devices   []string  // it, and those that it speaks for
	Left      []string  // rooms that it is in no more
	Cancelled []Command // that it had not carried out
}

// ErrNoTransfer is the answer about an offer that does not exist any more, or not for whoever asks.
func ErrNoTransfer() error {
	return NotFound.Errorf(CodeNoTransfer, "this device is not offered to you, or not any more")
}
