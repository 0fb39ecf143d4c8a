package readings

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// An hour that a device has filled takes no more, and nothing of it gets into the hour of the next
// device, whose ids follow.
func TestAnHourThatIsFullSpillsIntoNoOther(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		must(t, repo, "dev_a", reports(1, 0, 1, t0))
		must(t, repo, "dev_b", reports(1, 0, 100, t0))
		closeAll(t, repo)
		number, err := numberOf(t.Context(), repo.db, "dev_a")
		if err != nil {
			t.Fatal(err)
		}
		last := key(floorDiv(t0.UnixMilli(), hourMillis), number) + maxParts - 1
		full := make([]record, partSize(maxParts-1)-10)
		for i := range full {
			full[i] = record{at: t0.UnixMilli(), values: []slotValue{{0, domain.Number(1)}}}
		}
		if err := repo.db.Write(t.Context(), func(ctx context.Context, t *store.Tx) error {
			return upsertBody(ctx, t, "reading_chunks", last, repo.pack(full, 0))
		}); err != nil {
			t.Fatal(err)
		}
		must(t, repo, "dev_a", reports(1, 1, 100, t0)) // ten of them fill it
		closeAll(t, repo)
		must(t, repo, "dev_a", reports(1, 100, 200, t0))
		closeAll(t, repo)
		checkAll(t, repo, "dev_b", 100, t0)
		if at := times(t, repo, "dev_a", "temperature"); len(at) != 1+partSize(maxParts-1) {
			t.Errorf("%d values", len(at))
		}
		if all, err := parts(t.Context(), repo.db, last+1); err != nil || len(all) != 1 {
			t.Errorf("the next device has %d parts, %v", len(all), err)
		}
	})
}

// Parts are filled one after the other, so that an hour has room for a report each millisecond.
func TestThePartsOfAnHourHaveRoomForAllThatADeviceMaySend(t *testing.T) {
	t.Parallel()
	room := 0
	for i := range maxParts {
		room += partSize(i)
	}
	if perHour := 1000*3600 + 50_000; room < perHour { // readings a second, and the burst: telemetry.New
		t.Errorf("an hour has room for %d reports; a device may send %d", room, perHour)
	}
	repo := sqlite(t).open(t)
	defer repo.kill()
	for i := range uint32(4) {
		var rs []domain.Report
		for seq := i * 300; seq < (i+1)*300; seq++ {
			rs = append(rs, report(1, seq, t0.Add(time.Duration(seq)*time.Millisecond)))
		}
		must(t, repo, "dev_a", rs)
		closeAll(t, repo)
	}
	stored, err := parts(t.Context(), repo.db, key(floorDiv(t0.UnixMilli(), hourMillis), 1))
	if err != nil || len(stored) != 3 || len(times(t, repo, "dev_a", "temperature")) != 1200 {
		t.Errorf("1200 reports are in %d parts, %v", len(stored), err)
	}
	many := make([]record, bigPartReports)
	for i := range many {
		many[i].values = make([]slotValue, domain.MaxSensors)
	}
	if n := partLength(many, bigPartReports); n*domain.MaxSensors > chunk.MaxValues || n == 0 {
		t.Errorf("a part of %d reports with %d values each", n, domain.MaxSensors)
	}
}

// What is read of several days is read hour by hour, in its order, and no further than is asked for.
func TestReadingsOfSeveralDaysAreReadInTheirOrder(t *testing.T) {
	eachPlace(t, func(t *testing.T, p place) {
		repo := p.open(t)
		defer repo.kill()
		const n = 100 // of one each hour, the last of which wait
		at := func(i int) time.Time { return t0.Add(time.Duration(i) * time.Hour) }
		for i := range n {
			if i == n-5 {
				closeAll(t, repo)
			}
			must(t, repo, "dev_a", []domain.Report{report(1, uint32(i), at(i))})
		}
		must(t, repo, "dev_a", []domain.Report{report(1, n, at(30).Add(time.Minute))}) // waits for an hour that is packed
		for _, limit := range []int{1, 50, n + 1} {
			all, err := repo.Points(t.Context(), "dev_a", []string{"temperature"}, at(0), at(n), limit)
			points := all["temperature"]
			sorted := slices.IsSortedFunc(points, func(a, b domain.Point) int { return a.At.Compare(b.At) })
			if err != nil || len(points) != limit || !sorted || !points[0].At.Equal(t0) {
				t.Errorf("%d of %d points, sorted %v, %v", len(points), limit, sorted, err)
			}
		}
		if all, err := repo.Points(t.Context(), "dev_a", []string{"temperature"}, at(26), at(31), n); err != nil ||
			len(all["temperature"]) != 6 || !all["temperature"][5].At.Equal(at(30).Add(time.Minute)) {
			t.Errorf("%+v, %v", all, err)
		}
		seven, err := repo.Buckets(t.Context(), "dev_a", []string{"temperature"}, at(0), at(n), 7*time.Second, domain.Raw)
		if err != nil || len(seven["temperature"]) != n+1 {
			t.Errorf("%d buckets, %v", len(seven["temperature"]), err)
		}
	})
}
