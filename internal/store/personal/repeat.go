package personal

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// repeatRow is when something repeats, in the columns zone, minute, weekdays and month_day. What does not repeat has an
// empty zone.
type repeatRow struct {
	zone                   string
	minute, days, monthDay int64
}

// columns are those of r, to be read into.
func (r *repeatRow) columns() []any { return []any{&r.zone, &r.minute, &r.days, &r.monthDay} }

func (r *repeatRow) value() domain.Repeat {
	of := domain.Repeat{Zone: r.zone, Time: time.Duration(r.minute) * time.Minute, MonthDay: int(r.monthDay)}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if r.days&(1<<d) != 0 {
			of.Weekdays = append(of.Weekdays, d)
		}
	}
	return of
}

// repeatValues are what these columns store of r.
func repeatValues(r domain.Repeat) []any {
	days := int64(0)
	for _, d := range r.Weekdays {
		days |= 1 << d
	}
	return []any{r.Zone, int64(r.Time / time.Minute), days, int64(r.MonthDay)}
}
