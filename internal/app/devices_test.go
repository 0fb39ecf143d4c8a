package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

type issued struct {
	Device struct {
		ID       string     `json:"id"`
		Name     string     `json:"name"`
		LastUsed *time.Time `json:"last_used"`
		LastIP   string     `json:"last_ip"`
		Keys     []struct {
			ID      string     `json:"id"`
			Live    bool       `json:"live"`
			Expires *time.Time `json:"expires"`
		} `json:"keys"`
	} `json:"device"`
	KeyID string `json:"key_id"`
	Key   string `json:"key"`
}

func registerDevice(t *testing.T, owner *client.Client, name string) issued {
	t.Helper()
	var out issued
	if err := owner.Do(t.Context(), "POST", "/devices", map[string]any{"name": name}, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// connectDevice returns a device's connection, which is there, and a channel of
// what it ends with.
func connectDevice(t *testing.T, s *live.Server, key string, o client.LiveOptions) (*client.Live, <-chan error) {
	t.Helper()
	ended := make(chan error, 100)
	o.OnState = func(st client.State, err error) {
		if st == client.Ended || st == client.Waiting {
			ended <- err
		}
	}
	c := client.New(s.URL)
	c.Device(key)
	l := c.Live(t.Context(), o)
	t.Cleanup(l.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return l, ended
}

func status(err error) int {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Status
	}
	var r *ws.Refused
	if errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// dial opens a WebSocket as any program might, and returns the status of the
// refusal, or 101.
func dial(t *testing.T, s *live.Server, h http.Header, protocols ...string) int {
	t.Helper()
	nc, _, err := ws.Dial(t.Context(), s.URL+"/ws", h, protocols, nil)
	if err != nil {
		if n := status(err); n != 0 {
			return n
		}
		t.Fatal(err)
	}
	_ = nc.Close()
	return http.StatusSwitchingProtocols
}

// A device takes part in its rooms like anybody else: it is a member under the
// permission matrix, hears what is said, and says something.
func TestDeviceTakesPart(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Greenhouse"})
		if err != nil {
			t.Fatal(err)
		}
		d := registerDevice(t, ann, "Thermometer")
		heard, joined := make(chan client.Event, 100), make(chan client.RoomState, 1)
		hello := make(chan client.Hello, 1)
		device, _ := connectDevice(t, s, d.Key, client.LiveOptions{
			OnEvent: func(e client.Event) { heard <- e }, OnJoined: func(r client.RoomState) { joined <- r },
			OnHello: func(h client.Hello) { hello <- h },
		})
		if h := next(t, hello); h.Me == nil || h.Me.ID != d.Device.ID || h.Me.Kind != "device" ||
			h.Me.DisplayName != "Thermometer" {
			t.Errorf("hello to %+v", h.Me)
		}
		if _, err := device.Send(ctx, client.Draft{Room: room.ID, Key: "k0", Text: "let me in"}); err == nil {
			t.Error("a device writes to a room that it is not in")
		}
		if err := ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": d.Device.ID}, nil); err != nil {
			t.Fatal(err)
		}
		if r := next(t, joined); r.ID != room.ID {
			t.Errorf("joined %+v", r)
		}
		if _, err := ann.Send(ctx, client.Draft{Room: room.ID, Key: "a1", Text: "how warm is it?"}); err != nil {
			t.Fatal(err)
		}
		if e := created(t, heard); e.Message.Text != "how warm is it?" {
			t.Errorf("heard %+v", e.Message)
		}
		sent, err := device.Send(ctx, client.Draft{Room: room.ID, Key: "k1", Text: "21.5 °C"})
		if err != nil {
			t.Fatal(err)
		}
		log, err := ann.Events(ctx, room.ID, sent.Seq-1, 10)
		if err != nil || len(log.Events) != 1 || log.Events[0].Message.Sender.Kind != "device" ||
			log.Events[0].Message.Sender.ID != d.Device.ID {
			t.Errorf("%+v, %v", log, err)
		}

		// The matrix holds for it: it may not delete what others wrote, nor write
		// while it is muted, nor stay when it is removed.
		if _, err := device.Delete(ctx, room.ID, sent.Seq-1); err == nil {
			t.Error("a plain device deletes another's message")
		}
		muted := map[string]any{"muted_until": time.Now().Add(time.Hour)}
		if err := ann.Do(ctx, "PATCH", "/rooms/"+room.ID+"/members/"+d.Device.ID, muted, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := device.Send(ctx, client.Draft{Room: room.ID, Key: "k2", Text: "22 °C"}); err == nil {
			t.Error("a muted device writes")
		}
		if err := ann.Do(ctx, "DELETE", "/rooms/"+room.ID+"/members/"+d.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := device.Send(ctx, client.Draft{Room: room.ID, Key: "k3", Text: "22 °C"}); err == nil {
			t.Error("a device writes to a room that it was removed from")
		}

		// When it was last there is kept, soon after.
		var seen issued
		if err := ann.Do(ctx, "GET", "/devices/"+d.Device.ID, nil, &seen.Device); err != nil || len(seen.Device.Keys) != 1 ||
			!seen.Device.Keys[0].Live {
			t.Errorf("%+v, %v", seen.Device, err)
		}
	})
}

// An administrator sees everybody's devices and revokes them, and cannot act as
// one or for its owner: keys are their owners' to make, and commands to withdraw.
func TestAdministratorsAndDevices(t *testing.T) {
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ctx := t.Context()
		ann, root := s.User("ann"), s.User("rita")
		d := registerDevice(t, ann, "Door")
		me, err := root.Me(ctx)
		if err != nil {
			t.Fatal(err)
		}
		tool := s.Store
		tool.Tool = true
		if _, err := testkit.Open(t, tool).Accounts.SetUserRole(ctx, me.ID, "admin"); err != nil {
			t.Fatal(err)
		}
		root = client.New(s.URL)
		if err := root.SignIn(ctx, "rita", live.Password); err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []struct {
				ID    string `json:"id"`
				Owner struct {
					Username string `json:"username"`
				} `json:"owner"`
				Notes string `json:"notes"`
			} `json:"items"`
			Next string `json:"next"`
		}
		registerDevice(t, ann, "Window")
		must(t, ann.Do(ctx, "PATCH", "/devices/"+d.Device.ID, map[string]any{"notes": "the owner's alone"}, nil))
		if err := root.Do(ctx, "GET", "/devices?all=true&limit=1", nil, &page); err != nil || len(page.Items) != 1 ||
			page.Items[0].Owner.Username != "ann" || page.Items[0].Notes != "" || page.Next == "" {
			t.Fatalf("%+v, %v", page, err)
		}
		first := page.Items[0].ID
		if err := root.Do(ctx, "GET", "/devices?all=true&limit=1&cursor="+page.Next, nil, &page); err != nil ||
			len(page.Items) != 1 || page.Items[0].ID == first {
			t.Errorf("second page: %+v, %v", page, err)
		}
		if err := root.Do(ctx, "GET", "/devices", nil, &page); err != nil || len(page.Items) != 0 {
			t.Errorf("an administrator's own: %+v, %v", page, err)
		}
		at := "/devices/" + d.Device.ID
		for _, tt := range []struct {
			method, path string
			body         any
			want         int
		}{
			{"GET", at, nil, 0},
			{"PATCH", at, map[string]string{"name": "mine"}, 404},
			{"POST", at + "/keys", map[string]any{}, 404},
			{"DELETE", at + "/keys/nothing", nil, 404},
			{"DELETE", at + "/keys/" + d.KeyID, nil, 0},
			{"DELETE", at, nil, 0},
			{"DELETE", at, nil, 0},
		} {
			if err := root.Do(ctx, tt.method, tt.path, tt.body, nil); status(err) != tt.want {
				t.Errorf("%s %s: %v, want %d", tt.method, tt.path, err, tt.want)
			}
		}
		if dial(t, s, nil, "device", d.Key) != 401 {
			t.Error("a revoked device comes back")
		}
		f := newFan(t, s, ann)
		var given wire.Command
		must(t, ann.Do(ctx, "POST", "/devices/"+f.id+"/commands", map[string]any{"key": "k", "action": "fan",
			"args": map[string]any{"state": "on"}}, &given))
		if err := root.Do(ctx, "DELETE", "/devices/"+f.id+"/commands/"+given.ID, nil, nil); status(err) != 404 {
			t.Errorf("an administrator withdraws a command: %v", err)
		}
	})
}

