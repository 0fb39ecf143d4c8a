package device

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

func (d *Device) onOrder(data json.RawMessage) {
	var c wire.Command
	if err := json.Unmarshal(data, &c); err != nil {
		d.o.Log.Error("a command that is not understood", "err", err)
		return
	}
	d.order(c)
}

// order queues a command. One that does not fit comes again with the next connection.
func (d *Device) order(c wire.Command) {
	select {
	case d.orders <- c:
	default:
		d.o.Log.Warn("too many commands wait", "command", c.ID)
	}
}

// obey carries out commands, one after the other, until ctx ends.
func (d *Device) obey(ctx context.Context, live *client.Live) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-d.orders:
			if err := d.carryOut(ctx, live, c); err != nil && ctx.Err() == nil {
				d.o.Log.ErrorContext(ctx, "carry out a command", "command", c.ID, "action", c.Action, "err", err)
			}
		}
	}
}

// carryOut does what a command says, unless it was done or begun before, and answers it. That it
// begins is on disk before it does: a command during which the program ends is not repeated.
func (d *Device) carryOut(ctx context.Context, live *client.Live, c wire.Command) error {
	answer, known := d.commands.get(c.ID)
	if !known {
		began := wire.CommandReport{ID: c.ID, State: string(domain.CommandFailed),
			Error: "the device was restarted meanwhile"}
		if err := d.commands.put(began); err != nil {
			return err
		}
		if err := d.insist(ctx, live, wire.TypeReported, wire.CommandReport{ID: c.ID, State: string(domain.CommandReceived)},
			nil); err != nil {
			return err
		}
		answer = d.do(ctx, c)
		if err := d.commands.put(answer); err != nil {
			return err
		}
	}
	return d.insist(ctx, live, wire.TypeReported, answer, nil)
}

// do calls the action of a command.
func (d *Device) do(ctx context.Context, c wire.Command) (answer wire.CommandReport) {
	failed := func(text string) wire.CommandReport {
		r := []rune(text)
		return wire.CommandReport{ID: c.ID, State: string(domain.CommandFailed),
			Error: string(r[:min(len(r), domain.MaxCommandError)])}
	}
	defer func() {
		if r := recover(); r != nil {
			answer = failed(fmt.Sprint("the action failed: ", r))
		}
	}()
	action := d.o.Actions[c.Action]
	if action == nil {
		return failed("this device does not know the action " + c.Action)
	}
	var args map[string]any
	if len(c.Args) > 0 {
		if err := json.Unmarshal(c.Args, &args); err != nil {
			return failed("the arguments are not understood")
		}
	}
	result, err := action(ctx, args)
	if err != nil {
		return failed(err.Error())
	}
	answer = wire.CommandReport{ID: c.ID, State: string(domain.CommandDone)}
	if result == nil {
		return answer
	}
	b, err := json.Marshal(result)
	if err != nil || len(b) > domain.MaxCommandResult {
		return answer // it was carried out; what cannot be told is left out
	}
	answer.Result = b
	return answer
}
