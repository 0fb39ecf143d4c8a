package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// fan is a device with a fan, and what it is told.
type fan struct {
	*client.Live
	id, key string
	told    chan wire.Command
}

var fanCan = domain.Capabilities{Actuators: []domain.Actuator{
	{Name: "fan", Args: []domain.Arg{
		{Name: "state", Kind: domain.ChoiceArg, Options: []string{"on", "off"}, Required: true},
		{Name: "speed", Kind: domain.NumberArg, Max: new(100.0), Step: new(5.0)},
	}},
	{Name: "reset", Destructive: true},
}}

// newFan registers a device with a fan, has it say what it can do, and disconnects it.
func newFan(t *testing.T, s *live.Server, owner *client.Client) *fan {
	t.Helper()
	made := registerDevice(t, owner, "Greenhouse")
	f := &fan{id: made.Device.ID, key: made.Key, told: make(chan wire.Command, 100)}
	f.connect(t, s)
	must(t, f.Request(t.Context(), wire.TypeDescribe, wire.Describe{Capabilities: fanCan}, nil))
	f.Close()
	return f
}

func (f *fan) connect(t *testing.T, s *live.Server) {
	t.Helper()
	f.Live, _ = connectDevice(t, s, f.key, client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
		var c wire.Command
		if typ == wire.TypeOrder && json.Unmarshal(data, &c) == nil {
			f.told <- c
		}
	}})
}

func (f *fan) report(t *testing.T, r wire.CommandReport) {
	t.Helper()
	must(t, f.Request(t.Context(), wire.TypeReported, r, nil))
}

// state returns how far a command has come.
func (f *fan) state(t *testing.T, c *client.Client, id string) string {
	t.Helper()
	var got wire.Command
	must(t, c.Do(t.Context(), "GET", "/devices/"+f.id+"/commands/"+id, nil, &got))
	return got.State
}

// A command is given in a room, reaches the device, and what becomes of it stands in its line.
func TestACommandInARoomIsCarriedOutAndAnswered(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		f := newFan(t, s, ann)
		f.connect(t, s)
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))
		heard := make(chan client.Event, 100)
		bobs := bob.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) { heard <- e }})
		t.Cleanup(bobs.Close)

		give := wire.NewCommand{Device: f.id, Room: room.ID, Key: "k1", Action: "fan",
			Args: map[string]any{"state": "on", "speed": 40}}
		var given, again wire.Command
		must(t, bobs.Request(ctx, wire.TypeCommand, give, &given))
		must(t, bobs.Request(ctx, wire.TypeCommand, give, &again))
		if given.ID != again.ID || given.Seq == 0 || given.By.Username != "bob" {
			t.Errorf("given as %+v, and again as %+v", given, again)
		}
		told := next(t, f.told)
		if told.ID != given.ID || told.Action != "fan" || string(told.Args) != `{"speed":40,"state":"on"}` {
			t.Errorf("told %+v", told)
		}
		for range 2 { // a report that comes twice changes nothing
			f.report(t, wire.CommandReport{ID: told.ID, State: "running", Progress: new(50)})
		}
		f.report(t, wire.CommandReport{ID: told.ID, State: "done", Result: json.RawMessage(`{"rpm":900}`)})
		f.report(t, wire.CommandReport{ID: told.ID, State: "received"})
		f.report(t, wire.CommandReport{ID: told.ID, State: "failed", Error: "too late"})

		var states []string
		for len(states) == 0 || states[len(states)-1] != "done" {
			e := next(t, heard)
			if domain.EventType(e.Type) != domain.CommandChanged {
				continue
			}
			states = append(states, e.Detail.Command.State)
			if e.Message != nil || e.Subject.ID != f.id || e.Detail.Of != given.Seq {
				t.Errorf("heard %+v", e)
			}
		}
		states = slices.DeleteFunc(states, func(s string) bool { return s == "sent" }) // the device may be faster
		if !slices.Equal(states, []string{"running", "done"}) {
			t.Errorf("the room was told %v", states)
		}
		page, err := ann.Timeline(ctx, room.ID, "", 50)
		must(t, err)
		var lines []client.Event
		for _, e := range page.Items {
			if e.Detail != nil && e.Detail.Command != nil {
				lines = append(lines, e)
			}
		}
		if len(lines) != 1 || lines[0].Seq != given.Seq || lines[0].Detail.Command.State != "done" ||
			string(lines[0].Detail.Command.Result) != `{"rpm":900}` {
			t.Errorf("the timeline shows %+v", lines)
		}
		if len(f.told) != 0 {
			t.Error("the device was told twice")
		}
	})
}

