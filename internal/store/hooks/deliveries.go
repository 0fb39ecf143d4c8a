package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A listener is what decides which events an outgoing webhook sends.
type listener struct {
	id, room string
	types    []domain.EventType
	programs bool
	after    int64
}

// wants reports whether a webhook sends e. It never sends what it does itself.
func (l listener) wants(e domain.Event) bool {
	return e.Room == l.room && e.Seq > l.after && e.Actor.ID != l.id && (l.programs || e.Actor.Kind != domain.KindBot) &&
		slices.Contains(l.types, e.Type)
}

// Enqueue stores which of events the webhooks of their rooms are to send, each once. It returns how many are new.
func (repo *Outgoing) Enqueue(ctx context.Context, events []domain.Event, now time.Time) (added int, err error) {
	var rooms []string
	for _, e := range events {
		if !slices.Contains(rooms, e.Room) {
			rooms = append(rooms, e.Room)
		}
	}
	if len(rooms) == 0 {
		return 0, nil
	}
	all, err := listeners(ctx, repo.db, rooms)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		added = 0
		for _, l := range all {
			n, err := enqueue(ctx, t, l, events, now)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	return added, err
}

func listeners(ctx context.Context, q store.Queryer, rooms []string) ([]listener, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, room_id, types, programs, after_seq FROM outgoing_hooks
		WHERE off = '' AND room_id IN (`+store.Placeholders(1, len(rooms))+`) ORDER BY id`, store.Args(rooms)...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (l listener, err error) {
		var types string
		err = rows.Scan(&l.id, &l.room, &types, &l.programs, &l.after)
		l.types = splitTypes(types)
		return l, err
	})
}

func enqueue(
	ctx context.Context, t *store.Tx, l listener, events []domain.Event, now time.Time,
) (added int, err error) {
	for _, e := range events {
		if !l.wants(e) {
			continue
		}
		// A webhook that was removed meanwhile sends nothing.
		res, err := t.ExecContext(ctx, `INSERT INTO hook_deliveries (hook_id, id, event, type, at, state, manual)
			SELECT id, $2, $3, $4, $5, $6, FALSE FROM outgoing_hooks WHERE id = $1 ON CONFLICT (hook_id, id) DO NOTHING`,
			l.id, fmt.Sprintf("%s:%d", e.Room, e.Seq), e.Seq, e.Type, store.Millis(e.At), domain.DeliveryWaiting)
		if err != nil {
			return added, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return added, err
		}
		added += int(n)
	}
	if added == 0 {
		return 0, nil
	}
	return added, wake(ctx, t, l.id, now)
}

// wake has a webhook tried that had nothing to send. It writes the row of one that has, too, and so waits for Release:
// that sees either what the transaction of t stores, or is seen by it.
func wake(ctx context.Context, t *store.Tx, hook string, now time.Time) error {
	_, err := t.ExecContext(ctx, `UPDATE outgoing_hooks SET due_at = CASE WHEN due_at = 0 THEN $2 ELSE due_at END
		WHERE id = $1`, hook, store.Millis(now))
	return err
}

// ClaimHooks leases the webhooks that are due, at most limit, but none of those whose makers are in except: nobody
// else, on any node, gets them until the lease ends.
func (repo *Outgoing) ClaimHooks(
	ctx context.Context, limit int, except []string, lease time.Duration, now time.Time,
) (claimed []domain.OutHook, err error) {
	which := ` FROM outgoing_hooks WHERE due_at > 0 AND due_at <= $1 AND lease <= $1`
	args := []any{store.Millis(now)}
	if len(except) > 0 {
		which += ` AND created_by NOT IN (` + store.Placeholders(2, len(except)) + `)`
		args = append(args, store.Args(except)...)
	}
	var due int
	// Usually none is due. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT 1`+which+` LIMIT 1`, args...).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		claimed = nil
		rows, err := t.QueryContext(ctx, fmt.Sprintf(`SELECT id%s ORDER BY due_at LIMIT %d%s`, which, limit, t.SkipLocked()),
			args...)
		if err != nil {
			return err
		}
		ids, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		for _, id := range ids {
			until := store.Trim(now.Add(lease))
			_, err := t.ExecContext(ctx, `UPDATE outgoing_hooks SET lease = $2 WHERE id = $1`, id, store.Millis(until))
			if err != nil {
				return err
			}
			h, err := one(outHooks(ctx, t, `h.id = $1`, id))
			if err != nil {
				return err
			}
			h.Lease = until
			claimed = append(claimed, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

const selectDeliveries = `SELECT hook_id, id, event, type, at, state, manual, tries, tried_at, duration, status, answer,
	failure FROM hook_deliveries WHERE `

func deliveries(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.Delivery, error) {
	rows, err := q.QueryContext(ctx, selectDeliveries+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (d domain.Delivery, err error) {
		var at, tried, took int64
		err = rows.Scan(&d.Hook, &d.ID, &d.Seq, &d.Type, &at, &d.State, &d.Manual, &d.Tries, &tried, &took, &d.Status,
			&d.Answer, &d.Failure)
		d.At, d.TriedAt, d.Duration = store.Time(at), store.Time(tried), time.Duration(took)*time.Millisecond
		return d, err
	})
}

// Deliveries returns what a webhook sends and has sent, the newest first.
func (repo *Outgoing) Deliveries(ctx context.Context, hook string, limit int) ([]domain.Delivery, error) {
	return deliveries(ctx, repo.db, `hook_id = $1 ORDER BY at DESC, event DESC LIMIT $2`, hook, limit)
}

// NextDelivery returns what a webhook sends next: what somebody asked for, and otherwise the first event that waits. Of
// one that is off, only the former.
func (repo *Outgoing) NextDelivery(ctx context.Context, hook string) (d domain.Delivery, ok bool, err error) {
	found, err := deliveries(ctx, repo.db, `hook_id = $1 AND state = 'waiting' AND manual ORDER BY event LIMIT 1`, hook)
	if err == nil && len(found) == 0 {
		found, err = deliveries(ctx, repo.db, `hook_id = $1 AND state = 'waiting'
			AND EXISTS (SELECT 1 FROM outgoing_hooks WHERE id = $1 AND off = '') ORDER BY event LIMIT 1`, hook)
	}
	if err != nil || len(found) == 0 {
		return d, false, err
	}
	return found[0], true, nil
}

// Settle stores what became of an attempt to deliver d. What somebody asked for says nothing of the webhook, unless the
// receiver took it, or has ended.
func (repo *Outgoing) Settle(ctx context.Context, d domain.Delivery, o domain.Outcome, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE hook_deliveries SET state = $3, manual = FALSE, tries = tries + 1, tried_at = $4,
			duration = $5, status = $6, answer = $7, failure = $8 WHERE hook_id = $1 AND id = $2`, d.Hook, d.ID, o.State,
			store.Millis(now), o.Duration.Milliseconds(), o.Status, o.Answer, o.Failure)
		if err != nil || o.State == domain.DeliveryDropped {
			return err
		}
		if o.Failure == "" {
			_, err = t.ExecContext(ctx, `UPDATE outgoing_hooks SET sent_at = $2, failed_at = 0, failure = '' WHERE id = $1`,
				d.Hook, store.Millis(now))
			return err
		}
		if d.Manual && o.Off == "" {
			return nil
		}
		_, err = t.ExecContext(ctx, `UPDATE outgoing_hooks SET failure = $2, off = CASE WHEN off = '' THEN $3 ELSE off END,
			failed_at = CASE WHEN failed_at = 0 THEN $4 ELSE failed_at END WHERE id = $1`, d.Hook, o.Failure, o.Off,
			store.Millis(now))
		return err
	})
}

// Release ends the lease of h: it goes on at a time, or, with zero, at once if anything waits that may be sent.
func (repo *Outgoing) Release(ctx context.Context, h domain.OutHook, again, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// This locks the row: what is enqueued meanwhile sees that the webhook has nothing to do (see wake).
		res, err := t.ExecContext(ctx, `UPDATE outgoing_hooks SET due_at = 0, lease = 0 WHERE id = $1 AND lease = $2`, h.ID,
			store.Millis(h.Lease))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err // it was removed, or another node has it
		}
		var manual, waiting bool
		err = t.QueryRowContext(ctx, `SELECT
			EXISTS (SELECT 1 FROM hook_deliveries WHERE hook_id = $1 AND state = 'waiting' AND manual),
			EXISTS (SELECT 1 FROM hook_deliveries WHERE hook_id = $1 AND state = 'waiting')
				AND EXISTS (SELECT 1 FROM outgoing_hooks WHERE id = $1 AND off = '')`, h.ID).Scan(&manual, &waiting)
		if err != nil || !manual && !waiting {
			return err
		}
		if manual || again.IsZero() {
			again = now
		}
		return wake(ctx, t, h.ID, again)
	})
}

// Ask has a delivery sent at once, ahead of what waits, and tried once: a test, or one that has ended.
func (repo *Outgoing) Ask(ctx context.Context, d domain.Delivery, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		query := `UPDATE hook_deliveries SET state = $3, manual = TRUE, tries = 0 WHERE hook_id = $1 AND id = $2
			AND state <> $3`
		args := []any{d.Hook, d.ID, domain.DeliveryWaiting}
		if d.Type == domain.HookTest && d.Seq == 0 && d.State == "" {
			query = `INSERT INTO hook_deliveries (hook_id, id, event, type, at, state, manual)
				SELECT id, $2, 0, $4, $5, $3, TRUE FROM outgoing_hooks WHERE id = $1`
			args = append(args, d.Type, store.Millis(d.At))
		}
		res, err := t.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf(domain.CodeNoHook,
				"there is no such delivery that has ended; it may be forgotten by now, or wait to be sent"))
		}
		_, err = t.ExecContext(ctx, `UPDATE outgoing_hooks SET due_at = $2 WHERE id = $1`, d.Hook, store.Millis(now))
		return err
	})
}

// PruneDeliveries forgets deliveries that have ended, and drops those that wait for too long or are too many.
func (repo *Outgoing) PruneDeliveries(ctx context.Context, now time.Time) (dropped int64, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT hook_id FROM hook_deliveries GROUP BY hook_id
		HAVING min(at) < $1 OR count(*) > $2`, store.Millis(now.Add(-min(domain.HookDeliveredKept, domain.HookWaitingKept))),
		domain.MaxHookDelivered)
	if err != nil {
		return 0, err
	}
	hooks, err := store.Collect(rows, store.ScanString)
	for _, hook := range hooks {
		n, err := repo.prune(ctx, hook, now)
		if err != nil {
			return dropped, err
		}
		dropped += n
	}
	return dropped, err
}

func (repo *Outgoing) prune(ctx context.Context, hook string, now time.Time) (dropped int64, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE hook_deliveries SET state = $2, failure = $5
			WHERE hook_id = $1 AND state = 'waiting' AND (at < $3 OR event <= COALESCE((SELECT event FROM hook_deliveries
				WHERE hook_id = $1 AND state = 'waiting' ORDER BY event DESC LIMIT 1 OFFSET $4), -1))`, hook,
			domain.DeliveryDropped, store.Millis(now.Add(-domain.HookWaitingKept)), domain.MaxHookWaiting,
			"it waited for too long, or too many waited")
		if err != nil {
			return err
		}
		if dropped, err = res.RowsAffected(); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM hook_deliveries WHERE hook_id = $1 AND state <> 'waiting' AND (at < $2
			OR id NOT IN (SELECT id FROM hook_deliveries WHERE hook_id = $1 AND state <> 'waiting'
				ORDER BY at DESC, event DESC LIMIT $3))`, hook, store.Millis(now.Add(-domain.HookDeliveredKept)),
			domain.MaxHookDelivered)
		return err
	})
	return dropped, err
}

