package app_test

import (
	"slices"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// administrator returns somebody who administers the server.
func administrator(t *testing.T, s *live.Server) *client.Client {
	t.Helper()
	s.User("rita")
	admin(t, s.Store, "rita")
	root := client.New(s.URL)
	must(t, root.SignIn(t.Context(), "rita", live.Password))
	return root
}

// An administrator sees which devices there are, and not what they measure, are told or are set to.
func TestAdministratorsSeeTheRegistryOfDevicesAlone(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, root := s.User("ann"), administrator(t, s)
		f := newFan(t, s, ann)
		f.connect(t, s)
		must(t, f.Request(ctx, "report", map[string]any{"readings": map[string]any{"temperature": 21}}, nil))
		at := "/devices/" + f.id
		measured := []string{"/series", "/readings", "/readings/export", "/alarms", "/alarm-rules", "/maintenance",
			"/commands", "/settings"}
		for _, path := range []string{"", "/connections", "/log"} {
			must(t, root.Do(ctx, "GET", at+path, nil, nil))
		}
		for _, path := range measured {
			if err := root.Do(ctx, "GET", at+path, nil, nil); status(err) != 404 {
				t.Errorf("GET %s: %v, want 404", path, err)
			}
		}
		command := map[string]any{"key": "k", "action": "fan", "args": map[string]any{"state": "on"}}
		if err := root.Do(ctx, "POST", at+"/commands", command, nil); status(err) != 404 {
			t.Errorf("an administrator commands the device: %v", err)
		}
		person := root.Live(ctx, client.LiveOptions{})
		t.Cleanup(person.Close)
		var w wire.WatchedReadings
		must(t, person.Request(ctx, "watch_readings", wire.WatchReadings{Devices: []string{f.id}}, &w))
		if len(w.Devices) != 0 {
			t.Errorf("an administrator watches %+v", w)
		}
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, root, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))
		for _, path := range measured[:len(measured)-1] {
			if path == "/readings/export" {
				continue // no JSON
			}
			if err := root.Do(ctx, "GET", at+path, nil, nil); err != nil {
				t.Errorf("GET %s by a member of the device's room: %v", path, err)
			}
		}
	})
}

// Readings are deleted by the owner of the device alone, and the audit log has it.
func TestOnlyTheOwnerDeletesReadings(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, root := s.User("ann"), administrator(t, s)
		f := newFan(t, s, ann)
		f.connect(t, s)
		must(t, f.Request(ctx, "report", map[string]any{"readings": map[string]any{"temperature": 21}}, nil))
		at := "/devices/" + f.id
		var have struct{ Series []struct{ Name string } }
		if err := root.Do(ctx, "DELETE", at+"/readings", nil, nil); status(err) != 404 {
			t.Errorf("an administrator deletes readings: %v", err)
		}
		must(t, ann.Do(ctx, "GET", at+"/series", nil, &have))
		if len(have.Series) != 1 {
			t.Errorf("%+v is left of them", have)
		}
		must(t, ann.Do(ctx, "DELETE", at+"/readings", nil, nil))
		wait(t, func() bool {
			var page struct {
				Records []struct {
					Target string `json:"target_id"`
				}
			}
			must(t, root.Do(ctx, "GET", "/admin/audit?type="+string(domain.AuditDeviceReadings), nil, &page))
			return len(page.Records) == 1 && page.Records[0].Target == f.id
		})
	})
}

// The name of a device is told to its owner, to who shares a room with it, and to administrators.
func TestStrangersDoNotLearnTheNameOfADevice(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, eve, root := s.User("ann"), s.User("bob"), s.User("eve"), administrator(t, s)
		id := registerDevice(t, ann, "Bedroom").Device.ID
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": id}, nil))
		for _, c := range []struct {
			name string
			who  *client.Client
			sees bool
		}{{"its owner", ann, true}, {"a member of its room", bob, true}, {"an administrator", root, true},
			{"a stranger", eve, false}} {
			want, items := 404, 0
			if c.sees {
				want, items = 0, 1
			}
			if err := c.who.Do(ctx, "GET", "/users/"+id, nil, nil); status(err) != want {
				t.Errorf("%s: %v, want %d", c.name, err, want)
			}
			var page struct{ Items []wire.Profile }
			must(t, c.who.Do(ctx, "GET", "/users?ids="+id, nil, &page))
			if len(page.Items) != items {
				t.Errorf("%s: %+v", c.name, page)
			}
		}
		lair, err := eve.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Lair"})
		must(t, err)
		ban := func(who *client.Client, room string) error {
			return who.Do(ctx, "PUT", "/rooms/"+room+"/bans/"+id, map[string]any{}, nil)
		}
		if err := ban(eve, lair.ID); codeOf(err) != client.CodeNoUser {
			t.Errorf("a stranger bans it, and has its name in the answer: %v", err)
		}
		must(t, ban(ann, room.ID))
	})
}

// A member of a room learns of the rules and alarms of a device there, and of no other room.
func TestRulesAndAlarmsNameNoForeignRoom(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		f := newFan(t, s, ann)
		f.connect(t, s)
		var ids []string
		for _, name := range []string{"Garden", "Office"} {
			room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: name})
			must(t, err)
			must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))
			ids = append(ids, room.ID)
		}
		garden, office := ids[0], ids[1]
		joins(t, ann, bob, garden)
		me, err := ann.Me(ctx)
		must(t, err)
		at := "/devices/" + f.id + "/alarm-rules"
		for _, r := range []map[string]any{
			{"name": "Nowhere"},
			{"name": "Office", "room": office, "escalate": map[string]any{"after": 60, "user": me.ID}},
			{"name": "Up", "room": office, "escalate": map[string]any{"after": 60, "room": garden}},
			{"name": "Garden", "room": garden, "escalate": map[string]any{"after": 60, "room": office, "user": me.ID}},
		} {
			r["kind"], r["sensor"], r["above"] = "threshold", "temperature", 30
			must(t, ann.Do(ctx, "POST", at, r, nil))
		}
		var rules struct {
			Items []struct {
				Name, Room string
				Escalate   struct{ Room, User string }
			}
		}
		must(t, bob.Do(ctx, "GET", at, nil, &rules))
		var names []string
		for _, r := range rules.Items {
			names = append(names, r.Name)
			if r.Room == office || r.Escalate.Room == office || r.Escalate.User != "" {
				t.Errorf("bob sees %+v", r)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, []string{"Garden", "Up"}) {
			t.Errorf("bob sees the rules %v", names)
		}
		if must(t, ann.Do(ctx, "GET", at, nil, &rules)); len(rules.Items) != 4 {
			t.Errorf("the owner sees %+v", rules)
		}
	})
}
