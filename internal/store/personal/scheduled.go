package personal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

const scheduledColumns = `scheduled_messages.id, user_id, room_id, thread, text, key, at, state, failure, tries, paused,
	zone, minute, weekdays, month_day`

func scanScheduled(row interface{ Scan(...any) error }) (m domain.Scheduled, err error) {
	var at int64
	var repeat repeatRow
	err = row.Scan(append([]any{&m.ID, &m.User, &m.Room, &m.Thread, &m.Text, &m.Key, &at, &m.State, &m.Failure, &m.Tries,
		&m.Paused}, repeat.columns()...)...)
	m.At, m.Repeat = store.Time(at), repeat.value()
	return m, err
}

// Schedule keeps m to be sent at m.At. Its user must be allowed to write in its room now. If they have scheduled a
// message with the key of m, that one is returned, whatever else m says.
func (repo *Repository) Schedule(
	ctx context.Context, m domain.Scheduled, now time.Time,
) (kept domain.Scheduled, repeat bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := rooms.LockAndAuthorize(ctx, t, m.Room, m.User, domain.SendMessage, now)
		if err != nil {
			return err
		}
		if m.Thread > r.Head {
			return domain.ErrNoMessage(m.Thread)
		}
		if err := lock(ctx, t, m.User); err != nil {
			return err
		}
		kept, err = scanScheduled(t.QueryRowContext(ctx, `SELECT `+scheduledColumns+` FROM scheduled_messages
			WHERE user_id = $1 AND key = $2`, m.User, m.Key))
		if repeat = err == nil; !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var all int
		err = t.QueryRowContext(ctx, `SELECT COUNT(*) FROM scheduled_messages WHERE user_id = $1`, m.User).Scan(&all)
		if err != nil {
			return err
		}
		if all >= domain.MaxScheduled {
			return domain.Conflict.Errorf(domain.CodeTooManyScheduled,
				"you have %d scheduled messages, as many as one person can; send or delete one first", all)
		}
		kept = m
		kept.State, kept.At = domain.ScheduledWaiting, store.Trim(m.At)
		_, err = t.ExecContext(ctx, `INSERT INTO scheduled_messages (id, user_id, room_id, thread, text, key, at, state,
			failure, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 0)`, m.ID, m.User, m.Room, m.Thread, m.Text, m.Key,
			store.Millis(m.At), kept.State)
		if err != nil {
			return err
		}
		return plan(ctx, t, kept)
	})
	return kept, repeat, err
}

// Scheduled returns the scheduled messages of user, the next one first, also those of rooms that the user has left.
func (repo *Repository) Scheduled(ctx context.Context, user string) ([]domain.Scheduled, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+scheduledColumns+` FROM scheduled_messages
		JOIN rooms r ON r.id = room_id AND r.kind <> 'gone' WHERE user_id = $1 ORDER BY at, scheduled_messages.id`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.Scheduled, error) { return scanScheduled(rows) })
}

// owned returns a scheduled message of a user that is not being sent.
func owned(ctx context.Context, t *store.Tx, user, id string) (domain.Scheduled, error) {
	m, err := scanScheduled(t.QueryRowContext(ctx, `SELECT `+scheduledColumns+` FROM scheduled_messages
		WHERE user_id = $1 AND id = $2`+t.ForUpdate(), user, id))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return m, domain.NotFound.Errorf(domain.CodeNoScheduled,
			"there is no such scheduled message; it may have been sent or deleted meanwhile")
	case err == nil && m.State == domain.ScheduledSending:
		return m, domain.Conflict.Errorf(domain.CodeScheduledSending, "this message is being sent")
	}
	return m, err
}

// Reschedule changes the text and times of a scheduled message of user. One that has failed waits again.
func (repo *Repository) Reschedule(
	ctx context.Context, user, id string, to domain.Scheduled,
) (m domain.Scheduled, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if m, err = owned(ctx, t, user, id); err != nil {
			return err
		}
		m.Text, m.At, m.Repeat, m.Paused = to.Text, store.Trim(to.At), to.Repeat, to.Paused
		m.State, m.Failure = domain.ScheduledWaiting, ""
		return plan(ctx, t, m)
	})
	return m, err
}

// SkipScheduled leaves out a time at which a message of user that repeats is sent next. If that has passed or is left
// out already, nothing changes.
func (repo *Repository) SkipScheduled(
	ctx context.Context, user, id string, at, now time.Time,
) (m domain.Scheduled, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if m, err = owned(ctx, t, user, id); err != nil {
			return err
		}
		switch {
		case m.Repeat.Zero():
			return domain.InvalidField("/at", "this message is sent once; delete it, or choose another time for it")
		case at.After(m.At):
			return domain.InvalidField("/at", "this is not when the message is sent next")
		case at.Before(m.At), m.State == domain.ScheduledFailed:
			return nil
		}
		if next := m.Repeat.Next(later(m.At, now)); !next.IsZero() {
			m.At = next
		}
		return plan(ctx, t, m)
	})
	return m, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// plan stores text, times and state of a message that is not being sent. What repeats is due by a column of its own,
