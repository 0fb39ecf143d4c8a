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
