package audit_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// TestDayBoundaries: whatever day it is and in whatever zone the clock tells it, the log
// signs itself once where a day of UTC ends and not where another ends, and stays whole;
// so it does with a clock that is set back.
func TestDayBoundaries(t *testing.T) {
	t.Parallel()
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	kiritimati := time.FixedZone("+14", 14*3600)
	for name, c := range map[string]struct {
		begin time.Time
		step  time.Duration
		signs int // checkpoints that a day's end makes
	}{
		"day":           {time.Date(2026, 11, 27, 23, 59, 58, 0, time.UTC), time.Second, 1},
		"month":         {time.Date(2026, 4, 30, 23, 59, 58, 0, time.UTC), time.Second, 1},
		"year":          {time.Date(2026, 12, 31, 23, 59, 58, 0, time.UTC), time.Second, 1},
		"leap day":      {time.Date(2028, 2, 28, 23, 59, 58, 0, time.UTC), 12 * time.Hour, 3},
		"local day":     {time.Date(2026, 11, 27, 23, 59, 58, 0, vienna), time.Second, 0},
		"far zone":      {time.Date(2026, 11, 28, 13, 59, 58, 0, kiritimati), time.Second, 1},
		"summer begins": {time.Date(2027, 3, 28, 1, 59, 58, 0, vienna), time.Second, 0},
		"summer ends":   {time.Date(2026, 10, 25, 1, 59, 58, 0, time.UTC), time.Second, 0},
		"set back":      {time.Date(2026, 11, 28, 0, 0, 1, 0, time.UTC), -time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.EachStore(t, func(t *testing.T, db *all.Store) {
				now, d := c.begin, deps(t, db.Audit)
				d.Now = func() time.Time { return now }
				s := audit.New(d)
				for i := range 6 {
					if err := s.RecordSync(t.Context(), login(i)); err != nil {
						t.Fatal(err)
					}
					now = now.Add(c.step)
				}
				signs := 0
				for _, r := range records(t, db.Audit) {
					if r.Type == string(domain.AuditCheckpointed) {
						signs++
					}
				}
				if signs != c.signs {
					t.Errorf("%d checkpoints, want %d", signs, c.signs)
				}
				if r, err := audit.Verify(t.Context(), db.Audit, s.PublicKey(), nil); err != nil || !r.Intact() {
					t.Errorf("%v, %+v", err, r.Problems)
				}
			})
		})
	}
}

// TestRetentionGoesByDaysOfUTC: the log loses a day, all of it at once, as soon as the last
// moment of that day of UTC is older than records are kept, and not before.
func TestRetentionGoesByDaysOfUTC(t *testing.T) {
	t.Parallel()
	const keep = 48 * time.Hour
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now, d := time.Time{}, deps(t, db.Audit)
		d.Keep, d.Now = keep, func() time.Time { return now }
		s := audit.New(d)
		prune := func() (first int64) {
			if err := s.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			return records(t, db.Audit)[0].Seq
		}
		for _, day := range []string{"2026-04-30", "2026-10-25", "2026-12-31", "2027-03-28", "2028-02-29"} {
			begin, err := time.Parse(time.DateOnly, day)
			if err != nil {
				t.Fatal(err)
			}
			end := begin.Add(24 * time.Hour)
			for _, now = range []time.Time{begin, end.Add(-time.Millisecond), end.Add(keep - time.Millisecond)} {
				if err := s.RecordSync(t.Context(), login(1)); err != nil {
					t.Fatal(err)
				}
			}
			kept := prune()
			now = end.Add(keep)
			after := prune()
			segments, err := db.Audit.AuditSegments(t.Context())
			if err != nil || len(segments) == 0 || after <= kept || segments[len(segments)-1].First != kept {
				t.Errorf("%s: from %d on, then from %d on; %v", day, kept, after, err)
			}
			if rs := records(t, db.Audit); rs[0].Time.Before(end) {
				t.Errorf("%s: a record of %v is left", day, rs[0].Time)
			}
		}
	})
}
