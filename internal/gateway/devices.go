package gateway

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// answerDevice does what a request asks for that is about a device.
func (c *conn) answerDevice(ctx context.Context, req wire.Request) (any, error) {
	switch req.Type {
	case wire.TypeDescribe:
		return with(req, func(d wire.Describe) (any, error) {
			return nil, c.g.Devices.Describe(ctx, c.who(), d.Capabilities)
		})
	case wire.TypeBye:
		return with(req, func(d wire.Bye) (any, error) {
			return nil, c.g.Devices.Leaves(ctx, c.who(), d.Reason, domain.Seconds(d.BackIn))
		})
	case wire.TypeSettings:
		desired, err := c.g.Settings.Desired(ctx, c.who())
		if err != nil {
			return nil, err
		}
		return wire.FromShadow(desired), nil
	case wire.TypeSettingsSet:
		return with(req, func(d wire.SettingsReport) (any, error) {
			return nil, c.g.Settings.Report(ctx, c.who(),
				domain.SettingsReport{Version: d.Version, Values: d.Settings, Errors: d.Errors})
		})
	case wire.TypeCommand:
		return with(req, func(d wire.NewCommand) (any, error) { return c.command(ctx, d) })
	case wire.TypeCommands:
		return c.openCommands(ctx)
	case wire.TypeReported:
		return with(req, func(d wire.CommandReport) (any, error) {
			return nil, c.g.Commands.Report(ctx, c.who(), domain.CommandReport{
				ID: d.ID, State: domain.CommandState(d.State), Progress: d.Progress, Result: d.Result, Error: d.Error,
			})
		})
	}
	return c.answerFirmware(ctx, req)
}

func unknownType(req wire.Request) error {
	return domain.Invalid.Errorf(domain.CodeUnknownType, "this server knows no request of type %.40q", req.Type)
}

func (c *conn) command(ctx context.Context, d wire.NewCommand) (any, error) {
	given, err := c.g.Commands.Give(ctx, c.who(), domain.NewCommand{
		Device: d.Device, Room: d.Room, Key: d.Key, Action: d.Action, Args: d.Args, Confirm: d.Confirm,
		ExpiresIn: domain.Seconds(d.ExpiresIn),
	})
	if err != nil {
		return nil, err
	}
	return wire.FromCommand(given), nil
}

// openCommands answers with the open commands of a device. Those that do not fit into the answer follow
// as they come when they are new.
func (c *conn) openCommands(ctx context.Context) (any, error) {
	open, err := c.g.Commands.Open(ctx, c.who())
	if err != nil {
		return nil, err
	}
	answer, size := wire.Commands{Commands: make([]wire.Command, 0, len(open))}, 0
	for _, o := range open {
		frame := order(o)
		if size += len(frame); size > syncBytes {
			c.push(frame)
			continue
		}
		answer.Commands = append(answer.Commands, wire.FromCommand(o))
	}
	return answer, nil
}

// order is the frame that tells a device what to do.
func order(o domain.Command) []byte {
	v := wire.FromCommand(o)
	v.Trace = o.Trace
	return encode(wire.Reply{Type: wire.TypeOrder, Data: v})
}

// attach has the connection of a device get commands and settings from now on, after its hello.
func (c *conn) attach(ctx context.Context) {
	if c.who().Kind != domain.KindDevice {
		return
	}
	settings := c.g.Settings.Attach(ctx, c.user.ID, func(s domain.Shadow) {
		c.push(encode(wire.Reply{Type: wire.TypeSet, Data: wire.FromShadow(s)}))
	})
	commands := c.g.Commands.Attach(ctx, c.user.ID, func(o domain.Command) { c.push(order(o)) })
	detach := func() {
		settings()
		commands()
	}
	c.device.detach.Store(&detach)
	if c.finished.Load() { // before it was known what is to be ended
		detach()
	}
}

// detached ends that.
func (c *conn) detached() {
	if c.device == nil {
		return
	}
	if detach := c.device.detach.Load(); detach != nil {
		(*detach)()
	}
	if a := c.device.updates.Load(); a != nil {
		a.detach()
	}
}
