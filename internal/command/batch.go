package command

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/internal/wire"
)

// Batches stores what groups of devices are told.
type Batches interface {
	GiveBatch(ctx context.Context, b domain.CommandBatch, devices []string, now time.Time) (
		given domain.CommandBatch, told []domain.Command, repeat bool, err error)
	// Repeated returns the batch of b's actor and key, if there is one.
	Repeated(ctx context.Context, b domain.CommandBatch) (given domain.CommandBatch, repeat bool, err error)
	Batch(ctx context.Context, actor, group, id string) (domain.CommandBatch, []domain.BatchFailure, error)
	Batches(ctx context.Context, actor, group, before string, limit int) ([]domain.CommandBatch, error)
	// TellBatches tells rooms of batches that have come further some time ago.
	TellBatches(ctx context.Context, now time.Time, limit int) error
}

// GiveGroup tells all devices of a group of p's to do something: each that can gets a command of its own, at once
// or when it comes back. In a room, those are told that are in it. The same key from the same user returns the
// first answer again.
func (s *Service) GiveGroup(
	ctx context.Context, p domain.Principal, n domain.GroupCommand,
) (domain.CommandBatch, error) {
	b, good, err := s.batchOf(ctx, p, n)
	if err != nil {
		return b, err
	}
	if given, repeat, err := s.Store.Repeated(ctx, b); err != nil || repeat {
		return given, err // whatever the group has become since
	}
	found, err := s.Devices.InGroup(ctx, p.ID, n.Group, domain.MaxBatchDevices+1)
	if err != nil {
		return b, err
	}
	if len(found) > domain.MaxBatchDevices {
		return b, domain.InvalidField("{group}",
			"this group has more than %d devices, the most that can be told at once; make smaller groups",
			domain.MaxBatchDevices)
	}
	able, refused, err := domain.CheckGroupCommand(found, n.NewCommand)
	if err == nil && s.DiskFull != nil {
		err = s.DiskFull()
	}
	if err != nil {
		return b, err
	}
	now := s.Now()
	b.Refused, b.Counts.Devices, b.Expires = refused, len(found), now.Add(good)
	b, given, repeat, err := s.Store.GiveBatch(ctx, b, able, now)
	if err != nil || repeat {
		return b, err
	}
	s.metrics.given.Add(float64(len(given)))
	s.recordBatch(ctx, p, b, n.Via)
	for _, c := range given {
		s.announce(c.Device)
	}
	for _, r := range b.Refused {
		if r.Reason == domain.BatchManyWait {
			s.Devices.Note(r.Device, domain.DeviceNote{Kind: domain.NoteCommand, Subject: b.Action,
				Reason: string(domain.CodeTooManyCommands), Detail: r.Detail})
		}
	}
	return b, nil
}

// batchOf returns the batch that somebody wants, and for how long it is good.
func (s *Service) batchOf(
	ctx context.Context, p domain.Principal, n domain.GroupCommand,
) (b domain.CommandBatch, good time.Duration, err error) {
	if p.Kind == domain.KindDevice {
		return b, 0, domain.Forbidden.Errorf(domain.CodePeopleOnly, "a device cannot command others")
	}
	if err := domain.CheckKey(n.Key); err != nil {
		return b, 0, err
	}
	if n.Room != "" && !domain.ValidID(domain.RoomPrefix, n.Room) {
		return b, 0, domain.ErrNoRoom()
	}
	if good, err = domain.CheckExpiry(n.ExpiresIn); err != nil {
		return b, 0, err
	}
	args, err := domain.CommandArgs(n.Args)
	return domain.CommandBatch{ID: domain.NewID(domain.BatchPrefix), By: domain.UserRef{ID: p.ID}, Key: n.Key,
		Group: n.Group, Room: n.Room, Action: n.Action, Args: args, Trace: trace.Parent(ctx)}, good, err
}

// recordBatch tells the audit log who told which group what, and how many devices that reached.
func (s *Service) recordBatch(ctx context.Context, p domain.Principal, b domain.CommandBatch, via string) {
	details := told(b.Args, b.Room, via)
	details["batch"], details["action"] = b.ID, b.Action
	details["devices"], details["refused"] = strconv.Itoa(b.Counts.Pending), strconv.Itoa(b.Counts.Refused)
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditDeviceCommand, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: "device_group", ID: b.Group},
		Addr:   httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx), Details: details,
	})
}