// which programs do not read that would send it only once.
func plan(ctx context.Context, t *store.Tx, m domain.Scheduled) error {
	var due, again int64
	switch {
	case m.State != domain.ScheduledWaiting, m.Paused:
	case m.Repeat.Zero():
		due = store.Millis(m.At)
	default:
		again = store.Millis(m.At)
	}
	_, err := t.ExecContext(ctx, `UPDATE scheduled_messages SET text = $2, at = $3, state = $4, failure = $5, due_at = $6,
		again_at = $7, paused = $8, zone = $9, minute = $10, weekdays = $11, month_day = $12 WHERE id = $1`,
		append([]any{m.ID, m.Text, store.Millis(m.At), m.State, m.Failure, due, again, m.Paused},
			repeatValues(m.Repeat)...)...)
	return err
}

// Unschedule deletes a scheduled message of user.
func (repo *Repository) Unschedule(ctx context.Context, user, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := owned(ctx, t, user, id); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM scheduled_messages WHERE id = $1`, id)
		return err
	})
}

// TakeScheduled leases a scheduled message of user, which is due now.
func (repo *Repository) TakeScheduled(
	ctx context.Context, user, id string, lease time.Duration, now time.Time,
) (m domain.Scheduled, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := owned(ctx, t, user, id); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE scheduled_messages SET at = $2 WHERE id = $1`, id, store.Millis(now))
		if err != nil {
			return err
		}
		m, err = take(ctx, t, id, now.Add(lease))
		return err
	})
	return m, err
}

// scheduledDue are the scheduled messages that are due. The account may be disabled for a while, and rooms that are
// gone are deleted soon. PostgreSQL asks a row that another node has just leased again, in what the row itself says:
// so its times stand here, and in no subquery.
const scheduledDue = ` FROM scheduled_messages m
	WHERE (m.due_at > 0 AND m.due_at <= $1 OR m.again_at > 0 AND m.again_at <= $1)
	AND EXISTS (SELECT 1 FROM users u WHERE u.id = m.user_id AND NOT u.disabled)
	AND EXISTS (SELECT 1 FROM rooms r WHERE r.id = m.room_id AND r.kind <> 'gone')`

// ClaimScheduled leases the scheduled messages that are due, at most limit: nobody else, on any node, gets them during
// lease. With an error nothing is leased.
func (repo *Repository) ClaimScheduled(
	ctx context.Context, limit int, lease time.Duration, now time.Time,
) (claimed []domain.Scheduled, err error) {
	var due bool
	// Usually none is due. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1`+scheduledDue+`)`, store.Millis(now)).Scan(&due)
	if err != nil || !due {
		return nil, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		claimed = nil
		rows, err := t.QueryContext(ctx, `SELECT m.id`+scheduledDue+` ORDER BY m.due_at + m.again_at, m.id
			LIMIT $2`+t.SkipLocked(), store.Millis(now), limit)
		if err != nil {
			return err
		}
		ids, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m, err := take(ctx, t, id, now.Add(lease))
			if err != nil {
				return err
			}
			claimed = append(claimed, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func take(ctx context.Context, t *store.Tx, id string, until time.Time) (domain.Scheduled, error) {
	return scanScheduled(t.QueryRowContext(ctx, `UPDATE scheduled_messages SET state = $2, failure = '', `+dueIn("$3")+`,
		tries = tries + 1 WHERE id = $1 RETURNING `+scheduledColumns, id, domain.ScheduledSending, store.Millis(until)))
}

// dueIn sets when a message is taken next.
func dueIn(param string) string {
	return `due_at = CASE WHEN zone = '' THEN CAST(` + param + ` AS BIGINT) ELSE 0 END,
		again_at = CASE WHEN zone = '' THEN 0 ELSE CAST(` + param + ` AS BIGINT) END`
}

// FinishScheduled deletes a leased message that was sent. If somebody else has leased it since, nothing changes here
// and below.
func (repo *Repository) FinishScheduled(ctx context.Context, m domain.Scheduled) error {
	return repo.settle(ctx, m, `DELETE FROM scheduled_messages`)
}

// AdvanceScheduled has a leased message that repeats wait for its next time. why is set if it was not sent now.
func (repo *Repository) AdvanceScheduled(
	ctx context.Context, m domain.Scheduled, why domain.Code, now time.Time,
) (next domain.Scheduled, err error) {
	next = m
	next.State, next.Failure, next.At = domain.ScheduledWaiting, why, m.Repeat.Next(later(m.At, now))
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var id string
		err := t.QueryRowContext(ctx, `SELECT id FROM scheduled_messages WHERE id = $1 AND tries = $2
			AND state = 'sending'`+t.ForUpdate(), m.ID, m.Tries).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return plan(ctx, t, next)
	})
	return next, err
}

// FailScheduled keeps a leased message that cannot be sent, with the code of the error. It is not sent any more.
func (repo *Repository) FailScheduled(ctx context.Context, m domain.Scheduled, why domain.Code) error {
	return repo.settle(ctx, m, `UPDATE scheduled_messages SET state = 'failed', due_at = 0, again_at = 0,
		failure = $3`, why)
}

// RetryScheduled has a leased message tried again at a time.
func (repo *Repository) RetryScheduled(ctx context.Context, m domain.Scheduled, at time.Time) error {
	return repo.settle(ctx, m, `UPDATE scheduled_messages SET `+dueIn("$3"), store.Millis(at))
}

func (repo *Repository) settle(ctx context.Context, m domain.Scheduled, change string, args ...any) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, change+` WHERE id = $1 AND tries = $2 AND state = 'sending'`,
			append([]any{m.ID, m.Tries}, args...)...)
		return err
	})
}
