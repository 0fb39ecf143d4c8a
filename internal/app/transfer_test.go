package app_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

type owned struct {
	ID       string
	Notes    string
	Tags     []string
	Owner    struct{ Username string }
	KeyKnown bool `json:"key_known"`
}

// A device that is offered and accepted belongs to the other: it stays in their rooms, leaves those of its former
// owner, comes back by itself with its key, and what its former owner has said of it is forgotten.
func TestADeviceChangesHands(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		f := newFan(t, s, ann)
		shared, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, shared.ID)
		private, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "House"})
		must(t, err)
		for _, room := range []string{shared.ID, private.ID} {
			must(t, ann.Do(ctx, "POST", "/rooms/"+room+"/members", map[string]string{"user": f.id}, nil))
			must(t, ann.Do(ctx, "POST", "/devices/"+f.id+"/alarm-rules", map[string]any{"name": room, "kind": "absence",
				"for": 3600, "room": room}, nil))
		}
		said := map[string]any{"notes": "in my cellar", "tags": []string{"cellar"}}
		must(t, ann.Do(ctx, "PATCH", "/devices/"+f.id, said, nil))
		must(t, ann.Do(ctx, "PUT", "/device-groups/fans", map[string]any{"devices": []string{f.id}}, nil))
		var open wire.Command
		must(t, ann.Do(ctx, "POST", "/devices/"+f.id+"/commands", map[string]any{"key": "k", "action": "fan",
			"args": map[string]any{"state": "on"}, "expires_in": 3600}, &open))

		told := make(chan wire.DeviceTransfer, 10)
		bobs := bob.Live(ctx, client.LiveOptions{OnOther: follow(told)})
		t.Cleanup(bobs.Close)
		must(t, bobs.Request(ctx, wire.TypePing, nil, nil)) // it is connected
		at := "/devices/" + f.id + "/transfer"
		must(t, ann.Do(ctx, "POST", at, map[string]any{"user": "bob"}, nil))
		if v := next(t, told); v.State != "offered" || v.From.Username != "ann" || v.Name != "Greenhouse" {
			t.Errorf("bob is told %+v", v)
		}
		f.connect(t, s)
		next(t, f.told)
		must(t, bob.Do(ctx, "POST", at+"/accept", nil, nil))
		if v := next(t, told); v.State != "done" {
			t.Errorf("bob is told %+v", v)
		}

		var got owned
		must(t, bob.Do(ctx, "GET", "/devices/"+f.id, nil, &got))
		if got.Owner.Username != "bob" || got.Notes != "" || len(got.Tags) != 0 || !got.KeyKnown {
			t.Errorf("bob has %+v", got)
		}
		err = ann.Do(ctx, "PATCH", "/devices/"+f.id, map[string]any{"notes": "mine"}, nil)
		if codeOf(err) != domain.CodeNoDevice {
			t.Errorf("ann changes it still: %v", err)
		}
		var rooms struct{ Items []struct{ ID string } }
		must(t, ann.Do(ctx, "GET", "/rooms/"+private.ID+"/devices", nil, &rooms))
		if len(rooms.Items) != 0 {
			t.Error("it is in the room of its former owner")
		}
		must(t, bob.Do(ctx, "GET", "/rooms/"+shared.ID+"/devices", nil, &rooms))
		if len(rooms.Items) != 1 {
			t.Error("it has left a room of its new owner")
		}
		var rules struct{ Items []struct{ Name, Room string } }
		must(t, bob.Do(ctx, "GET", "/devices/"+f.id+"/alarm-rules", nil, &rules))
		for _, r := range rules.Items {
			if want := map[string]string{shared.ID: shared.ID, private.ID: ""}[r.Name]; r.Room != want {
				t.Errorf("the rule for %s posts to %q", r.Name, r.Room)
			}
		}
		if state := f.state(t, bob, open.ID); state != "cancelled" {
			t.Errorf("its open command is %s", state)
		}
		var groups struct{ Items []struct{ Devices int } }
		must(t, ann.Do(ctx, "GET", "/device-groups", nil, &groups))
		if groups.Items[0].Devices != 0 {
			t.Error("it is in a group of its former owner")
		}
		// It comes back by itself, and obeys its new owner.
		must(t, bob.Do(ctx, "POST", "/devices/"+f.id+"/commands", map[string]any{"key": "k", "action": "fan",
			"args": map[string]any{"state": "off"}, "expires_in": 3600}, nil))
		if c := next(t, f.told); c.By.Username != "bob" {
			t.Errorf("it is told %+v", c)
		}
	})
}

