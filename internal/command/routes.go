package command

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"devices"}, Security: httpx.Bearer,
			Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("send-command", "POST", "/devices/{device}/commands",
		"Tell a device to do something; the same key gives the same command", 201), s.post)
	httpx.Register(api, op("list-commands", "GET", "/devices/{device}/commands", "What a device was told, the newest first",
		200), s.list)
	httpx.Register(api, op("get-command", "GET", "/devices/{device}/commands/{command}", "One command", 200), s.get)
	httpx.Register(api, op("cancel-command", "DELETE", "/devices/{device}/commands/{command}",
		"Withdraw a command that the device does not have yet", 200), s.delete)
	s.batchRoutes(api, op)
}

// OnDevice is the input of operations on one device.
type OnDevice struct {
	Device string `path:"device" maxLength:"64"`
}

// OnCommand is the input of operations on one command.
type OnCommand struct {
	OnDevice
	Command string `path:"command" maxLength:"64"`
}

type output struct{ Body wire.Command }

func shown(c domain.Command, err error) (*output, error) {
	if err != nil {
		return nil, err
	}
	return &output{wire.FromCommand(c)}, nil
}

func (s *Service) post(ctx context.Context, in *struct {
	OnDevice
	Body struct {
		Key       string         `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
		Action    string         `json:"action" example:"fan" doc:"one of the device's actuators"`
		Args      map[string]any `json:"args,omitempty" doc:"by name, as the device has declared them"`
		Room      string         `json:"room,omitempty" doc:"which shows the command and its answer; absent: none, for the owner alone"`
		ExpiresIn int            `json:"expires_in,omitempty" minimum:"1" maximum:"86400" doc:"seconds; absent: 60"`
		Confirm   bool           `json:"confirm,omitempty" doc:"needed if the action is destructive"`
	}
}) (*output, error) {
	b := in.Body
	return shown(s.Give(ctx, httpx.Principal(ctx), domain.NewCommand{
		Device: in.Device, Room: b.Room, Key: b.Key, Action: b.Action, Args: b.Args, Confirm: b.Confirm,
		ExpiresIn: time.Duration(b.ExpiresIn) * time.Second,
	}))
}

func (s *Service) list(ctx context.Context, in *struct {
	OnDevice
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body httpx.Page[wire.Command] }, error) {
	p := httpx.Principal(ctx)
	_, mine, err := s.Devices.MaySee(ctx, p, in.Device)
	if err != nil {
		return nil, err
	}
	before, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	viewer := p.ID
	if mine {
		viewer = ""
	}
	found, err := s.Store.Commands(ctx, in.Device, viewer, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[wire.Command] }{httpx.PageOf(found, in.Limit,
		func(c domain.Command) string { return c.ID }, wire.FromCommand)}, nil
}

func (s *Service) get(ctx context.Context, in *OnCommand) (*output, error) {
	c, _, err := s.visible(ctx, httpx.Principal(ctx), in.Device, in.Command)
	return shown(c, err)
}

func (s *Service) delete(ctx context.Context, in *OnCommand) (*output, error) {
	return shown(s.Cancel(ctx, httpx.Principal(ctx), in.Device, in.Command))
}
