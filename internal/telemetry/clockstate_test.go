package telemetry

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestTheClockOfADeviceIsJudgedByWhatItSendsAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) domain.Report { return domain.Report{At: now.Add(d)} }
	old := func(d time.Duration) domain.Report { return domain.Report{At: now.Add(d), Old: true} }
	for name, c := range map[string]struct {
		reports []domain.Report
		want    string
	}{
		"right":                         {[]domain.Report{at(-time.Second)}, clockRight},
		"a batch of the last hour":      {[]domain.Report{at(-time.Hour), at(-30 * time.Minute), at(0)}, clockRight},
		"a little ahead":                {[]domain.Report{at(900 * time.Millisecond)}, clockRight},
		"ahead":                         {[]domain.Report{at(-time.Second), at(2 * time.Second)}, clockAhead},
		"years ahead":                   {[]domain.Report{at(50_000 * time.Hour)}, clockAhead},
		"behind":                        {[]domain.Report{at(-2 * time.Minute)}, clockBehind},
		"buffered":                      {[]domain.Report{old(-2 * time.Hour), old(-time.Hour)}, ""},
		"buffered, with one of now":     {[]domain.Report{old(-2 * time.Hour), at(0)}, clockRight},
		"without times":                 {[]domain.Report{{}, {}}, ""},
		"by uptime":                     {[]domain.Report{{At: now, Quality: domain.AnchoredTime}}, ""},
		"never set":                     {[]domain.Report{{At: time.Unix(40, 0)}}, clockUnset},
		"buffered since it was not set": {[]domain.Report{{At: time.Unix(40, 0), Old: true}}, clockUnset},
	} {
		if got := clockOf(c.reports, now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
