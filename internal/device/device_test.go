package device

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// audit keeps what is recorded.
type audit struct {
	mu     sync.Mutex
	events []domain.AuditEvent
}

func (a *audit) Record(_ context.Context, e domain.AuditEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = append(a.events, e)
}

// said returns what was recorded, and forgets it.
func (a *audit) said() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		out = append(out, strings.Trim(fmt.Sprintf("%s %s %s", e.Type, e.Actor.Kind, e.Reason), " "))
	}
	a.events = nil
	return out
}

var here = netip.MustParseAddr("192.0.2.7")

// open returns the service on a store, with a user "ann".
func open(tb testing.TB, db *all.Store) (*Service, *audit) {
	tb.Helper()
	a := &audit{}
	s := New(Deps{Store: db.Devices, Groups: db.Groups, Templates: db.Templates, Bus: bus.NewLocal(),
		Log: testkit.Logger(tb), Audit: a,
		Pepper: bytes.Repeat([]byte{7}, 32)})
	user(tb, db, "ann")
	return s, a
}

func user(tb testing.TB, db *all.Store, name string) string {
	tb.Helper()
	u := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser, Username: name,
		DisplayName: name}
	if err := db.Accounts.CreateUser(tb.Context(), u, "", domain.Signup{}, time.Now()); err != nil {
		tb.Fatal(err)
	}
	return u.ID
}

