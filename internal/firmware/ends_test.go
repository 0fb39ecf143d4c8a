package firmware

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

type trusted struct {
	roots []domain.NewestRoot
	err   error
	asked int
}

func (t *trusted) NewestRoots(context.Context) ([]domain.NewestRoot, error) {
	t.asked++
	return t.roots, t.err
}

func keyUntil(t *testing.T, end time.Time) manifest.Key {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := manifest.NewKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	k.NotAfter = end
	return k
}

// rootOf returns a root of a product with release keys that end then; zero: never.
func rootOf(t *testing.T, name string, threshold int, offer manifest.Key, expires time.Time, ends ...time.Time) (
	r domain.NewestRoot,
) {
	t.Helper()
	root := &manifest.Root{Type: "root", Product: name, Version: 1, Expires: expires,
		RootKeys: []manifest.Key{keyUntil(t, time.Time{})}, RootThreshold: 1, ReleaseThreshold: threshold,
		OfferKeys: []manifest.Key{offer}}
	for _, end := range ends {
		root.ReleaseKeys = append(root.ReleaseKeys, keyUntil(t, end))
	}
	e, err := root.Seal()
	if err != nil {
		t.Fatal(err)
	}
	r = domain.NewestRoot{Product: "prd_" + name, Name: name, Owner: "ann"}
	if r.Envelope, err = e.Bytes(); err != nil {
		t.Fatal(err)
	}
	return r
}

// An administrator hears of what ends within 30 days: a root, the server's key in it, and release keys as soon as fewer
// are left than a release needs.
func TestWhatEndsOfARootIsSaidInTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	in := func(days int) time.Time { return now.AddDate(0, 0, days) }
	var never time.Time
	mine, soon := keyUntil(t, never), keyUntil(t, in(5))
	soon.KeyID, soon.Key = mine.KeyID, mine.Key
	for name, c := range map[string]struct {
		root domain.NewestRoot
		want []string
	}{
		"nothing":         {rootOf(t, "a", 1, mine, never, never), nil},
		"all in a year":   {rootOf(t, "b", 1, mine, in(365), in(365)), nil},
		"a key":           {rootOf(t, "c", 1, mine, in(365), in(20)), []string{"release_keys_end c (ann, 2026-12-18)"}},
		"one of two keys": {rootOf(t, "d", 1, mine, in(365), in(20), in(200)), nil},
		"one of two, both sign": {rootOf(t, "e", 2, mine, never, in(200), in(20)),
			[]string{"release_keys_end e (ann, 2026-12-18)"}},
		"long ago": {rootOf(t, "f", 1, mine, in(-100), never),
			[]string{"firmware_root_ends f (ann, 2026-08-20)"}},
		"the server's":     {rootOf(t, "g", 1, soon, never, never), []string{"offer_key_ends g (ann, 2026-12-03)"}},
		"another server's": {rootOf(t, "h", 1, keyUntil(t, in(5)), never, never), nil},
	} {
		var report domain.HealthReport
		e := &Ends{Trusted: &trusted{roots: []domain.NewestRoot{c.root}}, OfferKey: mine.KeyID,
			Now: func() time.Time { return now }}
		if err := e.CheckHealth(t.Context(), &report); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range report.Problems {
			got = append(got, fmt.Sprint(p.Code, " ", p.Subject))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Metrics tell the first end of all products: 0 if there is none, and -1 if the store does not answer.
func TestMetricsTellTheFirstEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	mine := keyUntil(t, time.Time{})
	store := &trusted{}
	e := &Ends{Trusted: store, OfferKey: mine.KeyID, Now: func() time.Time { return now }}
	if got := e.first(releaseKeysEnd); got != 0 {
		t.Errorf("without a product: %v", got)
	}
	first, later := now.AddDate(0, 1, 0), now.AddDate(0, 2, 0)
	store.roots = []domain.NewestRoot{rootOf(t, "a", 1, mine, later, later), rootOf(t, "b", 1, mine, first, first)}
	if got := e.first(releaseKeysEnd); got != 0 {
		t.Errorf("the store is asked at each scrape: %v", got)
	}
	now = now.Add(endsFor)
	if keys, root := e.first(releaseKeysEnd), e.first(rootEnds); keys != float64(first.Unix()) || keys != root {
		t.Errorf("with two products: %v, %v", keys, root)
	}
	now, store.err, store.asked = now.Add(endsFor), errors.New("away"), 0
	for _, what := range []string{rootEnds, releaseKeysEnd, offerKeyEnds} {
		if got := e.first(what); got != -1 {
			t.Errorf("%s, while the store is away: %v", what, got)
		}
	}
	if store.asked != 1 {
		t.Errorf("a store that is away is asked %d times in a scrape", store.asked)
	}
}
