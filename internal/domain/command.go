package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Limits of commands.
const (
	MaxCommandArgs     = 4 << 10          // bytes of all arguments, as JSON
	MaxCommandResult   = 4 << 10          // bytes, as JSON
	MaxCommandError    = 200              // characters
	MaxCommandExpiry   = 24 * time.Hour   // from the moment it is given
	CommandExpiry      = 60 * time.Second // if nothing else is said
	MaxOpenCommands    = 50               // of one device
	CommandPatience    = 10 * time.Minute // that a device may be silent about a command that it has begun
	CommandKept        = 90 * 24 * time.Hour
	commandProgressMax = 100
)

// CommandState is how far a command has come. Each state has a rank: a command only ever moves to
// a higher one, so that a report which comes twice, or late, changes nothing.
type CommandState string

// The states of a command. The server sets queued, sent, expired and cancelled, the device the
// others.
const (
	CommandQueued    CommandState = "queued"    // on disk, and nothing more
	CommandSent      CommandState = "sent"      // written to a connection of the device
	CommandReceived  CommandState = "received"  // the device has it
	CommandRunning   CommandState = "running"   // it has begun
	CommandExpired   CommandState = "expired"   // the device said nothing of it in time
	CommandCancelled CommandState = "cancelled" // withdrawn before the device had it
	CommandDone      CommandState = "done"
	CommandFailed    CommandState = "failed"
)

// ranks of states. A device's last word counts even if the server has given up on it.
var commandRanks = map[CommandState]int{
	CommandQueued: 0, CommandSent: 1, CommandReceived: 2, CommandRunning: 3, CommandExpired: 4, CommandCancelled: 4,
	CommandDone: 5, CommandFailed: 5,
}

// Open reports whether more is expected of a command.
func (s CommandState) Open() bool { return commandRanks[s] <= commandRanks[CommandRunning] }

// After reports whether a command may go from state before to s.
func (s CommandState) After(before CommandState) bool { return commandRanks[s] > commandRanks[before] }

// Command tells a device to do something.
type Command struct {
	ID        string
	Device    string
	By        UserRef
	Key       string // idempotency key of By
	Room      string // in which it was given; empty: in none, by the owner
	Seq       int64  // of its line in that room
	Action    string
	Args      json.RawMessage // an object
	State     CommandState
	Progress  *int            // percent
	Result    json.RawMessage // any JSON value; nil: none
	Error     string          // why it failed
	CreatedAt time.Time
	ChangedAt time.Time
	Expires   time.Time // the device must have it before
	Trace     string    // traceparent of the request that gave it; empty: it is not traced
	Batch     string    // id of what was told to a group; empty: it was given to this device alone
}

// SameOrder reports whether o asks the same device for the same, in the same room.
func (c Command) SameOrder(o Command) bool {
	return c.Device == o.Device && c.Room == o.Room && c.Action == o.Action && bytes.Equal(c.Args, o.Args)
}

// NewCommand is a command that somebody gives.
type NewCommand struct {
	Device    string
	Room      string
	Key       string
	Action    string
	Args      map[string]any
	ExpiresIn time.Duration // 0: CommandExpiry
	Confirm   bool          // needed if the action is destructive
	Via       string        // id of the program that gives it for the user; empty: none
}

// CommandReport is what a device says about a command.
type CommandReport struct {
	ID       string
	State    CommandState
	Progress *int
	Result   json.RawMessage
	Error    string
	Trace    string // traceparent that the device sent with it
}

// CheckCommand checks a command against what its device has declared, and returns its arguments
// as they are stored. The error names each argument that does not fit.
func CheckCommand(c Capabilities, n NewCommand) (json.RawMessage, error) {
	a, ok := c.Actuator(n.Action)
	if !ok {
		return nil, InvalidField("/action", "%s", unknownAction(c))
	}
	var wrong []Field
	for _, arg := range a.Args {
		v, given := n.Args[arg.Name]
		switch detail := checkValue(arg, v); {
		case !given && arg.Required:
			wrong = append(wrong, Field{"/args/" + pointerEscape(arg.Name), "this argument is required"})
		case given && detail != "":
			wrong = append(wrong, Field{"/args/" + pointerEscape(arg.Name), detail})
		}
	}
	for name := range n.Args {
		if !slices.ContainsFunc(a.Args, func(arg Arg) bool { return arg.Name == name }) {
			wrong = append(wrong, Field{"/args/" + pointerEscape(name), "the action has no such argument"})
		}
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b Field) int { return strings.Compare(a.Pointer, b.Pointer) })
		return nil, &Error{Kind: Invalid, Code: CodeInvalidField, Msg: "an argument does not fit: " + wrong[0].Detail,
			Fields: wrong}
	}
	if a.Destructive && !n.Confirm {
		return nil, Conflict.Errorf(CodeConfirm, "%s is destructive; send it again with confirm: true", a.Name)
	}
	return CommandArgs(n.Args)
}