// Whoever may not, and what does not fit, is refused with what to do.
func TestACommandIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		f := newFan(t, s, ann)
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))
		give := func(who *client.Client, change func(m map[string]any)) error {
			m := map[string]any{"key": "k", "action": "fan", "args": map[string]any{"state": "on"}, "room": room.ID}
			change(m)
			return who.Do(ctx, "POST", "/devices/"+f.id+"/commands", m, nil)
		}
		fields := func(err error) (at []string) {
			var e *client.Error
			if errors.As(err, &e) {
				for _, f := range e.Fields {
					at = append(at, f.Pointer)
				}
			}
			return at
		}
		args := func(a map[string]any) func(map[string]any) { return func(m map[string]any) { m["args"] = a } }
		err = give(ann, args(map[string]any{"state": "sideways", "speed": 42, "colour": "red"}))
		if got := fields(err); !slices.Equal(got, []string{"/args/colour", "/args/speed", "/args/state"}) {
			t.Errorf("three arguments that do not fit: %v, %v", got, err)
		}
		if got := fields(give(ann, args(map[string]any{"speed": 40}))); !slices.Equal(got, []string{"/args/state"}) {
			t.Errorf("one is missing: %v", got)
		}
		action := func(a string) func(map[string]any) {
			return func(m map[string]any) { m["action"] = a; delete(m, "args") }
		}
		if got := fields(give(ann, action("fly"))); !slices.Equal(got, []string{"/action"}) {
			t.Errorf("no such action: %v", got)
		}
		noRoom := func(m map[string]any) { delete(m, "room") }
		for name, c := range map[string]struct {
			err  error
			want client.Code
		}{
			"a destructive one":        {give(ann, action("reset")), client.CodeConfirm},
			"by a member, in no room":  {give(bob, noRoom), client.CodeNameARoom},
			"by a stranger":            {give(eve, noRoom), client.CodeNoDevice},
			"by a stranger, in a room": {give(eve, func(map[string]any) {}), client.CodeNoDevice},
			"in an unknown room": {give(ann, func(m map[string]any) { m["room"] = domain.NewID(domain.RoomPrefix) }),
				client.CodeNoRoom},
		} {
			if codeOf(c.err) != c.want {
				t.Errorf("%s: %v", name, c.err)
			}
		}
		mute := map[string]any{"muted_until": time.Now().Add(time.Hour)}
		must(t, ann.Do(ctx, "PATCH", "/rooms/"+room.ID+"/members/"+f.id, mute, nil))
		if err := give(bob, func(map[string]any) {}); codeOf(err) != client.CodeNotReachable {
			t.Errorf("to a muted device: %v", err)
		}
		if err := give(ann, noRoom); err != nil {
			t.Errorf("by its owner, in no room: %v", err)
		}
	})
}