// follow passes on what is told of transfers.
func follow(told chan<- wire.DeviceTransfer) func(string, json.RawMessage) {
	return func(typ string, data json.RawMessage) {
		var v wire.DeviceTransfer
		if typ == wire.TypeDeviceTransfer && json.Unmarshal(data, &v) == nil {
			told <- v
		}
	}
}

// An offer ends when it is withdrawn, declined, replaced, or when the device is revoked; only whom it is for accepts
// it.
func TestAnOfferOfADeviceEnds(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		id := registerDevice(t, ann, "Greenhouse").Device.ID
		at := "/devices/" + id + "/transfer"
		offer := func(to string) { t.Helper(); must(t, ann.Do(ctx, "POST", at, map[string]any{"user": to}, nil)) }
		gone := func(what string, by *client.Client) {
			t.Helper()
			if err := by.Do(ctx, "POST", at+"/accept", nil, nil); codeOf(err) != domain.CodeNoTransfer {
				t.Errorf("%s: %v", what, err)
			}
		}
		waiting := func(c *client.Client) int {
			t.Helper()
			var list struct{ Items []wire.DeviceTransfer }
			must(t, c.Do(ctx, "GET", "/device-transfers", nil, &list))
			return len(list.Items)
		}
		offer("bob")
		gone("for somebody else", eve)
		gone("by its owner", ann)
		if waiting(bob) != 1 || waiting(ann) != 1 || waiting(eve) != 0 {
			t.Error("not both sides see the offer")
		}
		must(t, ann.Do(ctx, "DELETE", at, nil, nil))
		gone("withdrawn", bob)
		offer("bob")
		must(t, bob.Do(ctx, "DELETE", at, nil, nil))
		gone("declined", bob)
		offer("bob")
		offer("eve")
		gone("replaced", bob)
		must(t, ann.Do(ctx, "DELETE", "/devices/"+id, nil, nil))
		gone("revoked", eve)
		for to, code := range map[string]domain.Code{"ann": domain.CodeInvalidField, "nobody": domain.CodeInvalidField} {
			d := registerDevice(t, ann, "Another").Device.ID
			if err := ann.Do(ctx, "POST", "/devices/"+d+"/transfer", map[string]any{"user": to}, nil); codeOf(err) != code {
				t.Errorf("to %s: %v", to, err)
			}
		}
		err := ann.Do(ctx, "POST", at, map[string]any{"user": "bob", "now": true}, nil)
		if codeOf(err) != domain.CodeNotAdmin {
			t.Errorf("moved by its owner: %v", err)
		}
	})
}

// An administrator moves a device without asking.
func TestAnAdministratorMovesADevice(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, rita := s.User("ann"), s.User("bob"), administrator(t, s)
		id := registerDevice(t, ann, "Greenhouse").Device.ID
		must(t, rita.Do(ctx, "POST", "/devices/"+id+"/transfer", map[string]any{"user": "bob", "now": true}, nil))
		var list struct{ Items []owned }
		must(t, bob.Do(ctx, "GET", "/devices", nil, &list))
		if !slices.ContainsFunc(list.Items, func(d owned) bool { return d.ID == id }) {
			t.Errorf("bob has %+v", list.Items)
		}
	})
}