// batchRoutes adds the operations on groups to api.
func (s *Service) batchRoutes(api huma.API, op func(id, method, path, summary string, status int) huma.Operation) {
	httpx.Register(api, op("send-group-command", "POST", "/device-groups/{group}/commands",
		"Tell the devices of a group to do something; the same key gives the same answer", 201), s.postBatch)
	httpx.Register(api, op("list-group-commands", "GET", "/device-groups/{group}/commands",
		"What a group was told, the newest first", 200), s.listBatches)
	httpx.Register(api, op("get-group-command", "GET", "/device-groups/{group}/commands/{batch}",
		"How far a command to a group has come, and which devices it failed for", 200), s.getBatch)
}

// OnDeviceGroup is the input of operations on what one group is told.
type OnDeviceGroup struct {
	Group string `path:"group" maxLength:"32"`
}

// groupCommand is what a group was told, as the API shows it.
type groupCommand struct {
	wire.Batch
	Failures []batchFailure `json:"failures,omitempty" doc:"devices that were not told, or did not do it; not in lists"`
}

// batchFailure is a device that a command to its group came to no good end for.
type batchFailure struct {
	Device string `json:"device"`
	Name   string `json:"name,omitempty"`
	State  string `json:"state" enum:"refused,failed,expired,cancelled" doc:"refused: it was told nothing"`
	Reason string `json:"reason,omitempty" enum:"no_action,wrong_args,not_in_room,many_wait,gone" doc:"if refused"`
	Detail string `json:"detail,omitempty"`
}

type batchOutput struct{ Body groupCommand }

func (s *Service) shownBatch(
	b domain.CommandBatch, failures []domain.BatchFailure, err error,
) (*batchOutput, error) {
	if err != nil {
		return nil, err
	}
	v := groupCommand{Batch: wire.FromBatch(b)}
	for _, f := range failures {
		state := string(f.State)
		if f.State == "" {
			state = "refused"
		}
		v.Failures = append(v.Failures, batchFailure{f.Device, f.Name, state, string(f.Reason), f.Detail})
	}
	return &batchOutput{v}, nil
}

func (s *Service) postBatch(ctx context.Context, in *struct {
	OnDeviceGroup
	Body struct {
		Key       string         `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
		Action    string         `json:"action" example:"fan" doc:"an actuator that at least one of the devices has"`
		Args      map[string]any `json:"args,omitempty" doc:"by name, as the devices have declared them"`
		Room      string         `json:"room,omitempty" doc:"shows it; only devices in it are told. Absent: all, and no room"`
		ExpiresIn int            `json:"expires_in,omitempty" minimum:"1" maximum:"86400" doc:"seconds; absent: 60"`
		Confirm   bool           `json:"confirm,omitempty" doc:"needed if the action is destructive"`
	}
}) (*batchOutput, error) {
	p, b := httpx.Principal(ctx), in.Body
	given, err := s.GiveGroup(ctx, p, domain.GroupCommand{Group: in.Group, NewCommand: domain.NewCommand{
		Room: b.Room, Key: b.Key, Action: b.Action, Args: b.Args, Confirm: b.Confirm,
		ExpiresIn: time.Duration(b.ExpiresIn) * time.Second}})
	if err != nil {
		return nil, err
	}
	return s.shownBatch(s.Store.Batch(ctx, p.ID, in.Group, given.ID))
}

func (s *Service) listBatches(ctx context.Context, in *struct {
	OnDeviceGroup
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"50" default:"10"`
}) (*struct{ Body httpx.Page[wire.Batch] }, error) {
	before, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Batches(ctx, httpx.Principal(ctx).ID, in.Group, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[wire.Batch] }{httpx.PageOf(found, in.Limit,
		func(b domain.CommandBatch) string { return b.ID }, wire.FromBatch)}, nil
}

func (s *Service) getBatch(ctx context.Context, in *struct {
	OnDeviceGroup
	Batch string `path:"batch" maxLength:"64"`
}) (*batchOutput, error) {
	return s.shownBatch(s.Store.Batch(ctx, httpx.Principal(ctx).ID, in.Group, in.Batch))
}
