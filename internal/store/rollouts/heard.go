package rollouts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

type heard = domain.UpdatesHeard

// Report stores what a device runs, whose firmware comes from publisher, decides what that says about its updates, and
// offers it one if there is room, of the releases that the rules know.
func (repo *Repository) Report(
	ctx context.Context, publisher, device string, f domain.FirmwareReport, y rules, now time.Time,
) (h heard, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		h = heard{}
		concerned, err := concerned(ctx, t, publisher, device, f.Product)
		if err != nil {
			return err
		}
		if concerned {
			if err := lockOf(ctx, t, publisher, f.Product); err != nil {
				return err
			}
		}
		d, started, err := put(ctx, t, y, device, f, now)
		if err != nil || !concerned {
			return err
		}
		if err := reported(ctx, t, y, d, started, &h, now); err != nil {
			return err
		}
		return serve(ctx, t, y, d, &h, now)
	})
	return h, err
}

// concerned reports whether a rollout could have to do with a device.
func concerned(ctx context.Context, t *store.Tx, owner, device, product string) (is bool, err error) {
	err = t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM rollouts WHERE owner_id = $1 AND product = $2
		AND state IN `+offering+`) OR EXISTS (SELECT 1 FROM rollout_updates WHERE device_id = $3)`, owner, product,
		device).Scan(&is)
	return is, err
}

func reported(
	ctx context.Context, t *store.Tx, y rules, d domain.DeviceFirmware, started bool, h *heard, now time.Time,
) error {
	had, err := updates(ctx, t, `u.device_id = $1 ORDER BY u.id`+t.ForUpdate(), d.Device)
	if err != nil {
		return err
	}
	for _, u := range had {
		r, err := one(ctx, t, u.Rollout)
		if err != nil {
			return err
		}
		after := u
		if d.Takes(r) {
			after = y.Reported(u, r, d.Report, started, now)
		} else if u.State.Open() {
			after = withdrawn(u, now)
		}
		if after == u {
			continue
		}
		if err := saveUpdate(ctx, t, after); err != nil {
			return err
		}
		h.Changed = append(h.Changed, after)
	}
	return nil
}

// serve finds what the device is to be told of: what it was offered already and has not finished, or a new offer.
func serve(
	ctx context.Context, t *store.Tx, y rules, d domain.DeviceFirmware, h *heard, now time.Time,
) error {
	rivals, err := live(ctx, t, d.Publisher(), d.Report.Product)
	if err != nil {
		return err
	}
	u, had, ok, err := pick(ctx, t, y, rivals, d, now)
	if err != nil {
		return err
	}
	if !ok {
		for _, u := range had {
			if u.State.Active() && u.State.Stoppable() {
				h.Offer = &u
			}
		}
		return nil
	}
	for _, r := range rivals {
		if r.ID != u.Rollout {
			continue
		}
		if r.Room <= 0 && u.State == domain.UpdateOffered {
			if !r.Idle {
				return nil
			}
			r.Idle = false // the next decision finds it
			return save(ctx, t, r)
		}
		done := decided{After: r}
		if err := offer(ctx, t, &done, u, had, now); err != nil {
			return err
		}
		if len(done.Offers) > 0 {
			h.Offer = &done.Offers[0]
		}
		return save(ctx, t, done.After)
	}
	return nil
}

// Progress stores what a device says of an update of its own, and returns what it is to do.
func (repo *Repository) Progress(
	ctx context.Context, device string, p domain.FirmwareProgress, y rules, now time.Time,
) (u domain.Update, a domain.FirmwareAnswer, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		before, err := oneUpdate(ctx, t, `u.id = $1 AND u.device_id = $2`+t.ForUpdate(), p.Update, device)
		if err != nil {
			return err
		}
		r, err := one(ctx, t, before.Rollout)
		if err != nil {
			return err
		}
		d, _, err := firmware(ctx, t, device)
		if err != nil {
			return err
		}
		if d.Takes(r) {
			u, a = y.Progressed(before, r, p, now)
		} else {
			u, a = before, domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: domain.WhyWithdrawn}
			if u.State.Open() {
				u = withdrawn(u, now)
			}
		}
		if u == before {
			return nil
		}
		return saveUpdate(ctx, t, u)
	})
	return u, a, err
}

// Change changes a rollout as somebody wants: change says how, or why not, of what is known at that moment. Then it is
// decided what follows.
func (repo *Repository) Change(
	ctx context.Context, id string, y rules, e domain.RolloutEntry, now time.Time,
	change func(r domain.Rollout, c domain.RolloutCounts) (domain.Rollout, error),
) (done decided, err error) {
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
		c, err := counts(ctx, t, done.Before, now)
		if err != nil {
			return err
		}
		if done.After, err = change(done.Before, c); err != nil {
			return err
		}
		return changed(ctx, t, y, &done, e, now)
	})
	return done, err
}

func changed(
	ctx context.Context, t *store.Tx, y rules, done *decided, e domain.RolloutEntry, now time.Time,
) error {
	r := &done.After
	r.Revision++
	r.Scanned, r.Idle, r.Room = "", false, 0
	if err := leaveOut(ctx, t, y, *r); err != nil {
		return err
	}
	if err := stopAll(ctx, t, y, done, now); err != nil {
		return err
	}
	if !r.State.Offers() {
		if err := wake(ctx, t, *r, 0); err != nil {
			return err
		}
	}
	if r.State.Final() && r.Reverts != "" {
		if err := reverted(ctx, t, *r, e.By, now); err != nil {
			return err
		}
	}
	e.Rollout, e.At, e.Stage, e.State, e.Details = r.ID, now, r.Stage, r.State, r.Pause
	if err := note(ctx, t, e); err != nil {
		return err
	}
	if done.Changed() {
		if err := tell(ctx, t, r, e.By.ID, e.Note, now); err != nil {
			return err
		}
	}
	return save(ctx, t, *r)
}

// leaveOut marks the updates of devices that the rollout leaves out, and of no others.
func leaveOut(ctx context.Context, t *store.Tx, y rules, r domain.Rollout) error {
	for after := ""; ; {
		page, err := updates(ctx, t, `u.rollout_id = $1 AND u.id > $2 ORDER BY u.id LIMIT $3`+t.ForUpdate(), r.ID, after,
			scanPage)
		if err != nil {
			return err
		}
		for _, u := range page {
			after = u.ID
			if out := y.Excluded(r, u); out != u.Excluded {
				u.Excluded = out
				if err := saveUpdate(ctx, t, u); err != nil {
					return err
				}
			}
		}
		if len(page) < scanPage {
			return nil
		}
	}
}

// Agree notes that the owner of a device has agreed to an update.
func (repo *Repository) Agree(ctx context.Context, id string, now time.Time) (u domain.Update, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = oneUpdate(ctx, t, `u.id = $1`+t.ForUpdate(), id); err != nil || u.Agreed {
			return err
		}
		u.Agreed, u.ChangedAt = true, store.Trim(now)
		return saveUpdate(ctx, t, u)
	})
	return u, err
}
