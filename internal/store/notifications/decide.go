package notifications

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// atOnce is how many notifications one transaction stores: others wait for it.
const atOnce = 100

// Anybody reports whether anybody gets pushes. While nobody does there is nothing to decide.
func (repo *Repository) Anybody(ctx context.Context) (yes bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM push_subscriptions)`).Scan(&yes)
	return yes, err
}

// Recipients lists the members of a room who get pushes, and whether they follow the threads.
func (repo *Repository) Recipients(
	ctx context.Context, room string, threads []int64, now time.Time,
) ([]domain.Recipient, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT m.user_id, r.kind, COALESCE(n.settings, ''), COALESCE(l.level, '')
		FROM members m JOIN rooms r ON r.id = m.room_id LEFT JOIN notify_settings n ON n.user_id = m.user_id
		LEFT JOIN notify_levels l ON l.user_id = m.user_id AND l.room_id = m.room_id AND l.thread = 0
		WHERE m.room_id = $1 AND EXISTS (SELECT 1 FROM push_subscriptions p JOIN sessions s ON s.id = p.session_id
			WHERE p.user_id = m.user_id AND `+live("$2")+`)`, room, store.Millis(now))
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, func(rows *sql.Rows) (r domain.Recipient, err error) {
		var settings string
		var kind domain.RoomKind
		if err = rows.Scan(&r.User, &kind, &settings, &r.Room); err != nil {
			return r, err
		}
		r.Direct = kind == domain.DirectRoom
		r.Settings, err = parse(settings, r.User)
		return r, err
	})
	if err != nil || len(threads) == 0 || len(found) == 0 {
		return found, err
	}
	return found, repo.addThreads(ctx, found, room, threads)
}

// addThreads adds to members of a room what they have chosen about threads.
func (repo *Repository) addThreads(ctx context.Context, of []domain.Recipient, room string, threads []int64) error {
	byUser := make(map[string]*domain.Recipient, len(of))
	for i := range of {
		of[i].Threads, of[i].Follows = map[int64]domain.NotifyLevel{}, map[int64]bool{}
		byUser[of[i].User] = &of[i]
	}
	for some := range store.Chunks(threads) {
		args := append([]any{room}, store.Args(some)...)
		in := store.Placeholders(2, len(some))
		rows, err := repo.db.QueryContext(ctx, `SELECT user_id, root, '' FROM thread_marks WHERE room_id = $1 AND following
				AND root IN (`+in+`)
			UNION ALL SELECT user_id, thread, level FROM notify_levels WHERE room_id = $1 AND thread IN (`+in+`)`, args...)
		if err != nil {
			return err
		}
		_, err = store.Collect(rows, func(rows *sql.Rows) (_ struct{}, err error) {
			var user string
			var thread int64
			var level domain.NotifyLevel
			if err = rows.Scan(&user, &thread, &level); err != nil {
				return struct{}{}, err
			}
			if r := byUser[user]; r != nil && level == domain.NotifyDefault {
				r.Follows[thread] = true
			} else if r != nil {
				r.Threads[thread] = level
			}
			return struct{}{}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Blocked lists who of users has blocked somebody.
func (repo *Repository) Blocked(ctx context.Context, by []string, user string) (map[string]bool, error) {
	out := map[string]bool{}
	for some := range store.Chunks(by) {
		rows, err := repo.db.QueryContext(ctx, `SELECT user_id FROM blocks WHERE other_id = $1 AND user_id IN (`+
			store.Placeholders(2, len(some))+`)`, append([]any{user}, store.Args(some)...)...)
		if err != nil {
			return nil, err
		}
		users, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			out[u] = true
		}
	}
	return out, nil
}

// Record stores notifications and has them sent to the subscriptions of their users. Those that are stored already
// are left as they are: nobody is told twice. It returns those that are new; after an error, those that are stored yet.
func (repo *Repository) Record(
	ctx context.Context, all []domain.Notification, now time.Time,
) (added []domain.Notification, err error) {
	for some := range slices.Chunk(all, atOnce) {
		var isNew []domain.Notification
		err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			isNew = nil
			for _, one := range some {
				ok, err := record(ctx, t, one, now)
				if err != nil {
					return err
				}
				if ok {
					isNew = append(isNew, one)
				}
			}
			return nil
		})
		if err != nil {
			return added, err
		}
		added = append(added, isNew...)
	}
	return added, nil
}

func record(ctx context.Context, t *store.Tx, n domain.Notification, now time.Time) (isNew bool, err error) {
	res, err := t.ExecContext(ctx, `INSERT INTO notifications (user_id, room_id, seq, thread, reason, at)
		SELECT user_id, room_id, CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS BIGINT)
			FROM members WHERE user_id = $1 AND room_id = $2 AND since < $3
		ON CONFLICT (user_id, room_id, seq) DO NOTHING`, n.User, n.Room, n.Seq, n.Thread, n.Reason, store.Millis(now))
	if err != nil {
		return false, err
	}
	if count, err := res.RowsAffected(); err != nil || count == 0 {
		return false, err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO pushes (subscription_id, room_id, thread, seq, since, due_at)
		SELECT p.id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($5 AS BIGINT)
			FROM push_subscriptions p JOIN sessions s ON s.id = p.session_id
			WHERE p.user_id = $1 AND p.created_at <= $6 AND `+live("$5")+`
		ON CONFLICT (subscription_id, room_id, thread) DO UPDATE SET seq = excluded.seq WHERE pushes.seq < excluded.seq`,
		n.User, n.Room, n.Thread, n.Seq, store.Millis(now), store.Millis(n.At))
	return true, err
}

// DropUpTo deletes what is about messages of a room up to a number, which are purged.
func DropUpTo(ctx context.Context, t *store.Tx, room string, to int64) error {
	for _, table := range []string{"notifications", "pushes"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1 AND seq <= $2`, room, to); err != nil {
			return err
		}
	}
	return nil
}

// Prune deletes notifications of before a time, pushes that have none left, and subscriptions whose sessions have
// ended.
func (repo *Repository) Prune(ctx context.Context, before, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM notifications WHERE at < $1`, store.Millis(before))
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM pushes WHERE since < $1 AND NOT EXISTS (
			SELECT 1 FROM push_subscriptions p JOIN notifications n ON n.user_id = p.user_id
			WHERE p.id = pushes.subscription_id AND n.room_id = pushes.room_id AND n.thread = pushes.thread)`,
			store.Millis(before))
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM push_subscriptions WHERE session_id IN (
			SELECT id FROM sessions s WHERE NOT (`+live("$1")+`))`, store.Millis(now))
		return err
	})
}
