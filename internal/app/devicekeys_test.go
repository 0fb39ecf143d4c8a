package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

func TestCHK_DV_01_KeyIsShownOnceAndOpensASocket(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d := registerDevice(t, ann, "Door")
		if !strings.HasPrefix(d.Key, "dk_"+d.KeyID+"_") || len(d.Key) != 52 {
			t.Errorf("key %q, id %q", d.Key, d.KeyID)
		}
		for _, path := range []string{"/devices", "/devices/" + d.Device.ID} {
			var raw json.RawMessage
			if err := ann.Do(t.Context(), "GET", path, nil, &raw); err != nil || strings.Contains(string(raw), d.Key[14:46]) {
				t.Errorf("%s shows the key, or fails: %s, %v", path, raw, err)
			}
		}
		header := func(v string) http.Header { return http.Header{"Authorization": {"Bearer " + v}} }
		broken := d.Key[:20] + flip(d.Key[20]) + d.Key[21:]
		for _, tt := range []struct {
			name      string
			h         http.Header
			protocols []string
			want      int
		}{
			{"after device", nil, []string{"device", d.Key}, 101},
			{"after bearer", nil, []string{"bearer", d.Key}, 101},
			{"in the header", header(d.Key), nil, 101},
			{"in the header, with a subprotocol", header(d.Key), []string{"device"}, 101},
			{"an access token as a device key", nil, []string{"device", ann.Tokens().Access}, 401},
			{"an access token in the header alone", header(ann.Tokens().Access), nil, 401},
			{"one character changed", nil, []string{"device", broken}, 401},
			{"cut short", nil, []string{"device", d.Key[:51]}, 401},
			{"the prefix alone", nil, []string{"device", "dk_"}, 401},
			{"from another site's page", http.Header{"Origin": {"https://evil.example"}}, []string{"device", d.Key}, 403},
		} {
			if got := dial(t, s, tt.h, tt.protocols...); got != tt.want {
				t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
			}
		}
	})
}

func flip(c byte) string {
	if c == 'x' {
		return "y"
	}
	return "x"
}

