package app_test

import (
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// toldGroup is what the API says of a command to a group.
type toldGroup struct {
	wire.Batch
	Failures []struct{ Device, Name, State, Reason, Detail string }
}

// A group is told at once: each of its devices that can has a command, and the others are named with the reason.
func TestAGroupIsToldAtOnce(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		one, two := newFan(t, s, ann), newFan(t, s, ann)
		lamp := registerDevice(t, ann, "Lamp").Device
		one.connect(t, s)
		two.connect(t, s)
		ids := []string{one.id, two.id, lamp.ID}
		must(t, ann.Do(ctx, "PUT", "/device-groups/fans", map[string]any{"devices": ids}, nil))

		give := map[string]any{"key": "k1", "action": "fan", "args": map[string]any{"state": "on"}}
		var given, again toldGroup
		must(t, ann.Do(ctx, "POST", "/device-groups/fans/commands", give, &given))
		must(t, ann.Do(ctx, "POST", "/device-groups/fans/commands", give, &again))
		if given.ID != again.ID || given.Counts.Devices != 3 || given.Counts.Refused != 1 ||
			given.Failures[0].Reason != "no_action" || given.Failures[0].Name != "Lamp" {
			t.Errorf("given as %+v, and again as %+v", given, again)
		}
		for i, f := range []*fan{one, two} {
			told := next(t, f.told)
			f.report(t, wire.CommandReport{ID: told.ID, State: []string{"done", "failed"}[i], Error: []string{"", "stuck"}[i]})
		}
		var got toldGroup
		must(t, ann.Do(ctx, "GET", "/device-groups/fans/commands/"+given.ID, nil, &got))
		want := domain.BatchCounts{Devices: 3, Done: 1, Failed: 1, Refused: 1}
		if got.Counts != want || len(got.Failures) != 2 || got.Failures[0].Detail != "stuck" {
			t.Errorf("it came to %+v", got)
		}
		var list struct{ Items []toldGroup }
		must(t, ann.Do(ctx, "GET", "/device-groups/fans/commands", nil, &list))
		if len(list.Items) != 1 || list.Items[0].Counts != want {
			t.Errorf("listed as %+v", list.Items)
		}
		if len(one.told)+len(two.told) != 0 {
			t.Error("a device was told twice")
		}

		for what, c := range map[string]struct {
			by   *client.Client
			body map[string]any
			code domain.Code
		}{
			"a group of somebody else": {bob, give, domain.CodeNoDeviceGroup},
			"no such action":           {ann, map[string]any{"key": "k2", "action": "light"}, domain.CodeInvalidField},
			"no such value": {ann, map[string]any{"key": "k3", "action": "fan", "args": map[string]any{"state": "up"}},
				domain.CodeInvalidField},
			"not confirmed":    {ann, map[string]any{"key": "k4", "action": "reset"}, domain.CodeConfirm},
			"another key's":    {ann, map[string]any{"key": "k1", "action": "reset", "confirm": true}, domain.CodeKeyReused},
			"a room of nobody": {ann, map[string]any{"key": "k5", "action": "fan", "room": "x"}, domain.CodeNoRoom},
		} {
			if err := c.by.Do(ctx, "POST", "/device-groups/fans/commands", c.body, nil); codeOf(err) != c.code {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// In a room a group has one line, which follows its devices; those that are not in the room are not told.
func TestAGroupInARoomIsOneLine(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		one, two := newFan(t, s, ann), newFan(t, s, ann)
		one.connect(t, s)
		two.connect(t, s)
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": one.id}, nil))
		must(t, ann.Do(ctx, "PUT", "/device-groups/fans", map[string]any{"devices": []string{one.id, two.id}}, nil))
		heard := make(chan client.Event, 100)
		anns := ann.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) { heard <- e }})
		t.Cleanup(anns.Close)
		must(t, anns.Request(ctx, wire.TypePing, nil, nil)) // it is connected

		var given toldGroup
		must(t, ann.Do(ctx, "POST", "/device-groups/fans/commands", map[string]any{"key": "k", "action": "fan",
			"args": map[string]any{"state": "on"}, "room": room.ID}, &given))
		told := next(t, one.told)
		one.report(t, wire.CommandReport{ID: told.ID, State: "done"})
		var types []string
		for {
			e := next(t, heard)
			if e.Detail == nil || e.Detail.Batch == nil {
				continue
			}
			types = append(types, e.Type)
			if c := e.Detail.Batch.Counts; c.Done == 1 {
				if c.Pending != 0 || c.Refused != 1 || e.Detail.Of != given.Seq {
					t.Errorf("heard %+v", e.Detail)
				}
				break
			}
		}
		if len(types) != 2 || types[0] != string(domain.GroupCommanded) || types[1] != string(domain.GroupChanged) {
			t.Errorf("the room was told %v", types)
		}
		if len(two.told) != 0 {
			t.Error("a device that is not in the room was told")
		}
	})
}
