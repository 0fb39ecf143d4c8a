package commands

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// progressEvery is how often a room is told of progress; the command itself has each.
const progressEvery = 5 * time.Second

// change carries out one change of a command in a transaction, and tells its room. apply changes
// the command and reports whether it did.
func (repo *Repository) change(
	ctx context.Context, device, id, actor string, now time.Time, apply func(*row) (bool, error),
) (c domain.Command, changed bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		found, err := where(ctx, t, `c.id = $1 AND c.device_id = $2`+forUpdate(t), id, device)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return domain.ErrNoCommand()
		}
		r, before := &found[0], found[0].State
		changed, err = apply(r)
		c = r.Command
		if err != nil || !changed {
			return err
		}
		r.ChangedAt = now
		c = r.Command
		if r.Batch != "" {
			return changeInBatch(ctx, t, r, before, now)
		}
		if r.State != before || now.Sub(r.told) >= progressEvery {
			kept, err := tell(ctx, t, r, actor, now)
			if err != nil {
				return err
			}
			if !kept && !r.State.Open() {
				return remove(ctx, t, r)
			}
			r.told = now
		}
		return save(ctx, t, r)
	})
	return c, changed, err
}

// forUpdate locks the command alone.
func forUpdate(t *store.Tx) string {
	if t.ForUpdate() == "" {
		return ""
	}
	return t.ForUpdate() + ` OF c`
}

func remove(ctx context.Context, t *store.Tx, r *row) error {
	_, err := t.ExecContext(ctx, `DELETE FROM commands WHERE id = $1`, r.ID)
	return err
}

func save(ctx context.Context, t *store.Tx, r *row) error {
	var progress, result any
	if r.Progress != nil {
		progress = *r.Progress
	}
	if r.Result != nil {
		result = string(r.Result)
	}
	_, err := t.ExecContext(ctx, `UPDATE commands SET state = $2, progress = $3, result = $4, error = $5, changed_at = $6,
		told_at = $7, due_at = $8 WHERE id = $1`, r.ID, r.State, progress, result, r.Error, store.Millis(r.ChangedAt),
		store.Millis(r.told), store.Millis(r.due))
	return err
}

// tell writes a change into the room's log, and into the line of the command itself. What a device
// says that may not write there any more is left out. kept is false if the line is not kept any
// more: then the command is not, either, once it has ended.
func tell(ctx context.Context, t *store.Tx, r *row, actor string, now time.Time) (kept bool, err error) {
	if r.Room == "" {
		return true, nil
	}
	room, err := rooms.ByID(ctx, t, r.Room, t.ForUpdate())
	if domain.KindOf(err) == domain.NotFound {
		return false, nil
	}
	if err != nil || room.Floor >= r.Seq {
		return false, err
	}
	m, err := rooms.MemberOf(ctx, t, r.Room, r.Device)
	if err != nil {
		return true, err
	}
	line := r.Line()
	if m.Role == domain.NonMember || m.Muted(now) {
		line.Result, line.Error = nil, ""
	}
	by, err := accounts.Ref(ctx, t, actor)
	if err != nil {
		return true, err
	}
	device, err := accounts.Ref(ctx, t, r.Device)
	if err != nil {
		return true, err
	}
	e := domain.Event{Room: r.Room, Type: domain.CommandChanged, Actor: by, Subject: &device, At: now, Trace: r.Trace,
		Payload: domain.CommandChangedPayload{Of: r.Seq, Command: line}}
	if err := roomlog.Append(ctx, t, &e, r.Seq); err != nil {
		return true, err
	}
	given := domain.Event{Room: r.Room, Seq: r.Seq, Type: domain.CommandGiven,
		Payload: domain.CommandSentPayload{Command: line}}
	return true, roomlog.Restate(ctx, t, &given)
}

// Sent stores that a command was written to a connection of its device.
func (repo *Repository) Sent(ctx context.Context, device, id string, now time.Time) (domain.Command, bool, error) {
	return repo.change(ctx, device, id, device, now, func(r *row) (bool, error) {
		if !domain.CommandSent.After(r.State) {
			return false, nil
		}
		r.State = domain.CommandSent
		return true, nil
	})
}

// Report stores what a device says about a command of its own. What it has said before, or what
// is older than that, changes nothing.
func (repo *Repository) Report(
	ctx context.Context, device string, rep domain.CommandReport, now time.Time,
) (domain.Command, bool, error) {
	return repo.change(ctx, device, rep.ID, device, now, func(r *row) (bool, error) {
		progress := rep.Progress != nil && (r.Progress == nil || *r.Progress != *rep.Progress)
		if !rep.State.After(r.State) && (rep.State != r.State || rep.State != domain.CommandRunning || !progress) {
			return false, nil
		}
		r.State, r.due = rep.State, time.Time{}
		if rep.Progress != nil {
			r.Progress = rep.Progress
		}
		if rep.State.Open() {
			r.due = now.Add(domain.CommandPatience)
			if r.Expires.After(r.due) {
				r.due = r.Expires
			}
			return true, nil
		}
		r.Result, r.Error = rep.Result, rep.Error
		return true, nil
	})
}

// Cancel withdraws a command that its device does not have yet.
func (repo *Repository) Cancel(
	ctx context.Context, device, id, actor string, now time.Time,
) (domain.Command, bool, error) {
	return repo.change(ctx, device, id, actor, now, func(r *row) (bool, error) {
		switch r.State {
		case domain.CommandCancelled:
			return false, nil
		case domain.CommandQueued, domain.CommandSent:
			r.State, r.due = domain.CommandCancelled, time.Time{}
			return true, nil
		}
		return false, domain.Conflict.Errorf(domain.CodeCommandReceived,
			"the device has this command already, or it has ended")
	})
}

// Expire gives up on commands that are due, some at a time, and returns them.
func (repo *Repository) Expire(ctx context.Context, now time.Time, limit int) (expired []domain.Command, err error) {
	due, err := where(ctx, repo.db, `c.due_at <> 0 AND c.due_at <= $1 ORDER BY c.due_at LIMIT $2`, store.Millis(now),
		limit)
	if err != nil {
		return nil, err
	}
	for _, d := range due {
		c, changed, err := repo.change(ctx, d.Device, d.ID, d.Device, now, func(r *row) (bool, error) {
			if r.due.IsZero() || r.due.After(now) {
				return false, nil // another node was first, or the device has said something
			}
			r.State, r.due = domain.CommandExpired, time.Time{}
			return true, nil
		})
		if err != nil {
			return expired, err
		}
		if changed {
			expired = append(expired, c)
		}
	}
	return expired, nil
}

// CancelOpen withdraws all open commands of a device that changes hands, and returns them.
func CancelOpen(ctx context.Context, t *store.Tx, device, actor string, now time.Time) ([]domain.Command, error) {
	open, err := where(ctx, t, `c.device_id = $1 AND c.due_at <> 0 ORDER BY c.id`+forUpdate(t), device)
	if err != nil {
		return nil, err
	}
	for i := range open {
		r := &open[i]
		before := r.State
		r.State, r.due, r.ChangedAt = domain.CommandCancelled, time.Time{}, now
		if r.Batch != "" {
			err = changeInBatch(ctx, t, r, before, now)
		} else if _, err = tell(ctx, t, r, actor, now); err == nil {
			err = save(ctx, t, r)
		}
		if err != nil {
			return nil, err
		}
	}
	return listed(open, nil)
}