// CHK-WS-02: neither keys nor tokens are in any log, at the finest level.
func TestCHK_WS_02_KeysAreNotLogged(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	s := live.StartLogged(t, testkit.SQLite(t),
		slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	ann := s.User("ann")
	d := registerDevice(t, ann, "Door")
	broken := d.Key[:20] + flip(d.Key[20]) + d.Key[21:]
	for _, key := range []string{d.Key, broken} {
		dial(t, s, nil, "device", key)
		dial(t, s, http.Header{"Authorization": {"Bearer " + key}})
	}
	s.Stop()
	for _, secret := range []string{d.Key[14:46], broken[14:46], ann.Tokens().Access} {
		if strings.Contains(logged.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
	for _, what := range []string{"device.connect", "device.disconnect", "device.auth_failed", d.KeyID} {
		if !strings.Contains(logged.String(), what) {
			t.Errorf("the log does not have %s", what)
		}
	}
}

// ends waits for a connection that is closed for good, and returns how long it
// took.
func ends(t *testing.T, ended <-chan error, since time.Time) {
	t.Helper()
	if err := next(t, ended); err == nil || !strings.Contains(err.Error(), "4410") {
		t.Errorf("it ends with %v", err)
	}
	if took := time.Since(since); took > 2*time.Second+busy {
		t.Errorf("it ended after %v", took)
	}
}

func TestCHK_DV_02_RevocationClosesSockets(t *testing.T) {
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ctx := t.Context()
		ann := s.User("ann")
		d, other := registerDevice(t, ann, "Door"), registerDevice(t, ann, "Window")
		_, ended := connectDevice(t, s, d.Key, client.LiveOptions{})
		stays, _ := connectDevice(t, s, other.Key, client.LiveOptions{})

		begin := time.Now()
		if err := ann.Do(ctx, "DELETE", "/devices/"+d.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		ends(t, ended, begin)
		if dial(t, s, nil, "device", d.Key) != 401 {
			t.Error("a revoked device comes back")
		}
		if stays.State() != client.Online {
			t.Error("another device of the same owner is closed as well")
		}

		// Another process, which has no bus to tell by: the poll finds it.
		tool := s.Store
		tool.Tool = true
		db := testkit.Open(t, tool)
		d = registerDevice(t, ann, "Gate")
		_, ended = connectDevice(t, s, d.Key, client.LiveOptions{})
		begin = time.Now()
		if err := db.Devices.RevokeDeviceKey(ctx, d.Device.ID, d.KeyID, "revoked", time.Now()); err != nil {
			t.Fatal(err)
		}
		ends(t, ended, begin)

		// An owner who is kept out has no eyes and ears left.
		me, err := ann.Me(ctx)
		if err != nil {
			t.Fatal(err)
		}
		d = registerDevice(t, ann, "Camera")
		_, ended = connectDevice(t, s, d.Key, client.LiveOptions{})
		begin = time.Now()
		if _, err := db.Accounts.SetUserDisabled(ctx, me.ID, true, time.Now()); err != nil {
			t.Fatal(err)
		}
		ends(t, ended, begin)
		if dial(t, s, nil, "device", d.Key) != 401 {
			t.Error("the device of someone who is disabled comes back")
		}
	})
}

func TestCHK_DV_04_KeysRotateWithAnOverlap(t *testing.T) {
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		first := registerDevice(t, ann, "Door")
		at := "/devices/" + first.Device.ID
		_, ended := connectDevice(t, s, first.Key, client.LiveOptions{})
		var second issued
		if err := ann.Do(ctx, "POST", at+"/keys", map[string]any{}, &second); err != nil {
			t.Fatal(err)
		}
		if k := second.Device.Keys; len(k) != 2 || !k[0].Live || !k[1].Live || k[1].Expires == nil ||
			time.Until(*k[1].Expires).Round(time.Hour) != 24*time.Hour {
			t.Errorf("keys: %+v", k)
		}
		for _, key := range []string{first.Key, second.Key} {
			if dial(t, s, nil, "device", key) != 101 {
				t.Errorf("%s… is not good during the overlap", key[:13])
			}
		}
		_, stays := connectDevice(t, s, second.Key, client.LiveOptions{})

		// The old key ends by itself, and its connections with it.
		var third issued
		if err := ann.Do(ctx, "POST", at+"/keys", map[string]any{"old_until": time.Now().Add(-time.Second)},
			&third); err != nil {
			t.Fatal(err)
		}
		if err := next(t, ended); !strings.Contains(fmt.Sprint(err), "4410") {
			t.Errorf("the first key's connection ends with %v", err)
		}
		if err := next(t, stays); !strings.Contains(fmt.Sprint(err), "4410") {
			t.Errorf("the second key's connection ends with %v", err)
		}
		for key, want := range map[string]int{first.Key: 401, second.Key: 401, third.Key: 101} {
			if got := dial(t, s, nil, "device", key); got != want {
				t.Errorf("%s…: %d, want %d", key[:13], got, want)
			}
		}
		if err := ann.Do(ctx, "POST", at+"/keys", map[string]any{"old_until": time.Now().Add(31 * 24 * time.Hour)},
			nil); status(err) != 400 {
			t.Errorf("an overlap of 31 days: %v", err)
		}
	})
}

func TestDevicesExpire(t *testing.T) {
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		d := registerDevice(t, ann, "Guest badge")
		_, ended := connectDevice(t, s, d.Key, client.LiveOptions{})
		soon := time.Now().Add(500 * time.Millisecond)
		if err := ann.Do(ctx, "PATCH", "/devices/"+d.Device.ID, map[string]any{"name": "Old badge", "expires": soon},
			&d.Device); err != nil || d.Device.Name != "Old badge" {
			t.Fatalf("%+v, %v", d.Device, err)
		}
		ends(t, ended, soon)
		if dial(t, s, nil, "device", d.Key) != 401 {
			t.Error("an expired device comes back")
		}
		if err := ann.Do(ctx, "PATCH", "/devices/"+d.Device.ID, map[string]any{"endless": true}, nil); err != nil {
			t.Fatal(err)
		}
		if dial(t, s, nil, "device", d.Key) != 101 {
			t.Error("a device whose end was taken away stays out")
		}
		for _, bad := range []map[string]any{{"name": ""}, {"name": "a\nb"}, {"name": strings.Repeat("x", 65)},
			{"expires": time.Now().Add(-time.Hour)}, {"owner": "eve"}} {
			if err := ann.Do(ctx, "PATCH", "/devices/"+d.Device.ID, bad, nil); status(err) != 400 {
				t.Errorf("%v: %v", bad, err)
			}
			if err := ann.Do(ctx, "POST", "/devices", bad, nil); status(err) != 400 {
				t.Errorf("register %v: %v", bad, err)
			}
		}
	})
}
