package readings

import (
	"context"
	"fmt"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
)

// An hour that cannot be packed, since what is stored of it is damaged, keeps those of no other device
// waiting. Nothing of it is lost either.
func TestADamagedHourKeepsNoOtherWaiting(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		must(t, repo, "dev_a", reports(1, 0, 10, t0))
		closeAll(t, repo)
		number, err := numberOf(t.Context(), repo.db, "dev_a")
		if err != nil {
			t.Fatal(err)
		}
		window := key(floorDiv(t0.UnixMilli(), hourMillis), number)
		whole, err := parts(t.Context(), repo.db, window)
		if err != nil || len(whole) != 1 {
			t.Fatal(len(whole), err)
		}
		set := func(body []byte) {
			t.Helper()
			if err := repo.db.Write(t.Context(), func(ctx context.Context, t *store.Tx) error {
				return upsertBody(ctx, t, "reading_chunks", window, body)
			}); err != nil {
				t.Fatal(err)
			}
		}
		set([]byte("damaged"))
		others := []string{"dev_b", "dev_c", "dev_d"}
		for _, d := range append(others, "dev_a") {
			must(t, repo, d, reports(1, 10, 20, t0))
		}
		if _, err := repo.Close(t.Context(), t0, true); err == nil {
			t.Fatal("a damaged hour was packed")
		}
		for _, d := range others {
			number, err := numberOf(t.Context(), repo.db, d)
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := parts(t.Context(), repo.db, key(stretchOf(window), number)); err != nil || len(stored) != 1 {
				t.Errorf("%s has %d parts, %v", d, len(stored), err)
			}
		}
		set(whole[0].body)
		closeAll(t, repo)
		checkAll(t, repo, "dev_a", 20, t0)
	})
}

// When too much waits in memory, some is packed although it is neither full nor old.
func TestWhatWaitsInMemoryIsBounded(t *testing.T) {
	t.Parallel()
	repo := sqlite(t).open(t)
	defer repo.kill()
	j := repo.waiting.(*journal)
	for i := range 20 {
		must(t, repo, fmt.Sprint("dev_", i), reports(1, 0, 10, t0))
	}
	closeSome := func() int {
		t.Helper()
		if _, err := repo.Close(t.Context(), t0, false); err != nil {
			t.Fatal(err)
		}
		return j.bytes
	}
	before := j.bytes
	if left := closeSome(); left != before || j.most != 64<<20 {
		t.Fatalf("%d of %d bytes wait with room for %d", left, before, j.most)
	}
	j.most = before / 2
	if left := closeSome(); left > j.most || left < j.most*8/10 {
		t.Errorf("%d bytes wait; want at most %d, and not much less", left, j.most)
	}
	for i := range 20 {
		checkAll(t, repo, fmt.Sprint("dev_", i), 10, t0)
	}
}
