package rollouts

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const (
	scanPage = 1000   // devices that are looked at for an offer in one transaction
	latePage = 500    // updates whose time is up
	stopPage = 10_000 // updates that are stopped at once; the others are when their devices next say something
	asleep   = time.Minute
	restate  = 20 * time.Second // that a rollout is judged and not stored, if nothing has changed; less than asleep
)

// timed are the states of updates that something is decided about when their time is up.
const timed = `('offered', 'accepted', 'downloading', 'verified', 'installing', 'rebooting', 'testing')`

type (
	rules   = domain.RolloutRules
	decided = domain.RolloutDecided
)

// Decide judges a rollout, and offers it to devices that are there and wait for it.
func (repo *Repository) Decide(ctx context.Context, id string, y rules, now time.Time) (done decided, err error) {
	now = store.Trim(now)
	r, err := repo.Rollout(ctx, id)
	if err != nil {
		return done, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lock(ctx, t, r); err != nil {
			return err
		}
		done = decided{}
		if done.Before, err = one(ctx, t, id); err != nil {
			return err
		}
		done.After = done.Before
		return decide(ctx, t, y, &done, now)
	})
	return done, err
}

func decide(ctx context.Context, t *store.Tx, y rules, done *decided, now time.Time) error {
	r := &done.After
	if err := awake(ctx, t, r, now); err != nil {
		return err
	}
	if err := late(ctx, t, y, done, now); err != nil {
		return err
	}
	if len(done.Ended) > 0 { // a newer release may wait for these devices
		if err := wake(ctx, t, *r, r.Code); err != nil {
			return err
		}
	}
	if r.State == domain.RolloutScheduled && r.Devices == 0 {
		var err error
		if r.Devices, err = meant(ctx, t, y, *r); err != nil {
			return err
		}
		there, err := product(ctx, t, *r, "", true, scanPage)
		if err != nil {
			return err
		}
		*r = y.Salted(*r, there)
	}
	c, err := counts(ctx, t, *r, now)
	if err != nil {
		return err
	}
	*r = y.Judge(*r, c, !r.Idle, now)
	if done.Changed() {
		if err := turned(ctx, t, y, done, now); err != nil {
			return err
		}
	}
	r.Room = y.Room(*r, c)
	if err := scanDevices(ctx, t, y, done, now); err != nil {
		return err
	}
	if since := now.Sub(done.Before.Judged); same(done.Before, *r) && since < restate && since > -restate {
		return nil
	}
	r.Judged = now
	return save(ctx, t, *r)
}

// same reports whether nothing was decided.
func same(a, b domain.Rollout) bool {
	return a.State == b.State && a.Stage == b.Stage && a.SoakAt.Equal(b.SoakAt) && reflect.DeepEqual(a.Pause, b.Pause) &&
		a.Scanned == b.Scanned && a.Idle == b.Idle && a.Room == b.Room && a.Devices == b.Devices
}

// awake moves what a rollout waits for by the time in which nobody decided about it: the server was not running, or
// its clock was set. Devices could not be heard in that time, so that it counts for nothing.
func awake(ctx context.Context, t *store.Tx, r *domain.Rollout, now time.Time) error {
	gap := now.Sub(r.Judged)
	if r.Judged.IsZero() || gap < asleep && gap > -asleep {
		return nil
	}
	if r.State == domain.RolloutSoaking {
		r.SoakAt = r.SoakAt.Add(gap)
	}
	// What changed after the last decision has waited for less.
	_, err := t.ExecContext(ctx, `UPDATE rollout_updates SET due_at = due_at + $2 - CASE WHEN changed_at > $3 AND $2 > $3
		THEN changed_at ELSE $3 END WHERE rollout_id = $1 AND due_at <> 0 AND state IN `+timed+`
		AND (changed_at <= $4 OR changed_at > $5)`, r.ID, store.Millis(now), store.Millis(r.Judged),
		store.Millis(now.Add(-asleep)), store.Millis(now.Add(asleep)))
	r.Judged = now
	return err
}

// late decides on updates whose time is up.
func late(ctx context.Context, t *store.Tx, y rules, done *decided, now time.Time) error {
	rows, err := t.QueryContext(ctx, `SELECT `+updateColumns+`, COALESCE(s.online, FALSE) OR d.away_until > $2
		FROM rollout_updates u JOIN devices d ON d.id = u.device_id LEFT JOIN device_states s ON s.device_id = u.device_id
		WHERE u.rollout_id = $1 AND u.due_at <> 0 AND u.due_at <= $2 AND u.state IN `+timed+`
		ORDER BY u.due_at LIMIT $3`+forUpdate(t), done.After.ID, store.Millis(now), latePage)
	if err != nil {
		return err
	}
	type overdue struct {
		domain.Update
		present bool
	}
	due, err := store.Collect(rows, func(rows *sql.Rows) (o overdue, err error) {
		o.Update, err = scanUpdateWith(rows, &o.present)
		return o, err
	})
	if err != nil {
		return err
	}
	for _, o := range due {
		u := y.Late(o.Update, done.After, o.present, now)
		if err := saveUpdate(ctx, t, u); err != nil {
			return err
		}
		done.End(u)
	}
	return nil
}

// forUpdate locks updates alone.
func forUpdate(t *store.Tx) string {
	if t.ForUpdate() == "" {
		return ""
	}
	return t.ForUpdate() + ` OF u`
}

