package app_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

type described struct {
	ID           string               `json:"id"`
	Keys         []json.RawMessage    `json:"keys"`
	LastIP       string               `json:"last_ip"`
	Capabilities *domain.Capabilities `json:"capabilities"`
	DescribedAt  time.Time            `json:"described_at"`
}

// What a device says about itself is shown to its owner and to those who are in a room with
// it, and to nobody else; only its owner sees its keys.
func TestADeviceSaysWhatItIs(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		d := registerDevice(t, ann, "Greenhouse")
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{})
		at := "/devices/" + d.Device.ID
		var seen described
		if err := ann.Do(ctx, "GET", at, nil, &seen); err != nil || seen.Capabilities != nil {
			t.Fatalf("it has said nothing: %+v, %v", seen, err)
		}

		says := domain.Capabilities{Model: "GH-1", Heartbeat: 60,
			Sensors: []domain.Sensor{{Name: "temperature", Unit: "Cel", Kind: domain.NumberArg}}}
		if err := device.Request(ctx, "describe", map[string]any{"capabilities": says}, nil); err != nil {
			t.Fatal(err)
		}
		if err := ann.Do(ctx, "GET", at, nil, &seen); err != nil || seen.Capabilities == nil ||
			seen.Capabilities.Sensors[0] != says.Sensors[0] || seen.DescribedAt.IsZero() {
			t.Fatalf("%+v, %v", seen, err)
		}
		first := seen.DescribedAt
		if err := device.Request(ctx, "describe", map[string]any{"capabilities": says}, nil); err != nil {
			t.Fatal(err)
		}
		if err := ann.Do(ctx, "GET", at, nil, &seen); err != nil || !seen.DescribedAt.Equal(first) {
			t.Errorf("it said the same again at %v, and first at %v; %v", seen.DescribedAt, first, err)
		}

		says.Sensors[0].Name = "two words"
		var e *client.Error
		err := device.Request(ctx, "describe", map[string]any{"capabilities": says}, nil)
		if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Pointer != "/capabilities/sensors/0/name" {
			t.Errorf("%+v", e)
		}
		person := ann.Live(ctx, client.LiveOptions{})
		t.Cleanup(person.Close)
		err = person.Request(ctx, "describe", map[string]any{"capabilities": domain.Capabilities{}}, nil)
		if codeOf(err) != client.CodeDeviceOnly {
			t.Errorf("of a person: %v", err)
		}

		if err := bob.Do(ctx, "GET", at, nil, nil); status(err) != 404 {
			t.Errorf("to a stranger: %v", err)
		}
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		if err != nil {
			t.Fatal(err)
		}
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": d.Device.ID}, nil))
		seen = described{}
		if err := bob.Do(ctx, "GET", at, nil, &seen); err != nil || seen.Capabilities == nil ||
			seen.Capabilities.Model != "GH-1" || len(seen.Keys) != 0 || seen.LastIP != "" {
			t.Errorf("to a member of its room: %+v, %v", seen, err)
		}
	})
}

// joins has somebody join a room by the invitation of another.
func joins(t *testing.T, host, guest *client.Client, room string) {
	t.Helper()
	invite, err := host.Invite(t.Context(), room, 3600, 1)
	must(t, err)
	_, err = guest.Accept(t.Context(), invite.Code)
	must(t, err)
}