// HookUsage returns how outgoing webhooks are. What waits of webhooks that are off counts as waiting, and has no age:
// nothing is late, as nothing is sent. Neither has what somebody asked for.
func (repo *Outgoing) HookUsage(ctx context.Context, now time.Time) (u domain.HookUsage, err error) {
	var due, failing, oldest, oldestFailed int64
	err = repo.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM hook_deliveries WHERE state = 'waiting'),
		COALESCE(min(CASE WHEN due_at > 0 AND lease <= $1 THEN due_at END), 0),
		COALESCE(sum(CASE WHEN failed_at > 0 AND off = '' THEN 1 ELSE 0 END), 0),
		COALESCE(min(CASE WHEN failed_at > 0 AND off = '' THEN failed_at END), 0),
		COALESCE(min(CASE WHEN failed_at = 0 THEN oldest END), 0),
		COALESCE(min(CASE WHEN failed_at > 0 THEN oldest END), 0)
		FROM (SELECT h.due_at, h.lease, h.failed_at, h.off, CASE WHEN h.off = '' THEN
			(SELECT d.at FROM hook_deliveries d WHERE d.hook_id = h.id AND d.state = 'waiting' AND NOT d.manual
				ORDER BY d.event LIMIT 1) END AS oldest FROM outgoing_hooks h) AS hooks`, store.Millis(now)).
		Scan(&u.Waiting, &due, &u.Failing, &failing, &oldest, &oldestFailed)
	if err != nil {
		return u, err
	}
	age := func(since int64) time.Duration {
		if since == 0 {
			return 0
		}
		return max(0, now.Sub(store.Time(since)))
	}
	u.Late, u.FailingFor, u.Oldest, u.OldestFailed = age(due), age(failing), age(oldest), age(oldestFailed)
	u.Off = map[domain.HookOff]int{}
	rows, err := repo.db.QueryContext(ctx, `SELECT off, count(*) FROM outgoing_hooks WHERE off <> '' GROUP BY off`)
	if err != nil {
		return u, err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (why domain.HookOff, err error) {
		var n int
		err = rows.Scan(&why, &n)
		u.Off[why] = n
		return why, err
	})
	return u, err
}
