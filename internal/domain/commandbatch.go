package domain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"time"
)

// MaxBatchDevices is how many devices are told something at once.
const MaxBatchDevices = 1000

// CommandBatch tells all devices of a group to do something. Each that can has a command of its own, which
// names the batch; the others are refused.
type CommandBatch struct {
	ID        string
	By        UserRef // whose the group is
	Key       string  // idempotency key of By, apart from those of single commands
	Group     string  // its name
	Room      string  // in which it was given; empty: in none
	Seq       int64   // of its line in that room
	Action    string
	Args      json.RawMessage // an object
	Refused   []BatchRefusal
	Counts    BatchCounts
	CreatedAt time.Time
	Expires   time.Time
	Trace     string // traceparent of the request that gave it; empty: it is not traced
}

// BatchCounts says how far a batch has come.
type BatchCounts struct {
	Devices   int `json:"devices" doc:"of the group when it was given"`
	Pending   int `json:"pending" doc:"their devices have said nothing yet"`
	Delivered int `json:"delivered" doc:"their devices have them, or have begun"`
	Done      int `json:"done"`
	Failed    int `json:"failed"`
	Expired   int `json:"expired"`
	Cancelled int `json:"cancelled"`
	Refused   int `json:"refused" doc:"devices that were told nothing"`
}

// Add counts n commands in a state.
func (c *BatchCounts) Add(s CommandState, n int) {
	switch s {
	case CommandQueued, CommandSent:
		c.Pending += n
	case CommandReceived, CommandRunning:
		c.Delivered += n
	case CommandDone:
		c.Done += n
	case CommandFailed:
		c.Failed += n
	case CommandExpired:
		c.Expired += n
	case CommandCancelled:
		c.Cancelled += n
	}
}

// Open reports whether more is expected.
func (c BatchCounts) Open() bool { return c.Pending+c.Delivered > 0 }

// BatchRefusal says why a device of a group was told nothing.
type BatchRefusal struct {
	Device string      `json:"device"`
	Reason BatchReason `json:"reason"`
	Detail string      `json:"detail"`
}

// BatchReason is a word for why a device of a group was told nothing.
type BatchReason string

// The reasons.
const (
	BatchNoAction    BatchReason = "no_action"   // it has no such action
	BatchWrongArgs   BatchReason = "wrong_args"  // its action has other arguments
	BatchNotInRoom   BatchReason = "not_in_room" // or muted there
	BatchManyWait    BatchReason = "many_wait"   // it has as many open commands as it may
	BatchGone        BatchReason = "gone"        // it was revoked, has expired, or belongs to somebody else by now
	maxRefusalDetail             = 200           // bytes
)

// BatchFailure is a device for which a batch did not come to a good end.
type BatchFailure struct {
	Device string
	Name   string
	State  CommandState // empty: it was refused
	Reason BatchReason  // of one that was refused
	Detail string
}

// SameOrder reports whether o asks the same group for the same, in the same room.
func (b CommandBatch) SameOrder(o CommandBatch) bool {
	return b.Group == o.Group && b.Room == o.Room && b.Action == o.Action && bytes.Equal(b.Args, o.Args)
}

// GroupCommand is what somebody tells a group.
type GroupCommand struct {
	Group string
	NewCommand
}

// CheckGroupCommand checks a command against what each device has declared. It returns the ids of those devices
// that can carry it out, and why the others cannot. The error is about all of them: none can, or it must be
// confirmed.
func CheckGroupCommand(devices []DescribedDevice, n NewCommand) (able []string, refused []BatchRefusal, err error) {
	var first error // of a device that has the action, if there is one
	for _, d := range devices {
		_, err := CheckCommand(d.Capabilities, n)
		switch {
		case err == nil:
			able = append(able, d.ID)
			continue
		case CodeOf(err) == CodeConfirm:
			return nil, nil, err
		}
		r := BatchRefusal{d.ID, BatchNoAction, "this device has no such action"}
		if _, has := d.Capabilities.Actuator(n.Action); has {
			r.Reason, r.Detail = BatchWrongArgs, err.Error()[:min(len(err.Error()), maxRefusalDetail)]
			first = cmp.Or(first, err)
		}
		refused = append(refused, r)
	}
	switch {
	case len(able) > 0:
		return able, refused, nil
	case first != nil:
		return nil, nil, first
	case len(devices) == 0:
		return nil, nil, InvalidField("{group}", "there is no device in this group")
	}
	return nil, nil, InvalidField("/action", "no device of this group has this action")
}

// BatchLine is a batch as the lines of a room show it.
type BatchLine struct {
	ID      string          `json:"id"`
	Group   string          `json:"group"`
	Action  string          `json:"action"`
	Args    json.RawMessage `json:"args,omitempty"`
	Counts  BatchCounts     `json:"counts"`
	Expires time.Time       `json:"expires"`
}

// Line returns b as a room shows it.
func (b CommandBatch) Line() *BatchLine {
	l := &BatchLine{ID: b.ID, Group: b.Group, Action: b.Action, Counts: b.Counts, Expires: b.Expires}
	if string(b.Args) != `{}` {
		l.Args = b.Args
	}
	return l
}

// ErrNoBatch is the answer about a batch that does not exist, or not for whoever asks.
func ErrNoBatch() error {
	return NotFound.Errorf(CodeNoCommand, "there is no such command to this group")
}
