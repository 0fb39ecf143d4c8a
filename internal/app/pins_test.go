package app_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Members pin messages and replies in threads; all hear of it, wherever they are connected, and find the same
// list. Whoever may not pin, or may not read the room, is refused, and so is what is no message of the room.
func TestPeoplePin(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
		must(t, err)
		must(t, ann.Add(ctx, room.ID, id(t, bob)))
		agenda, err := bob.Send(ctx, client.Draft{Room: room.ID, Text: "agenda"})
		must(t, err)
		reply, err := bob.Send(ctx, client.Draft{Room: room.ID, Text: "and cake", Thread: agenda.Seq})
		must(t, err)
		_, events := hears(t, bob)

		for _, do := range []struct {
			change func() (client.PinChanged, error)
			what   string
			of     int64
		}{
			{func() (client.PinChanged, error) { return ann.Pin(ctx, room.ID, agenda.Seq) }, "message.pinned", agenda.Seq},
			{func() (client.PinChanged, error) { return ann.Pin(ctx, room.ID, reply.Seq) }, "message.pinned", reply.Seq},
			{func() (client.PinChanged, error) { return ann.Unpin(ctx, room.ID, agenda.Seq) }, "message.unpinned", agenda.Seq},
			{func() (client.PinChanged, error) { return ann.Pin(ctx, room.ID, agenda.Seq) }, "message.pinned", agenda.Seq},
		} {
			done, err := do.change()
			must(t, err)
			e := next(t, events)
			if e.Type != do.what || e.Seq != done.Seq || e.Actor.ID != id(t, ann) || e.Message != nil ||
				e.Detail == nil || e.Detail.Of != do.of {
				t.Errorf("the answer has %d, the event is %+v", done.Seq, e)
			}
			if again, err := do.change(); err != nil || again.Seq != 0 {
				t.Errorf("again: %+v, %v", again, err)
			}
		}
		isPinned(t, bob, room.ID, agenda.Seq, reply.Seq)
		refusedPins(t, s, room.ID, agenda.Seq, map[string]*client.Client{"ann": ann, "bob": bob, "eve": eve})

		must(t, bob.Do(ctx, "PATCH", messagePath(room.ID, agenda.Seq), map[string]string{"text": "agenda: cake"}, nil))
		pins, err := bob.Pins(ctx, room.ID)
		if err != nil || pins[0].Message.Text != "agenda: cake" || pins[1].Message.Thread != agenda.Seq {
			t.Errorf("pinned are %+v, %v", pins, err)
		}
		must(t, bob.Do(ctx, "DELETE", messagePath(room.ID, agenda.Seq), nil, nil))
		isPinned(t, bob, room.ID, reply.Seq)
	})
}

func messagePath(room string, seq int64) string {
	return fmt.Sprint("/rooms/", room, "/messages/", seq)
}

// isPinned says what c finds pinned, the latest first.
func isPinned(t *testing.T, c *client.Client, room string, want ...int64) {
	t.Helper()
	pins, err := c.Pins(t.Context(), room)
	must(t, err)
	got := make([]int64, len(pins))
	for i, p := range pins {
		got[i] = p.Message.Seq
	}
	if !slices.Equal(got, want) {
		t.Errorf("pinned are %v, not %v", got, want)
	}
}

func refusedPins(t *testing.T, s *live.Server, room string, seq int64, people map[string]*client.Client) {
	t.Helper()
	ctx := t.Context()
	ann, bob, eve := people["ann"], people["bob"], people["eve"]
	other, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Coffee"})
	must(t, err)
	theirs, err := ann.Send(ctx, client.Draft{Room: other.ID, Text: "beans"})
	must(t, err)
	gone, err := ann.Send(ctx, client.Draft{Room: room, Text: "a slip"})
	must(t, err)
	must(t, ann.Do(ctx, "DELETE", messagePath(room, gone.Seq), nil, nil))
	var made issued
	must(t, ann.Do(ctx, "POST", "/devices", map[string]any{"name": "Kettle"}, &made))
	must(t, ann.Add(ctx, room, made.Device.ID))
	kettle := client.New(s.URL)
	kettle.Device(made.Key)
	kettles := kettle.Live(ctx, client.LiveOptions{})
	t.Cleanup(kettles.Close)
	boiled, err := kettles.Send(ctx, client.Draft{Room: room, Text: "it boils"})
	must(t, err)
	if _, err := ann.Pin(ctx, room, boiled.Seq); err != nil {
		t.Errorf("what a device said is not pinned: %v", err)
	}
	if _, err := ann.Unpin(ctx, room, boiled.Seq); err != nil {
		t.Error(err)
	}
	pin := func(c *client.Client, seq int64) error { _, err := c.Pin(ctx, room, seq); return err }
	_, reads := eve.Pins(ctx, room)
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"an outsider pins":            {pin(eve, seq), client.CodeNoRoom},
		"an outsider reads":           {reads, client.CodeNoRoom},
		"a deleted message":           {pin(ann, gone.Seq), client.CodeMessageDeleted},
		"a number of another room":    {pin(ann, theirs.Seq+1000), client.CodeNoMessage},
		"an event that is no message": {pin(ann, 1), client.CodeNoMessage},
	} {
		var e *client.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
	for _, change := range []func(context.Context, string, int64) (client.PinChanged, error){bob.Unpin, bob.Pin} {
		if done, err := change(ctx, room, seq); err != nil || done.Seq == 0 {
			t.Errorf("a plain member: %+v, %v", done, err)
		}
	}
}