func TestCHK_DV_03_ForeignDevicesDoNotExist(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, eve := s.User("ann"), s.User("eve")
		d := registerDevice(t, ann, "Door")
		at := "/devices/" + d.Device.ID
		later := time.Now().Add(time.Hour)
		for _, tt := range []struct {
			method, path string
			body         any
		}{
			{"GET", at, nil},
			{"PATCH", at, map[string]string{"name": "mine"}},
			{"DELETE", at, nil},
			{"POST", at + "/keys", map[string]any{"old_until": later}},
			{"DELETE", at + "/keys/" + d.KeyID, nil},
		} {
			if err := eve.Do(ctx, tt.method, tt.path, tt.body, nil); status(err) != 404 {
				t.Errorf("%s %s by another: %v", tt.method, tt.path, err)
			}
			none := strings.Replace(tt.path, d.Device.ID, "dev_00000000000000000000000000", 1)
			if err := eve.Do(ctx, tt.method, none, tt.body, nil); status(err) != 404 {
				t.Errorf("%s %s, which there is not: %v", tt.method, none, err)
			}
		}
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := eve.Do(ctx, "GET", "/devices", nil, &list); err != nil || len(list.Items) != 0 {
			t.Errorf("another's list: %s, %v", list.Items, err)
		}
		if err := eve.Do(ctx, "GET", "/devices?all=true", nil, nil); status(err) != 403 {
			t.Errorf("everybody's, by no administrator: %v", err)
		}
		room, err := eve.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Trap"})
		if err != nil {
			t.Fatal(err)
		}
		if err := eve.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": d.Device.ID},
			nil); status(err) != 404 {
			t.Errorf("another's device in eve's room: %v", err)
		}
		if dial(t, s, nil, "device", d.Key) != 101 {
			t.Error("the key does not work any more")
		}
	})
}