// meant counts the devices that a rollout is for.
func meant(ctx context.Context, t *store.Tx, y rules, r domain.Rollout) (n int, err error) {
	for after := ""; ; {
		page, err := product(ctx, t, r, after, false, scanPage)
		if err != nil {
			return n, err
		}
		for _, d := range page {
			if after = d.Device; y.Meant(r, d) {
				n++
			}
		}
		if len(page) < scanPage {
			return n, nil
		}
	}
}

// turned carries out what follows from another state or stage, and tells people.
func turned(ctx context.Context, t *store.Tx, y rules, done *decided, now time.Time) error {
	r := &done.After
	r.Scanned, r.Idle = "", false
	if !r.State.Offers() {
		if err := stopAll(ctx, t, y, done, now); err != nil {
			return err
		}
	}
	what := string(r.State)
	if r.State == domain.RolloutRunning && done.Before.Stage != r.Stage {
		what = "stage"
	}
	if r.State == domain.RolloutCompleted && r.Reverts != "" {
		if err := reverted(ctx, t, *r, domain.UserRef{}, now); err != nil {
			return err
		}
	}
	err := note(ctx, t, domain.RolloutEntry{Rollout: r.ID, At: now, What: what, Stage: r.Stage, State: r.State,
		Details: r.Pause})
	if err != nil || r.State == domain.RolloutSoaking {
		return err
	}
	return tell(ctx, t, r, "", "", now)
}

// stopAll takes back the offers of devices that have not installed the release. What is left is done by the next
// decision.
func stopAll(ctx context.Context, t *store.Tx, y rules, done *decided, now time.Time) error {
	open, err := updates(ctx, t, `u.rollout_id = $1 AND u.state IN ('consent', 'deferred', 'offered', 'accepted',
		'downloading', 'verified') ORDER BY u.id LIMIT $2`+forUpdate(t), done.After.ID, stopPage)
	if err != nil {
		return err
	}
	for _, u := range open {
		after := y.Stop(u, done.After, now)
		if after.State == u.State && after.Reason == u.Reason {
			continue
		}
		if err := saveUpdate(ctx, t, after); err != nil {
			return err
		}
		done.End(after)
	}
	return nil
}

// scanDevices offers the release to devices that are there and wait for it, in the order of their ids, a page at a
// time. It stops at the first one that there is no room for, and begins anew at the end.
func scanDevices(ctx context.Context, t *store.Tx, y rules, done *decided, now time.Time) error {
	r := &done.After
	if !r.State.Offers() {
		return nil
	}
	page, err := product(ctx, t, *r, r.Scanned, true, scanPage)
	if err != nil {
		return err
	}
	rivals, err := live(ctx, t, r.Owner, r.Name)
	if err != nil {
		return err
	}
	for i := range rivals {
		if rivals[i].ID == r.ID {
			rivals[i] = *r
		}
	}
	for _, d := range page {
		u, had, ok, err := pick(ctx, t, y, rivals, d, now)
		if err != nil {
			return err
		}
		if ok && u.Rollout == r.ID {
			if r.Room <= 0 {
				r.Idle = false
				return nil
			}
			if err := offer(ctx, t, done, u, had, now); err != nil {
				return err
			}
		}
		r.Scanned = d.Device
	}
	if len(page) < scanPage {
		r.Scanned, r.Idle = "", true
	}
	return nil
}

// pick returns what a device is offered of some rollouts, and its updates so far.
func pick(
	ctx context.Context, t *store.Tx, y rules, of []domain.Rollout, d domain.DeviceFirmware, now time.Time,
) (u domain.Update, had []domain.Update, ok bool, err error) {
	if had, err = updates(ctx, t, `u.device_id = $1`, d.Device); err != nil {
		return u, nil, false, err
	}
	by := make(map[string]domain.Update, len(had))
	for _, u := range had {
		if u.State.Active() && u.State != domain.UpdateOffered {
			return u, had, false, nil // it is busy
		}
		by[u.Rollout] = u
	}
	if u, ok = y.Pick(of, d, by, now); ok && d.Shared() {
		ok, err = stillJoined(ctx, t, d)
	}
	return u, had, ok, err
}

// stillJoined reports whether a device is joined as it was when it was read, and keeps it so until the end of the
// transaction: who takes it back waits, and then ends the offer.
func stillJoined(ctx context.Context, t *store.Tx, d domain.DeviceFirmware) (is bool, err error) {
	lock := ""
	if t.ForUpdate() != "" {
		lock = ` FOR SHARE`
	}
	var id string
	err = t.QueryRowContext(ctx, `SELECT device_id FROM firmware_joins WHERE device_id = $1 AND product_id = $2`+lock,
		d.Device, d.Joined.Product).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// offer makes an offer. It takes the place of those that the device has not begun with.
func offer(
	ctx context.Context, t *store.Tx, done *decided, u domain.Update, had []domain.Update, now time.Time,
) error {
	for _, other := range had {
		if other.Rollout == u.Rollout || !other.State.Open() {
			continue
		}
		other.State, other.EndedAt, other.ChangedAt, other.Due = domain.UpdateSuperseded, now, now, time.Time{}
		if err := saveUpdate(ctx, t, other); err != nil {
			return err
		}
	}
	if u.ID == "" {
		u.ID = domain.NewID(domain.UpdatePrefix)
	}
	if err := saveUpdate(ctx, t, u); err != nil {
		return err
	}
	if u.State == domain.UpdateOffered {
		done.Offers = append(done.Offers, u)
		done.After.Room--
	}
	return nil
}
