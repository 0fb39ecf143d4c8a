package app_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// Devices are found by what their owner and they themselves say about them; a suspended one is out
// until it may come back, and its past connections are listed with the reason of their end.
func TestTheRegistryOfDevices(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		door := registerDevice(t, ann, "Front door")
		var shed issued
		must(t, ann.Do(ctx, "POST", "/devices", map[string]any{"name": "Shed", "type": "thermometer",
			"tags": []string{"garden", "cold", "garden"}, "notes": "behind the rake"}, &shed))
		at := "/devices/" + shed.Device.ID
		device, ended := connectDevice(t, s, shed.Key, client.LiveOptions{})
		must(t, device.Request(ctx, wire.TypeDescribe, wire.Describe{Capabilities: domain.Capabilities{Serial: "SN-4711"}},
			nil))
		must(t, device.Request(ctx, wire.TypeBye, wire.Bye{Reason: "sleep", BackIn: 3600}, nil))
		find := func(query string) (names []string) {
			t.Helper()
			var page struct{ Items []struct{ Name string } }
			must(t, ann.Do(ctx, "GET", "/devices?"+query, nil, &page))
			for _, d := range page.Items {
				names = append(names, d.Name)
			}
			return names
		}
		for query, want := range map[string][]string{
			"": {"Front door", "Shed"}, "q=door": {"Front door"}, "q=sn-47": {"Shed"}, "q=therm": {"Shed"}, "q=100%25": nil,
			"tag=garden": {"Shed"}, "tag=gard": nil, "type=thermometer": {"Shed"}, "state=suspended": nil,
			"state=active": {"Front door", "Shed"},
		} {
			if got := find(query); !slices.Equal(got, want) {
				t.Errorf("%q finds %v, want %v", query, got, want)
			}
		}
		var seen struct {
			Tags      []string
			Notes     string
			Away      string
			AwayUntil time.Time `json:"away_until"`
		}
		must(t, ann.Do(ctx, "GET", at, nil, &seen))
		if !slices.Equal(seen.Tags, []string{"cold", "garden"}) || seen.Notes != "behind the rake" || seen.Away != "sleep" ||
			time.Until(seen.AwayUntil) < 50*time.Minute {
			t.Errorf("%+v", seen)
		}

		must(t, ann.Do(ctx, "PATCH", at, map[string]any{"suspended": true}, nil))
		next(t, ended)
		if got := find("state=suspended"); !slices.Equal(got, []string{"Shed"}) {
			t.Errorf("suspended are %v", got)
		}
		if code := dial(t, s, nil, "device", shed.Key); code != 401 {
			t.Errorf("a suspended device is answered %d", code)
		}
		if code := dial(t, s, nil, "device", door.Key); code != 101 {
			t.Errorf("another is answered %d", code)
		}
		must(t, ann.Do(ctx, "PATCH", at, map[string]any{"suspended": false}, nil))
		connectDevice(t, s, shed.Key, client.LiveOptions{})
		wait(t, func() bool {
			var past struct {
				Items []struct{ Key, Reason string }
			}
			must(t, ann.Do(ctx, "GET", at+"/connections", nil, &past))
			return len(past.Items) == 1 && past.Items[0].Reason == "revoked" && past.Items[0].Key == shed.KeyID
		})
	})
}

// What an owner notes about a device is shown to them alone, wherever the device is shown.
func TestNotesOnADeviceAreItsOwnersAlone(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		d := registerDevice(t, ann, "Shed").Device.ID
		must(t, ann.Do(ctx, "PATCH", "/devices/"+d, map[string]any{"notes": "the key is under the mat"}, nil))
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": d}, nil))
		type noted struct{ ID, Notes string }
		notes := func(who *client.Client) (list []string) {
			t.Helper()
			var one noted
			must(t, who.Do(ctx, "GET", "/devices/"+d, nil, &one))
			var inRoom struct{ Items []noted }
			must(t, who.Do(ctx, "GET", "/rooms/"+room.ID+"/devices", nil, &inRoom))
			for _, n := range append(inRoom.Items, one) {
				list = append(list, n.ID+n.Notes)
			}
			return list
		}
		if got := notes(bob); !slices.Equal(got, []string{d, d}) {
			t.Errorf("a member of its room reads %q", got)
		}
		if got := notes(ann); !slices.Equal(got, []string{d + "the key is under the mat", d + "the key is under the mat"}) {
			t.Errorf("the owner reads %q", got)
		}
	})
}