// CommandArgs returns the arguments of a command as they are stored.
func CommandArgs(args map[string]any) (json.RawMessage, error) {
	if len(args) == 0 {
		return json.RawMessage(`{}`), nil
	}
	b, err := json.Marshal(args)
	if err != nil || len(b) > MaxCommandArgs {
		return nil, InvalidField("/args", "all arguments together have at most %d bytes", MaxCommandArgs)
	}
	return b, nil
}

func unknownAction(c Capabilities) string {
	if len(c.Actuators) == 0 {
		return "this device has declared no actions"
	}
	names := make([]string, len(c.Actuators))
	for i, a := range c.Actuators {
		names[i] = a.Name
	}
	return "this device has no such action; it has " + strings.Join(names, ", ")
}

// pointerEscape is a name in a JSON pointer (RFC 6901).
func pointerEscape(name string) string { return strings.ReplaceAll(name, "/", "~1") }

// checkValue says what is wrong with the value of an argument; empty: nothing.
func checkValue(a Arg, v any) string {
	switch a.Kind {
	case BoolArg:
		if _, ok := v.(bool); !ok {
			return "this is true or false"
		}
	case TextArg:
		if s, ok := v.(string); !ok || len(s) > MaxArgText {
			return fmt.Sprintf("this is a text of at most %d bytes", MaxArgText)
		}
	case ChoiceArg:
		if s, ok := v.(string); !ok || !slices.Contains(a.Options, s) {
			return "this is one of " + strings.Join(a.Options, ", ")
		}
	default:
		return checkNumber(a, v)
	}
	return ""
}

func checkNumber(a Arg, v any) string {
	n, ok := v.(float64)
	switch {
	case !ok || math.IsNaN(n) || math.IsInf(n, 0):
		return "this is a number"
	case a.Min != nil && n < *a.Min:
		return fmt.Sprintf("this is at least %v", *a.Min)
	case a.Max != nil && n > *a.Max:
		return fmt.Sprintf("this is at most %v", *a.Max)
	case a.Step != nil && !onStep(a, n):
		return fmt.Sprintf("this goes in steps of %v", *a.Step)
	}
	return ""
}

// onStep reports whether n is a whole number of steps from min, or from 0, as near as decimal
// fractions are in binary.
func onStep(a Arg, n float64) bool {
	from := 0.0
	if a.Min != nil {
		from = *a.Min
	}
	steps := (n - from) / *a.Step
	return math.Abs(steps-math.Round(steps)) < 1e-6*max(1, math.Abs(steps)*1e-6)
}

// CheckExpiry returns for how long a command is good.
func CheckExpiry(d time.Duration) (time.Duration, error) {
	if d == 0 {
		return CommandExpiry, nil
	}
	if d < time.Second || d > MaxCommandExpiry {
		return 0, InvalidField("/expires_in", "a command expires after 1 to %d seconds", int(MaxCommandExpiry/time.Second))
	}
	return d, nil
}

// CheckCommandReport refuses what a device may not say about a command.
func CheckCommandReport(r CommandReport) error {
	switch r.State {
	case CommandReceived, CommandRunning, CommandDone, CommandFailed:
	default:
		return InvalidField("/state", "a device reports received, running, done or failed")
	}
	if !ValidID(CommandPrefix, r.ID) {
		return ErrNoCommand()
	}
	if r.Progress != nil && (*r.Progress < 0 || *r.Progress > commandProgressMax) {
		return InvalidField("/progress", "progress is 0 to %d", commandProgressMax)
	}
	if len(r.Result) > MaxCommandResult {
		return InvalidField("/result", "a result has at most %d bytes", MaxCommandResult)
	}
	_, err := CheckProse("/error", r.Error, MaxCommandError)
	return err
}

// ErrNoCommand is the answer about a command that does not exist, or not for whoever asks.
func ErrNoCommand() error {
	return NotFound.Errorf(CodeNoCommand, "there is no such command")
}

// CommandLine is a command as the lines of a room show it.
type CommandLine struct {
	ID       string          `json:"id"`
	Action   string          `json:"action"`
	Args     json.RawMessage `json:"args,omitempty"`
	State    CommandState    `json:"state"`
	Progress *int            `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
	Expires  time.Time       `json:"expires"`
}

// Line returns c as a room shows it.
func (c Command) Line() *CommandLine {
	l := &CommandLine{ID: c.ID, Action: c.Action, State: c.State, Progress: c.Progress, Result: c.Result, Error: c.Error,
		Expires: c.Expires}
	if string(c.Args) != `{}` {
		l.Args = c.Args
	}
	return l
}