// A command waits for its device, over a restart of the server, and comes again until the device
// says something; a withdrawn or late one does not.
func TestACommandWaitsForItsDevice(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		ctx := t.Context()
		s := start()
		ann := s.User("ann")
		f := newFan(t, s, ann)
		give := func(key string, seconds int) (c wire.Command) {
			t.Helper()
			must(t, ann.Do(ctx, "POST", "/devices/"+f.id+"/commands", map[string]any{"key": key, "action": "fan",
				"args": map[string]any{"state": "on"}, "expires_in": seconds}, &c))
			return c
		}
		late, first, second, withdrawn := give("late", 1), give("1", 600), give("2", 600), give("3", 600)
		must(t, ann.Do(ctx, "DELETE", "/devices/"+f.id+"/commands/"+withdrawn.ID, nil, nil))
		wait(t, func() bool { return f.state(t, ann, late.ID) == "expired" })
		s.Stop()

		s = start()
		ann = at(t, ann, s)
		for range 2 { // it went away before it had said anything
			f.connect(t, s)
			if a, b := next(t, f.told), next(t, f.told); a.ID != first.ID || b.ID != second.ID {
				t.Errorf("told %s and %s, want %s and %s", a.ID, b.ID, first.ID, second.ID)
			}
			wait(t, func() bool { return f.state(t, ann, second.ID) == "sent" })
			f.Close()
		}
		f.connect(t, s)
		next(t, f.told)
		f.report(t, wire.CommandReport{ID: first.ID, State: "received"})
		next(t, f.told)
		f.report(t, wire.CommandReport{ID: second.ID, State: "failed", Error: "the belt is off"})
		if err := ann.Do(ctx, "DELETE", "/devices/"+f.id+"/commands/"+first.ID, nil, nil); codeOf(err) !=
			client.CodeCommandReceived {
			t.Errorf("withdrawn once the device has it: %v", err)
		}
		f.Close()
		f.connect(t, s)
		var open wire.Commands
		must(t, f.Request(ctx, wire.TypeCommands, nil, &open))
		if len(open.Commands) != 1 || open.Commands[0].ID != first.ID || len(f.told) != 0 {
			t.Errorf("open are %+v, and it was told %d again", open.Commands, len(f.told))
		}
		var list struct{ Items []wire.Command }
		must(t, ann.Do(ctx, "GET", "/devices/"+f.id+"/commands?limit=3", nil, &list))
		var states []string
		for _, c := range list.Items {
			states = append(states, c.State)
		}
		if !slices.Equal(states, []string{"cancelled", "failed", "received"}) {
			t.Errorf("the newest three are %v", states)
		}
	})
}

// All open commands of a device reach it when it asks for them, in frames of the size that the protocol
// promises.
func TestManyLargeCommandsFitIntoFrames(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx := t.Context()
	ann := s.User("ann")
	f := newFan(t, s, ann)
	f.connect(t, s)
	can := domain.Capabilities{Actuators: []domain.Actuator{{Name: "show",
		Args: []domain.Arg{{Name: "a", Kind: domain.TextArg}, {Name: "b", Kind: domain.TextArg}}}}}
	must(t, f.Request(ctx, wire.TypeDescribe, wire.Describe{Capabilities: can}, nil))
	text := strings.Repeat("x", domain.MaxArgText)
	want := make(map[string]bool)
	for i := range domain.MaxOpenCommands {
		var given wire.Command
		must(t, ann.Do(ctx, "POST", "/devices/"+f.id+"/commands", map[string]any{"key": fmt.Sprint(i), "action": "show",
			"args": map[string]any{"a": text, "b": text}, "expires_in": 3600}, &given))
		next(t, f.told)
		want[given.ID] = true
	}
	var open wire.Commands
	must(t, f.Request(ctx, wire.TypeCommands, nil, &open))
	answer, err := json.Marshal(open)
	if err != nil || len(answer) > wire.MaxFrame {
		t.Errorf("the answer has %d bytes, %v", len(answer), err)
	}
	for _, c := range open.Commands {
		delete(want, c.ID)
	}
	for range len(want) {
		delete(want, next(t, f.told).ID)
	}
	if len(want) != 0 || len(f.told) != 0 {
		t.Errorf("%d commands did not come, and %d came too often", len(want), len(f.told))
	}
}

// Whoever gave a command in no room is told what became of it; who did that is recorded.
func TestTheOwnerIsToldOfACommandInNoRoom(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx := t.Context()
	ann := s.User("ann")
	f := newFan(t, s, ann)
	f.connect(t, s)
	states := make(chan wire.Command, 10)
	anns := ann.Live(ctx, client.LiveOptions{OnOther: func(typ string, data json.RawMessage) {
		var c wire.Command
		if typ == wire.TypeCommandState && json.Unmarshal(data, &c) == nil {
			states <- c
		}
	}})
	t.Cleanup(anns.Close)
	var given wire.Command
	must(t, anns.Request(ctx, wire.TypeCommand, wire.NewCommand{Device: f.id, Key: "k", Action: "reset", Confirm: true},
		&given))
	next(t, f.told)
	f.report(t, wire.CommandReport{ID: given.ID, State: "done"})
	for {
		if c := next(t, states); c.State == "done" {
			break
		}
	}
}
