package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.UnixMilli(1_800_000_000_000)
		for _, n := range []string{"a/b/c.crt", "a/b/c.key", "a/bc", "b"} {
			if err := db.Server.PutCertificate(ctx, n, []byte("first"), now); err != nil {
				t.Fatal(err)
			}
			if err := db.Server.PutCertificate(ctx, n, []byte(n), now); err != nil {
				t.Fatal(err)
			}
		}
		v, at, err := db.Server.Certificate(ctx, "a/b/c.key")
		if err != nil || string(v) != "a/b/c.key" || !at.Equal(now) {
			t.Errorf("%q %v %v", v, at, err)
		}
		if _, _, err := db.Server.Certificate(ctx, "a/b"); domain.KindOf(err) != domain.NotFound {
			t.Errorf("%v", err)
		}
		for path, want := range map[string][]string{"a/b": {"a/b/c.crt", "a/b/c.key"},
			"": {"a/b/c.crt", "a/b/c.key", "a/bc", "b"}, "x": nil} {
			if got, err := db.Server.Certificates(ctx, path); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q: %v %v", path, got, err)
			}
		}
		if err := db.Server.DeleteCertificates(ctx, "a/b"); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Server.Certificates(ctx, ""); err != nil || !slices.Equal(got, []string{"a/bc", "b"}) {
			t.Errorf("%v %v", got, err)
		}

		lock := func(owner string, after time.Duration) bool {
			got, err := db.Server.LockCertificate(ctx, "l", owner, now.Add(after), now.Add(after+time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if !lock("one", 0) || lock("two", time.Second) || !lock("one", 30*time.Second) || lock("two", 80*time.Second) ||
			!lock("two", 2*time.Minute) {
			t.Error("a lock has two owners, or none gets it")
		}
		if err := db.Server.UnlockCertificate(ctx, "l", "one"); err != nil || lock("one", 121*time.Second) {
			t.Errorf("one gave back the lock of two, %v", err)
		}
		if err := db.Server.UnlockCertificate(ctx, "l", "two"); err != nil || !lock("one", 122*time.Second) {
			t.Errorf("the lock was not given back, %v", err)
		}
	})
}
