package readings

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
)

func TestReportsThatComeAtOnceAreStoredOnce(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		const n, senders, devices = 60, 6, 4
		var accepted, duplicate atomic.Int64
		var wg sync.WaitGroup
		for range senders { // each sends all
			for d := range devices {
				wg.Go(func() {
					for from := uint32(0); from < n; from += 20 {
						a, err := repo.Append(t.Context(), fmt.Sprint("dev_", d), reports(1, from, from+20, t0), t0)
						if err != nil {
							t.Error(err)
						}
						accepted.Add(int64(a.Accepted))
						duplicate.Add(int64(a.Duplicate))
					}
				})
			}
		}
		wg.Wait()
		if accepted.Load() != n*devices || duplicate.Load() != n*devices*(senders-1) {
			t.Errorf("%d accepted, %d duplicate", accepted.Load(), duplicate.Load())
		}
		for d := range devices {
			checkAll(t, repo, fmt.Sprint("dev_", d), n, t0)
		}
		closeAll(t, repo)
		for d := range devices {
			checkAll(t, repo, fmt.Sprint("dev_", d), n, t0)
		}
		if rows := count(t, repo, "reading_ranges"); rows != devices {
			t.Errorf("%d ranges, want one of each device", rows)
		}
	})
}

func TestADeviceThatAnotherNodeErasedBeginsAnew(t *testing.T) {
	t.Parallel()
	p := place{testkit.Postgres(t)}
	one, other := p.open(t), p.open(t)
	defer one.kill()
	defer other.kill()
	must(t, one, "dev_a", reports(1, 0, 10, t0))
	must(t, one, "dev_b", reports(1, 0, 10, t0))
	if err := other.Erase(t.Context(), "dev_a"); err != nil {
		t.Fatal(err)
	}
	if a := must(t, one, "dev_a", reports(1, 0, 5, t0)); a.Accepted != 5 {
		t.Errorf("%+v", a)
	}
	checkAll(t, other, "dev_a", 5, t0)
	checkAll(t, other, "dev_b", 10, t0)
}
