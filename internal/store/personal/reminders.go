package personal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/notifications"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

const reminderColumns = `m.id, m.user_id, COALESCE(m.room_id, ''), COALESCE(m.seq, 0), m.text, m.key, m.fired_at,
	m.due_at, m.zone, m.minute, m.weekdays, m.month_day`

func scanReminder(row interface{ Scan(...any) error }, more ...any) (r domain.Reminder, err error) {
	var fired, due int64
	var repeat repeatRow
	into := append([]any{&r.ID, &r.User, &r.Room, &r.Seq, &r.Text, &r.Key, &fired, &due}, repeat.columns()...)
	err = row.Scan(append(into, more...)...)
	r.At, r.FiredAt, r.Repeat = store.Time(due), store.Time(fired), repeat.value()
	return r, err
}

// Remind keeps r. Its user must be allowed to read the message that it is about. If they have made a reminder with the
// key of r, that one is returned, whatever else r says.
func (repo *Repository) Remind(
	ctx context.Context, r domain.Reminder, now time.Time,
) (kept domain.Reminder, repeat bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if r.Room != "" {
			_, v, err := rooms.Readable(ctx, t, r.User, r.Room, now)
			if err != nil {
				return err
			}
			if err := roomlog.RequireMessage(ctx, t, v, r.Seq); err != nil {
				return err
			}
		}
		if err := lock(ctx, t, r.User); err != nil {
			return err
		}
		kept, err = scanReminder(t.QueryRowContext(ctx, `SELECT `+reminderColumns+` FROM reminders m
			WHERE m.user_id = $1 AND m.key = $2`, r.User, r.Key))
		if repeat = err == nil; !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var all int
		err = t.QueryRowContext(ctx, `SELECT COUNT(*) FROM reminders WHERE user_id = $1`, r.User).Scan(&all)
		if err != nil {
			return err
		}
		if all >= domain.MaxReminders {
			return domain.Conflict.Errorf(domain.CodeTooManyReminders,
				"you have %d reminders, as many as one person can; delete one first", all)
		}
		kept = r
		kept.At = store.Trim(r.At)
		_, err = t.ExecContext(ctx, `INSERT INTO reminders (id, user_id, room_id, seq, text, key, due_at, zone, minute,
			weekdays, month_day) VALUES ($1, $2, NULLIF($3, ''), NULLIF(CAST($4 AS BIGINT), 0), $5, $6, $7, $8, $9, $10, $11)`,
			append([]any{r.ID, r.User, r.Room, r.Seq, r.Text, r.Key, store.Millis(r.At)}, repeatValues(r.Repeat)...)...)
		return err
	})
	return kept, repeat, err
}

// reminders are the reminders whose messages are still there, in rooms of which their users are members, and seen by
// them.
const reminders = ` FROM reminders m LEFT JOIN members o ON o.room_id = m.room_id AND o.user_id = m.user_id
	AND o.since < m.seq LEFT JOIN rooms r ON r.id = o.room_id AND r.kind <> 'gone'
	LEFT JOIN events e ON e.room_id = r.id AND e.seq = m.seq AND e.deleted_at = 0
	WHERE (m.room_id IS NULL OR e.pos IS NOT NULL)`

// Reminders returns the reminders of user with their messages: those that ask to be seen to, and then the next ones.
func (repo *Repository) Reminders(ctx context.Context, user string) ([]domain.Reminder, error) {
	return repo.withMessages(ctx, `m.user_id = $1 ORDER BY CASE WHEN m.fired_at > 0 THEN 0 ELSE 1 END, m.fired_at,
		m.due_at, m.id`, user)
}

// withMessages reads reminders of user, who is $1 in which.
func (repo *Repository) withMessages(
	ctx context.Context, which, user string, args ...any,
) ([]domain.Reminder, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+reminderColumns+`, COALESCE(e.pos, 0)`+reminders+` AND `+which,
		append([]any{user}, args...)...)
	if err != nil {
		return nil, err
	}
	var positions []int64
	all, err := store.Collect(rows, func(rows *sql.Rows) (domain.Reminder, error) {
		var pos int64
		r, err := scanReminder(rows, &pos)
		if pos > 0 {
			positions = append(positions, pos)
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	messages, err := repo.messagesAt(ctx, user, positions)
	there := all[:0]
	for _, r := range all {
		if r.Message = messages[place{r.Room, r.Seq}]; r.Room == "" || r.Message != nil {
			there = append(there, r)
		}
	}
	return there, err
}

// Reminder returns a reminder of user with its message.
func (repo *Repository) Reminder(ctx context.Context, user, id string) (domain.Reminder, error) {
	found, err := repo.withMessages(ctx, `m.user_id = $1 AND m.id = $2`, user, id)
	if err == nil && len(found) == 0 {
		err = errNoReminder()
	}
	if err != nil {
		return domain.Reminder{}, err
	}
	return found[0], nil
}

func errNoReminder() error {
	return domain.NotFound.Errorf(domain.CodeNoReminder, "there is no such reminder; it may be done or deleted already")
}

// ChangeReminder has a reminder of user come at another time, after which it comes again as it did before.
func (repo *Repository) ChangeReminder(ctx context.Context, user, id string, at time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return changeReminder(ctx, t, `UPDATE reminders SET due_at = $3, fired_at = 0`, user, id, store.Millis(at))
	})
}

// ReminderDone says that user has seen to a reminder. If it does not come again, it is deleted.
func (repo *Repository) ReminderDone(ctx context.Context, user, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := changeReminder(ctx, t, `UPDATE reminders SET fired_at = 0`, user, id); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM reminders WHERE id = $1 AND (due_at = 0 OR zone = '')`, id)
		return err
	})
}

// DeleteReminder deletes a reminder of user.
func (repo *Repository) DeleteReminder(ctx context.Context, user, id string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return changeReminder(ctx, t, `DELETE FROM reminders`, user, id)
	})
}

func changeReminder(ctx context.Context, t *store.Tx, change, user, id string, args ...any) error {
	res, err := t.ExecContext(ctx, change+` WHERE user_id = $1 AND id = $2`, append([]any{user, id}, args...)...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = errNoReminder()
	}
	return err
}

// FireReminders has the reminders that are due ask to be seen to, at most limit, and pushes sent about them. On any
// number of nodes each comes once for each of its times; those that passed while no server ran come once together.
func (repo *Repository) FireReminders(
	ctx context.Context, limit int, now time.Time,
) (fired []domain.Reminder, err error) {
	var due bool
	// Usually none is due. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM reminders WHERE due_at > 0 AND due_at <= $1)`,
		store.Millis(now)).Scan(&due)
	if err != nil || !due {
		return nil, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		fired = nil
		rows, err := t.QueryContext(ctx, `SELECT `+reminderColumns+` FROM reminders m WHERE m.due_at > 0 AND m.due_at <= $1
			ORDER BY m.due_at, m.id LIMIT $2`+t.SkipLocked(), store.Millis(now), limit)
		if err != nil {
			return err
		}
		all, err := store.Collect(rows, func(rows *sql.Rows) (domain.Reminder, error) { return scanReminder(rows) })
		if err != nil {
			return err
		}
		for _, r := range all {
			r.FiredAt, r.At = store.Trim(now), r.Repeat.Next(now)
			_, err := t.ExecContext(ctx, `UPDATE reminders SET fired_at = $2, due_at = $3 WHERE id = $1`, r.ID,
				store.Millis(now), store.Millis(r.At))
			if err != nil {
				return err
			}
			if err := notifications.Remind(ctx, t, r, now); err != nil {
				return err
			}
			fired = append(fired, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return fired, nil
}
