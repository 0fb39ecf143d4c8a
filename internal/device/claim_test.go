package device

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// claiming returns the service with a device of ann, and a clock of its own.
func claiming(t *testing.T, db *all.Store) (s *Service, a *audit, made Issued, clock *time.Time) {
	t.Helper()
	s, a = open(t, db)
	now := time.Now()
	s.Claims, s.Now = db.Claims, func() time.Time { return now }
	made, err := s.Register(t.Context(), idOf(t, db, "ann"), Registration{Name: "Door"})
	if err != nil {
		t.Fatal(err)
	}
	a.said()
	return s, a, made, &now
}

const nonce = "0123456789abcdef"

// A claim token gives a device its key once: the same device may ask again, a second one is refused, and so is
// everybody after its end. All of it is in the audit log.
func TestAClaimTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		s, a, made, clock := claiming(t, db)
		ann := idOf(t, db, "ann")
		let := func() string {
			t.Helper()
			token, expires, err := s.LetClaim(ctx, userActor(ann), ann, made.Device.ID, 0)
			if err != nil || !expires.Equal(clock.Add(15*time.Minute)) {
				t.Fatal(token, expires, err)
			}
			return token
		}
		refused := func(token, by string) {
			t.Helper()
			if _, err := s.Claim(ctx, token, by); domain.CodeOf(err) != domain.CodeClaimRefused {
				t.Errorf("%v", err)
			}
		}
		want := func(events ...string) {
			t.Helper()
			if said := a.said(); !slices.Equal(said, events) {
				t.Errorf("the audit log has %q, want %q", said, events)
			}
		}
		opens := func(key string, so bool) {
			t.Helper()
			if _, err := s.AuthenticateDevice(ctx, key, here); (err == nil) != so {
				t.Errorf("the key opens: %v, want %v", err, so)
			}
			a.said()
		}
		first := let()
		token := let()
		want("device.claim_token user", "device.claim_token user")
		refused(first, nonce) // there is a later one
		refused("dc_nonsense", nonce)
		refused(token[:len(token)-1]+"!", nonce) // no checksum ends so
		want("device.claim anonymous unknown_claim", "device.claim anonymous malformed", "device.claim anonymous malformed")
		opens(made.Key, true)

		got, err := s.Claim(ctx, token, nonce)
		if err != nil || got.Device.ID != made.Device.ID {
			t.Fatal(got, err)
		}
		want("device.claim device")
		opens(made.Key, false)
		opens(got.Key, true)
		refused(token, strings.ToUpper(nonce))
		want("device.claim anonymous claim_used")
		again, err := s.Claim(ctx, token, nonce)
		if err != nil {
			t.Fatal(err)
		}
		opens(got.Key, false)
		opens(again.Key, true)

		token = let()
		*clock = clock.Add(15 * time.Minute)
		a.said()
		refused(token, nonce)
		want("device.claim anonymous claim_expired")
		token = let()
		if _, err := db.Accounts.SetUserDisabled(ctx, ann, true, s.Now()); err != nil {
			t.Fatal(err)
		}
		a.said()
		refused(token, nonce)
		want("device.claim anonymous claim_barred")
	})
}

// A device that was reset says so: its key ends, the owner finds out, and a claim token gives it another.
func TestADeviceIsReset(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		s, a, made, _ := claiming(t, db)
		p := domain.Principal{Kind: domain.KindDevice, ID: made.Device.ID, Key: made.KeyID}
		if err := s.Leaves(ctx, domain.Principal{Kind: domain.KindUser, ID: p.ID, Key: p.Key}, "reset", 0); err == nil {
			t.Error("a person reset a device")
		}
		other := p
		other.Key = "other"
		if err := s.Leaves(ctx, other, "reset", 0); err == nil {
			t.Error("a key of another device was ended")
		}
		if err := s.Leaves(ctx, p, "reset", 0); err != nil {
			t.Fatal(err)
		}
		if said := a.said(); !slices.Equal(said, []string{"device.reset device"}) {
			t.Errorf("the audit log has %q", said)
		}
		if _, err := s.AuthenticateDevice(ctx, made.Key, here); err == nil {
			t.Error("the key that it has forgotten opens")
		}
		ann := idOf(t, db, "ann")
		token, _, err := s.LetClaim(ctx, userActor(ann), ann, p.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Claim(ctx, token, nonce); err != nil || got.Device.ID != p.ID {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Of many who use a token at once, one gets a key.
func TestOneOfManyClaimants(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s, _, made, _ := claiming(t, db)
		ann := idOf(t, db, "ann")
		token, _, err := s.LetClaim(t.Context(), userActor(ann), ann, made.Device.ID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		keys := make([]string, 8)
		for i := range keys {
			all.Go(func() {
				got, err := s.Claim(t.Context(), token, nonce+string(rune('a'+i)))
				if err != nil && domain.CodeOf(err) != domain.CodeClaimRefused {
					t.Error(err)
				}
				keys[i] = got.Key
			})
		}
		all.Wait()
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == "" })
		if len(keys) != 1 {
			t.Fatalf("%d have got a key", len(keys))
		}
		if _, err := s.AuthenticateDevice(t.Context(), keys[0], here); err != nil {
			t.Error(err)
		}
	})
}

// Only the owner lets a device claim, only a device that has keys, and for a week at most.
func TestWhoMayLetADeviceClaim(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		s, _, made, _ := claiming(t, db)
		ann, bob := idOf(t, db, "ann"), user(t, db, "bob")
		let := func(by, device string, life time.Duration) domain.Kind {
			_, _, err := s.LetClaim(ctx, userActor(by), by, device, life)
			return domain.KindOf(err)
		}
		if k := let(bob, made.Device.ID, 0); k != domain.NotFound {
			t.Errorf("bob: %v", k)
		}
		if k := let(ann, made.Device.ID, 8*24*time.Hour); k != domain.Invalid {
			t.Errorf("for eight days: %v", k)
		}
		if _, err := s.Claim(ctx, "dc_x", "short"); domain.KindOf(err) != domain.Invalid {
			t.Errorf("a short nonce: %v", err)
		}
		if err := s.Revoke(ctx, userActor(ann), made.Device.ID, ""); err != nil {
			t.Fatal(err)
		}
		if k := let(ann, made.Device.ID, 0); k != domain.Conflict {
			t.Errorf("a revoked device: %v", k)
		}
	})
}

// What a device is given has the address of the server, if that is one, and a QR code of both.
func TestASetupNamesTheServer(t *testing.T) {
	t.Parallel()
	c := ClaimToken{Token: "dc_x"}
	if err := c.with("wss://chat.example.org:443"); err != nil {
		t.Fatal(err)
	}
	if c.Setup != `{"server":"wss://chat.example.org:443","claim":"dc_x"}` ||
		!strings.HasPrefix(c.Picture.Path, "M4 4h7") {
		t.Errorf("%+v", c)
	}
	for address, good := range map[string]bool{"wss://a:1": true, "ws://192.0.2.1:9000": true, "wss://a": false,
		"https://a:443": false, "wss://a:443/": false, "wss://u@a:443": false, "wss://:443": false, "wss://a:443?": false,
		"wss://a b:1": false} {
		if err := checkServer(address); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}
