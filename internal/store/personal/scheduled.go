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

const scheduledColumns = `scheduled_messages.id, user_id, room_id, thread, text, key, at, state, failure, tries`

func scanScheduled(row interface{ Scan(...any) error }) (m domain.Scheduled, err error) {
	var at int64
	err = row.Scan(&m.ID, &m.User, &m.Room, &m.Thread, &m.Text, &m.Key, &at, &m.State, &m.Failure, &m.Tries)
	m.At = store.Time(at)
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
			failure, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $7)`, m.ID, m.User, m.Room, m.Thread, m.Text, m.Key,
			store.Millis(m.At), kept.State)
		return err
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

// Reschedule changes the text and time of a scheduled message of user. One that has failed waits again.
func (repo *Repository) Reschedule(
	ctx context.Context, user, id, text string, at time.Time,
) (m domain.Scheduled, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if m, err = owned(ctx, t, user, id); err != nil {
			return err
		}
		m.Text, m.At, m.State, m.Failure = text, store.Trim(at), domain.ScheduledWaiting, ""
		_, err := t.ExecContext(ctx, `UPDATE scheduled_messages SET text = $2, at = $3, due_at = $3, state = $4,
			failure = '' WHERE id = $1`, id, text, store.Millis(at), m.State)
		return err
	})
	return m, err
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
// so its due_at stands here, and in no subquery.
const scheduledDue = ` FROM scheduled_messages m WHERE m.due_at > 0 AND m.due_at <= $1
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
		rows, err := t.QueryContext(ctx, `SELECT m.id`+scheduledDue+` ORDER BY m.due_at, m.id LIMIT $2`+t.SkipLocked(),
			store.Millis(now), limit)
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
	return scanScheduled(t.QueryRowContext(ctx, `UPDATE scheduled_messages SET state = $2, failure = '', due_at = $3,
		tries = tries + 1 WHERE id = $1 RETURNING `+scheduledColumns, id, domain.ScheduledSending, store.Millis(until)))
}

// FinishScheduled deletes a leased message that was sent. If somebody else has leased it since, nothing changes here
// and below.
func (repo *Repository) FinishScheduled(ctx context.Context, m domain.Scheduled) error {
	return repo.settle(ctx, m, `DELETE FROM scheduled_messages`)
}

// FailScheduled keeps a leased message that cannot be sent, with the code of the error.
func (repo *Repository) FailScheduled(ctx context.Context, m domain.Scheduled, why domain.Code) error {
	return repo.settle(ctx, m, `UPDATE scheduled_messages SET state = 'failed', due_at = 0, failure = $3`, why)
}

// RetryScheduled has a leased message tried again at a time.
func (repo *Repository) RetryScheduled(ctx context.Context, m domain.Scheduled, at time.Time) error {
	return repo.settle(ctx, m, `UPDATE scheduled_messages SET due_at = $3`, store.Millis(at))
}

func (repo *Repository) settle(ctx context.Context, m domain.Scheduled, change string, args ...any) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, change+` WHERE id = $1 AND tries = $2 AND state = 'sending'`,
			append([]any{m.ID, m.Tries}, args...)...)
		return err
	})
}