func idOf(tb testing.TB, db *all.Store, name string) string {
	tb.Helper()
	u, err := db.Accounts.UserByUsername(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return u.ID
}

func TestCHK_DV_01_KeysAreCheckedBeforeTheStore(t *testing.T) {
	t.Parallel()
	s := New(Deps{Log: testkit.Logger(t), Pepper: make([]byte, 32)}) // asking the store would panic
	key, _ := newKey()
	for _, bad := range []string{"", "dk_", key[:51], key[:51] + "_", strings.ToLower(key), strings.Repeat("dk_", 100),
		key[:45] + "!" + key[46:]} {
		if _, err := s.AuthenticateDevice(t.Context(), bad, here); domain.KindOf(err) != domain.Unauthorized {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCHK_DV_01_OnlyAHashIsKept(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	db := testkit.Open(t, o)
	s, a := open(t, db)
	made, err := s.Register(t.Context(), idOf(t, db, "ann"), Registration{Name: "Door"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AuthenticateDevice(t.Context(), made.Key, here); err != nil {
		t.Fatal(err)
	}
	secret := []byte(made.Key[14:46])
	files, err := filepath.Glob(o.Path + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := false
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, secret) {
			t.Errorf("%s has the secret in it", filepath.Base(f))
		}
		found = found || bytes.Contains(b, []byte(made.KeyID))
	}
	if !found {
		t.Error("not even the key's id is in the files: the test looks in the wrong place")
	}
	b, err := json.Marshal(a.events)
	if err != nil || bytes.Contains(b, secret) {
		t.Errorf("the audit log has the secret: %s, %v", b, err)
	}

	// Another pepper, as of another server, knows no key.
	other := New(Deps{Store: db.Devices, Log: testkit.Logger(t), Pepper: bytes.Repeat([]byte{8}, 32)})
	if _, err := other.AuthenticateDevice(t.Context(), made.Key, here); domain.KindOf(err) != domain.Unauthorized {
		t.Errorf("under another pepper: %v", err)
	}
}

func TestEverythingIsRecorded(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s, a := open(t, db)
		ctx, ann := t.Context(), idOf(t, db, "ann")
		want := func(events ...string) {
			t.Helper()
			if got := a.said(); !slices.Equal(got, events) {
				t.Errorf("recorded %q, want %q", got, events)
			}
		}
		refused := func(key string, resting bool) {
			t.Helper()
			_, err := s.AuthenticateDevice(ctx, key, here)
			if domain.CodeOf(err) != domain.CodeBadDeviceKey || errors.Is(err, domain.ErrKeyResting) != resting {
				t.Errorf("%v; want one that may open again: %v", err, resting)
			}
		}
		made, err := s.Register(ctx, ann, Registration{Name: "Door"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.AuthenticateDevice(ctx, made.Key, here)
		if err != nil || p.ID != made.Device.ID || p.Kind != domain.KindDevice || p.Owner != ann || p.Key != made.KeyID ||
			p.IsAdmin() {
			t.Fatalf("%+v, %v", p, err)
		}
		s.DeviceConnected(ctx, "conn_1", p, here, s.Now)
		s.DeviceDisconnected(ctx, "conn_1", "gone")
		want("device.register user", "device.connect device", "device.disconnect device gone")

		next, err := s.Rotate(ctx, ann, made.Device.ID, s.Now(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		refused(made.Key, true)
		want("device.rotate user", "device.auth_failed device key_ended")

		unknown, _ := newKey()
		refused(unknown, false)
		body := next.Key[:14] + strings.Repeat("x", 32)
		refused(body+checksum(body), false)
		refused("dk_nonsense", false)
		want("device.auth_failed anonymous unknown_key", "device.auth_failed anonymous wrong_secret",
			"device.auth_failed anonymous malformed")

		if _, err := db.Accounts.SetUserDisabled(ctx, ann, true, s.Now()); err != nil {
			t.Fatal(err)
		}
		refused(next.Key, true)
		if err := s.Revoke(ctx, domain.AuditActor{Kind: domain.ActorAdmin, ID: "usr_x"}, made.Device.ID, ""); err != nil {
			t.Fatal(err)
		}
		refused(next.Key, true)
		want("device.auth_failed device owner_disabled", "device.revoke admin", "device.auth_failed device key_ended")
	})
}

// uses counts what is written of the use of keys. Nothing else is asked of it.
type uses struct {
	Store
	mu    sync.Mutex
	calls [][]domain.DeviceUse
}

func (u *uses) UsedDeviceKeys(_ context.Context, used []domain.DeviceUse) error {
	if len(used) > 0 {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.calls = append(u.calls, used)
	}
	return nil
}

func (u *uses) Connected(context.Context, []domain.DeviceConnection) error { return nil }

func (u *uses) EndedDevices(context.Context, time.Time, time.Time) ([]domain.DeviceEnd, error) {
	return nil, nil
}

func (u *uses) Link(
	context.Context, string, []domain.LinkChange,
) ([]domain.DeviceStatus, []domain.LinkRivals, error) {
	return nil, nil, nil
}

func (u *uses) NodeLives(context.Context, string, time.Time) (bool, error) { return true, nil }

func (u *uses) DeadNode(context.Context, time.Time, time.Time, time.Time) (string, error) {
	return "", nil
}

func (u *uses) Overdue(context.Context, time.Time) ([]domain.DeviceStatus, error) { return nil, nil }

func (u *uses) Capabilities(context.Context, string) (domain.Capabilities, time.Time, error) {
	return domain.Capabilities{}, time.Time{}, nil
}

func (u *uses) DisabledOwners(context.Context, []string) ([]string, error) { return nil, nil }

func TestCHK_DV_02_UseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &uses{}
		s := New(Deps{Store: u, Bus: bus.NewLocal(), Log: testkit.Logger(t)})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for i := range 300 { // five minutes of a device that comes and goes each second, and of another
			for _, key := range []string{"a", "b"} {
				p := domain.Principal{ID: "dev_" + key, Kind: domain.KindDevice, Key: key}
				s.DeviceConnected(ctx, "conn_1", p, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), s.Now)
				s.DeviceDisconnected(ctx, "conn_1", "gone")
			}
			time.Sleep(time.Second)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if n := len(u.calls); n < 5 || n > 6 {
			t.Errorf("%d writes in five minutes", n)
		}
		for _, c := range u.calls {
			if len(c) != 2 {
				t.Errorf("one write has %d keys of 2", len(c))
			}
		}
	})
}
