package certs

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/server"
	"github.com/unhidra/unhidra/internal/testkit"
)

var (
	_ certmagic.Storage = (*Shared)(nil)
	_ Store             = (*server.Repository)(nil)
)

func TestShared(t *testing.T) {
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		key := bytes.Repeat([]byte{1}, 32)
		one, err := NewShared(db.Server, key)
		if err != nil {
			t.Fatal(err)
		}
		two, err := NewShared(db.Server, key)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"certificates/ca/a/a.crt", "certificates/ca/a/a.key", "certificates/ca/b/b.crt"} {
			if err := one.Store(ctx, k, []byte("secret "+k)); err != nil {
				t.Fatal(err)
			}
		}
		if b, err := two.Load(ctx, "certificates/ca/a/a.key"); err != nil || string(b) != "secret certificates/ca/a/a.key" {
			t.Errorf("%q %v", b, err)
		}
		if raw, _, err := db.Server.Certificate(ctx, "certificates/ca/a/a.key"); err != nil ||
			bytes.Contains(raw, []byte("secret")) {
			t.Errorf("a key can be read in the database: %q %v", raw, err)
		}
		if _, err := two.Load(ctx, "nothing"); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if got, err := two.List(ctx, "certificates/ca", false); err != nil ||
			!slices.Equal(got, []string{"certificates/ca/a", "certificates/ca/b"}) {
			t.Errorf("%v %v", got, err)
		}
		if got, err := two.List(ctx, "certificates/ca/a/", true); err != nil || len(got) != 2 {
			t.Errorf("%v %v", got, err)
		}
		if i, err := two.Stat(ctx, "certificates/ca/a"); err != nil || i.IsTerminal ||
			!two.Exists(ctx, "certificates/ca/b/b.crt") || two.Exists(ctx, "certificates/c") {
			t.Errorf("%+v %v", i, err)
		}
		if err := one.Delete(ctx, "certificates/ca/a"); err != nil || two.Exists(ctx, "certificates/ca/a") {
			t.Errorf("%v", err)
		}

		// Of two nodes, and of two of one node, one at a time has the lock.
		var inside atomic.Int32
		done := make(chan error)
		for i := range 4 {
			s := []*Shared{one, two}[i%2]
			go func() {
				if err := s.Lock(ctx, "issue"); err != nil {
					done <- err
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two have the lock")
				}
				inside.Add(-1)
				done <- s.Unlock(ctx, "issue")
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := one.Unlock(ctx, "issue"); err == nil {
			t.Error("what nobody locked is unlocked")
		}
	})
}