func TestDeviceLimits(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "RATE_LIMIT_DEVICE_REGISTER_PER_HOUR=3", "UNHIDRA_DEVICES_PER_USER=2")
	ann, bob := s.User("ann"), s.User("bob")
	for range 2 {
		registerDevice(t, ann, "Door")
	}
	err := ann.Do(t.Context(), "POST", "/devices", map[string]string{"name": "Door"}, nil)
	if status(err) != 409 {
		t.Errorf("a third device: %v", err)
	}
	err = ann.Do(t.Context(), "POST", "/devices", map[string]string{"name": "Door"}, nil)
	if status(err) != 429 {
		t.Errorf("a fourth attempt: %v", err)
	}
	registerDevice(t, bob, "Door")
}

// CHK-WS-03: behind https, nothing may come in the clear from elsewhere.
func TestCHK_WS_03_PlainSocketsAreRefusedBehindHTTPS(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_PUBLIC_URL=https://chat.example.org",
		"UNHIDRA_TRUSTED_PROXIES=127.0.0.1")
	s.URL = "http://" + s.Public // past the proxy that there is none of
	d := registerDevice(t, s.User("ann"), "Door")
	for proto, want := range map[string]int{"": 101, "https": 101, "http": 403} {
		h := http.Header{}
		if proto != "" {
			h.Set("X-Forwarded-Proto", proto)
		}
		if got := dial(t, s, h, "device", d.Key); got != want {
			t.Errorf("X-Forwarded-Proto %q: %d, want %d", proto, got, want)
		}
	}
}
