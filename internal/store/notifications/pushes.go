package notifications

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// stored is where a push is stored: its table, the condition of SQL that names it there, and the arguments of that.
func stored(p domain.Push) (table, where string, args []any) {
	if p.Reminder != "" {
		return "reminder_pushes", ` WHERE subscription_id = $1 AND reminder_id = $2`, []any{p.Subscription.ID, p.Reminder}
	}
	if p.Reports {
		return "report_pushes", ` WHERE subscription_id = $1 AND desk = $2`, []any{p.Subscription.ID, p.Room}
	}
	return "pushes", ` WHERE subscription_id = $1 AND room_id = $2 AND thread = $3`,
		[]any{p.Subscription.ID, p.Room, p.Thread}
}

// Claim leases the pushes that are due, at most limit: nobody else, on any node, gets them during lease. Those whose
// sessions have ended are left out. With an error nothing is leased, and nothing returned.
func (repo *Repository) Claim(
	ctx context.Context, limit int, lease time.Duration, now time.Time,
) (claimed []domain.Push, err error) {
	var due bool
	// Usually none is due. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pushes WHERE due_at <= $1)
		OR EXISTS (SELECT 1 FROM reminder_pushes WHERE due_at <= $1)
		OR EXISTS (SELECT 1 FROM report_pushes WHERE due_at <= $1)`, store.Millis(now)).Scan(&due)
	if err != nil || !due {
		return nil, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		claimed = nil
		for _, from := range []string{`subscription_id, '', 0, reminder_id, FALSE FROM reminder_pushes`,
			`subscription_id, desk, 0, '', TRUE FROM report_pushes`,
			`subscription_id, room_id, thread, '', FALSE FROM pushes`} {
			rows, err := t.QueryContext(ctx, `SELECT `+from+` WHERE due_at <= $1 ORDER BY due_at LIMIT $2`+t.SkipLocked(),
				store.Millis(now), limit-len(claimed))
			if err != nil {
				return err
			}
			keys, err := store.Collect(rows, func(rows *sql.Rows) (p domain.Push, err error) {
				err = rows.Scan(&p.Subscription.ID, &p.Room, &p.Thread, &p.Reminder, &p.Reports)
				return p, err
			})
			if err != nil {
				return err
			}
			for _, p := range keys {
				if p, err = claim(ctx, t, p, now.Add(lease)); err != nil {
					return err
				}
				claimed = append(claimed, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err // nothing is leased
	}
	return claimed, nil
}

func claim(ctx context.Context, t *store.Tx, p domain.Push, until time.Time) (domain.Push, error) {
	var since, created, sent, failed int64
	table, where, args := stored(p)
	err := t.QueryRowContext(ctx, fmt.Sprintf(`UPDATE %s SET due_at = $%d, tries = tries + 1%s
		RETURNING seq, since, tries`, table, len(args)+1, where), append(args, store.Millis(until))...).
		Scan(&p.Seq, &since, &p.Tries)
	if err != nil {
		return p, err
	}
	p.Since = store.Time(since)
	err = t.QueryRowContext(ctx, `SELECT `+columns+` FROM push_subscriptions p JOIN sessions s ON s.id = p.session_id
		WHERE p.id = $1`, p.Subscription.ID).Scan(dest(&p.Subscription, &created, &sent, &failed)...)
	p.Subscription.FailedAt = store.Time(failed)
	return p, err
}

// State tells what a push is about. It is empty if there is nothing to say any more: all is read, or deleted, or of
// somebody whom the user has blocked, or the user wants to be told no more of it, or may not read the room, or their
// session has ended.
func (repo *Repository) State(ctx context.Context, p domain.Push, now time.Time) (st domain.PushState, err error) {
	if p.Reminder != "" {
		return repo.reminderState(ctx, p, now)
	}
	if p.Reports {
		return repo.reportsState(ctx, p, now)
	}
	user := p.Subscription.User
	var settings string
	var kind domain.RoomKind
	var level domain.NotifyLevel
	var read int64
	v := domain.View{Room: p.Room}
	err = repo.db.QueryRowContext(ctx, `SELECT COALESCE(n.settings, ''), COALESCE(n.version, 0), u.status_mode, r.kind, r.name, r.avatar,
		CASE WHEN CAST($4 AS BIGINT) = 0 THEN m.read_seq WHEN COALESCE(t.read_seq, 0) > m.threads_read THEN t.read_seq
			ELSE m.threads_read END, COALESCE(lt.level, lr.level, ''), m.since
		FROM members m JOIN users u ON u.id = m.user_id JOIN rooms r ON r.id = m.room_id
		JOIN sessions s ON s.id = $3 AND `+live("$5")+`
		LEFT JOIN notify_settings n ON n.user_id = m.user_id
		LEFT JOIN thread_marks t ON t.user_id = m.user_id AND t.room_id = m.room_id AND t.root = $4
		LEFT JOIN notify_levels lr ON lr.user_id = m.user_id AND lr.room_id = m.room_id AND lr.thread = 0
		LEFT JOIN notify_levels lt ON lt.user_id = m.user_id AND lt.room_id = m.room_id AND lt.thread = $4
		WHERE m.user_id = $1 AND m.room_id = $2 AND NOT u.disabled`, user, p.Room, p.Subscription.Session, p.Thread,
		store.Millis(now)).Scan(&settings, &st.Version, &st.Mode, &kind, &st.Name, &st.Picture, &read,
		&level, &v.Since)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.PushState{}, nil
	}
	if err != nil {
		return st, err
	}
	st.Direct = kind == domain.DirectRoom
	if st.Settings, err = parse(settings, user); err != nil {
		return st, err
	}
	if level == domain.NotifyDefault {
		level = st.Settings.Level
	}
	if level == domain.NotifyNothing {
		return st, nil
	}
	err = repo.untold(ctx, p, v, level, v.After(read), &st)
	return st, err
}

// untold adds to st how many messages after read a push is about, and the one of which its user is told last. That may
// be one before others: it was edited, and names them now.
func (repo *Repository) untold(
	ctx context.Context, p domain.Push, v domain.View, level domain.NotifyLevel, read int64, st *domain.PushState,
) error {
	var last int64
	// In one statement, so that the number and the last one are of one moment.
	err := repo.db.QueryRowContext(ctx, `SELECT count(*) OVER (), n.seq, n.reason
		FROM notifications n JOIN events e ON e.room_id = n.room_id AND e.seq = n.seq
		WHERE n.user_id = $1 AND n.room_id = $2 AND n.thread = $3 AND n.seq > $4 AND e.deleted_at = 0
			AND (n.reason <> 'all' OR CAST($5 AS TEXT) = 'all')
			AND `+roomlog.NotBlocked("n.user_id", "e.actor_id")+`
		ORDER BY n.at DESC, n.seq DESC LIMIT 1`, p.Subscription.User, p.Room, p.Thread, read, level).
		Scan(&st.Count, &last, &st.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	st.Last, _, err = roomlog.BySeq(ctx, repo.db, v, last)
	return err
}

// Postpone has a claimed push sent later, or at once if the user has chosen other settings since those of version. It
// was not tried.
func (repo *Repository) Postpone(ctx context.Context, p domain.Push, version int64, until time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var now int64
		err := t.QueryRowContext(ctx, `SELECT version FROM notify_settings WHERE user_id = $1`+t.ForUpdate(),
			p.Subscription.User).Scan(&now)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if now != version {
			until = time.Time{}
		}
		return putOff(ctx, t, p, until, p.Tries-1)
	})
}

// Retry has a claimed push tried again later.
func (repo *Repository) Retry(ctx context.Context, p domain.Push, at time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return putOff(ctx, t, p, at, p.Tries) })
}

func putOff(ctx context.Context, t *store.Tx, p domain.Push, until time.Time, tries int) error {
	table, where, args := stored(p)
	_, err := t.ExecContext(ctx, fmt.Sprintf(`UPDATE %s SET due_at = $%d, tries = $%d%s`, table, len(args)+1, len(args)+2,
		where), append(args, store.Millis(until), tries)...)
	return err
}

// Finish records that a claimed push was sent, or is to be sent no more. What came meanwhile is sent next.
func (repo *Repository) Finish(ctx context.Context, p domain.Push, sent bool, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		table, where, args := stored(p)
		n := len(args) + 1
		args = append(args, p.Seq)
		_, err := t.ExecContext(ctx, fmt.Sprintf(`DELETE FROM %s%s AND seq <= $%d`, table, where, n), args...)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, fmt.Sprintf(`UPDATE %s SET due_at = $%d, since = $%[2]d, tries = 0%s AND seq > $%d`,
			table, n+1, where, n), append(args, store.Millis(now))...)
		if err != nil || !sent {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE push_subscriptions SET sent_at = $2, failed_at = 0, failure = '' WHERE id = $1`,
			p.Subscription.ID, store.Millis(now))
		return err
	})
}

// Failed records why a subscription gets nothing. since is kept from the first failure on.
func (repo *Repository) Failed(ctx context.Context, subscription, why string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE push_subscriptions SET failure = $2,
			failed_at = CASE WHEN failed_at = 0 THEN $3 ELSE failed_at END WHERE id = $1`, subscription, why, store.Millis(now))
		return err
	})
}

// Gone deletes a subscription that has ended, as its push service says.
func (repo *Repository) Gone(ctx context.Context, subscription string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM push_subscriptions WHERE id = $1`, subscription)
		return err
	})
}

// Waiting returns how many pushes wait.
func (repo *Repository) Waiting(ctx context.Context) (n int, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM pushes)
		+ (SELECT count(*) FROM reminder_pushes) + (SELECT count(*) FROM report_pushes)`).Scan(&n)
	return n, err
}
