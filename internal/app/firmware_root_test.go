package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// The first root stays, so one that no device could follow is not taken, and the answer says what to do.
func TestTheFirstRootIsOneThatDevicesCanFollow(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		c := s.User("ann")
		f := &firm{Server: s, t: t, c: c, root: newSigner(t), release: newSigner(t)}
		var product struct{ ID string }
		must(t, c.Do(t.Context(), "POST", "/firmware/products", map[string]any{"name": "tank"}, &product))
		f.product = product.ID
		ago := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
		refused := func(name, says string, err error) {
			t.Helper()
			if codeOf(err) != client.CodeBadDocument || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := f.tryRoot(1)
		refused("without a signature", "0 of 1 signatures by its root keys; sign it with `unhidra firmware sign --key", err)
		_, err = f.tryRoot(2, f.root)
		refused("the second one", "the first one has 1", err)
		f.design = func(r *manifest.Root) { r.Expires = ago }
		_, err = f.tryRoot(1, f.root)
		refused("an expired one", "has expired at", err)
		f.design = func(r *manifest.Root) { r.ReleaseKeys[0].NotAfter = ago }
		_, err = f.tryRoot(1, f.root)
		refused("with expired release keys", "0 of the release keys have not expired", err)
		f.design = func(r *manifest.Root) { r.ReleaseKeys[0].NotBefore = ago.Add(48 * time.Hour) }
		_, err = f.tryRoot(1, f.root)
		must(t, err)
	})
}

func TestADraftSaysHowManySignaturesItHas(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		f := newFirm(t, s, s.User("ann"), "")
		second := newSigner(t)
		f.design = func(r *manifest.Root) {
			r.ReleaseKeys, r.ReleaseThreshold = describe(t, f.release, second), 2
		}
		_, err := f.tryRoot(2, f.root)
		must(t, err)
		r := f.draft("1.0", 1, []byte("an image"))
		lacks := func(says string) {
			t.Helper()
			_, err := f.change(r.ID, map[string]any{"state": "active"})
			if codeOf(err) != client.CodeReleaseState || !strings.Contains(err.Error(), says) {
				t.Errorf("it should have %s: %v", says, err)
			}
		}
		lacks("0 of 2 signatures")
		_, err = f.sign(r.ID, f.release)
		must(t, err)
		lacks("1 of 2 signatures")
		_, err = f.sign(r.ID, second)
		must(t, err)
		_, err = f.change(r.ID, map[string]any{"state": "active"})
		must(t, err)
	})
}
