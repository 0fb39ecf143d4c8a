package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store/all"
)

// An unknown consumer is answered with the names of those that exist. Empty lists are reported as
// such.
func TestFeedSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	m := testHost{t, filepath.Join(t.TempDir(), "data")}
	expect := func(code int, want string, args ...string) {
		t.Helper()
		said, got := m.run(append([]string{"feed"}, args...)...)
		if got != code || !strings.Contains(said, want) {
			t.Errorf("feed %v: %d, %q; want %d, %q", args, got, said, code, want)
		}
	}
	m.open(func(*all.Store, *blob.Service) {})
	expect(exitOK, "There are no consumers yet.", "list")
	expect(exitOK, "No events have failed.", "failed")
	expect(exitFail, "there are no consumers yet", "retry", "letters")
	m.open(func(db *all.Store, _ *blob.Service) {
		now := time.Now()
		for _, name := range []string{"letters", "parcels"} {
			if _, _, err := db.Feed.ClaimCursor(t.Context(), name, "node", feed.Now, now, now); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Feed.AddDeadLetter(t.Context(),
			feed.DeadLetter{Consumer: "letters", Key: "r1/7", Cause: "no such street", At: now}); err != nil {
			t.Fatal(err)
		}
	})
	expect(exitOK, "letters   no      1", "list")
	expect(exitOK, `"no such street"`, "failed")
	expect(exitFail, `there is no consumer "leters"; there are letters, parcels`, "retry", "leters")
	expect(exitOK, "parcels has no failed events.", "retry", "parcels")
	expect(exitOK, "The server will process 1 event again.", "retry", "letters")
}
