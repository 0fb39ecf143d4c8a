// Package dashboards has the SQL of what rooms show of their devices: charts in the log, and
// dashboards.
package dashboards

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Repository stores charts and dashboards.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// PostChart writes a chart into the log of a room. actor must be able to write there, and the device be
// a member. The same key from the same actor returns the first event again, and is refused with
// CodeKeyReused if that was of another room, device, span or series.
func (repo *Repository) PostChart(
	ctx context.Context, actor string, n domain.NewChart, line domain.ChartLine, now time.Time,
) (e domain.Event, err error) {
	for range 2 { // the second time, if the same key came twice at once
		err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			e, err = postChart(ctx, t, actor, n, line, store.Trim(now))
			return err
		})
		if !store.IsUnique(err) {
			break
		}
	}
	return e, err
}

func postChart(
	ctx context.Context, t *store.Tx, actor string, n domain.NewChart, line domain.ChartLine, now time.Time,
) (e domain.Event, err error) {
	if _, _, err := rooms.LockAndAuthorize(ctx, t, n.Room, actor, domain.SendMessage, now); err != nil {
		return e, err
	}
	m, err := rooms.MemberOf(ctx, t, n.Room, n.Device)
	if err == nil && m.Role == domain.NonMember {
		err = domain.Forbidden.Errorf(domain.CodeNotReachable, "the device is not in this room")
	}
	if err != nil {
		return e, err
	}
	by, err := accounts.Ref(ctx, t, actor)
	if err != nil {
		return e, err
	}
	e = domain.Event{Room: n.Room, Type: domain.ChartPosted, Actor: by, Subject: &m.User, At: now,
		Payload: domain.ChartPostedPayload{Chart: &line}}
	repeat, err := roomlog.AppendOnce(ctx, t, &e, n.Key)
	if err == nil && repeat && !sameChart(e, n, line) {
		err = domain.Conflict.Errorf(domain.CodeKeyReused,
			"another chart was posted with this key; send a new one with a new key")
	}
	return e, err
}

// sameChart reports whether e is the chart that n asks for, which is line by now.
func sameChart(e domain.Event, n domain.NewChart, line domain.ChartLine) bool {
	posted, ok := e.Payload.(domain.ChartPostedPayload)
	if !ok || posted.Chart == nil || e.Room != n.Room || e.Subject == nil || e.Subject.ID != n.Device ||
		posted.Chart.To.Sub(posted.Chart.From) != n.Span {
		return false
	}
	return len(n.Series) == 0 || slices.EqualFunc(posted.Chart.Series, line.Series,
		func(a, b domain.ChartSeries) bool { return a.Name == b.Name })
}
