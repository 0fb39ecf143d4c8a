package alarms

import (
	"context"
	"database/sql"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

const columns = `a.id, a.rule_id, a.device_id, a.name, a.kind, a.severity, a.sensor, a.value, a.bound, a.room_id, a.line,
	a.raised_at, a.cleared_at, a.acked_at, a.snoozed_until, a.note, a.flapping,
	a.due_at, a.escalated_at, a.escalated_room, a.escalated_line, a.maintenance, a.held_until,
	u.id, u.kind, u.username, u.display_name, u.avatar`

const tables = ` FROM alarms a LEFT JOIN users u ON u.id = a.acknowledged_by `

func scan(rows *sql.Rows) (a domain.Alarm, err error) {
	var value, bound sql.NullFloat64
	var raised, cleared, acked, snoozed, due, escalated, held int64
	var by accounts.RefRow
	err = rows.Scan(append([]any{&a.ID, &a.Rule, &a.Device, &a.Name, &a.Kind, &a.Severity, &a.Sensor, &value, &bound,
		&a.Room,
		&a.Seq, &raised, &cleared, &acked, &snoozed, &a.Note, &a.Flapping, &due, &escalated, &a.EscalatedTo,
		&a.EscalatedSeq, &a.Maintenance, &held}, by.Dest()...)...)
	a.Due, a.EscalatedAt, a.HeldUntil = store.Time(due), store.Time(escalated), store.Time(held)
	a.Value, a.Limit, a.Acknowledged = float(value), float(bound), by.Ref()
	a.RaisedAt, a.ClearedAt, a.AckedAt, a.SnoozedUntil = store.Time(raised), store.Time(cleared), store.Time(acked),
		store.Time(snoozed)
	return a, err
}

func where(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.Alarm, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+tables+`WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scan)
}

// Alarms returns alarms, the newest first: of a device, or of all devices of viewer if device is
// empty. If a device is named, viewer leaves only those that were posted to a room of theirs. open
// leaves those that are not over. before is the id of the last one of the page before.
func (repo *Repository) Alarms(
	ctx context.Context, device, viewer string, open bool, before string, limit int,
) ([]domain.Alarm, error) {
	const page = ` AND ($1 = '' OR a.id < $1) AND (NOT $2 OR a.cleared_at = 0) ORDER BY a.id DESC LIMIT $3`
	switch {
	case device == "":
		return where(ctx, repo.db, `a.device_id IN (SELECT id FROM devices WHERE owner_id = $4)`+page, before, open, limit,
			viewer)
	case viewer == "":
		return where(ctx, repo.db, `a.device_id = $4`+page, before, open, limit, device)
	}
	const theirs = ` IN (SELECT room_id FROM members WHERE user_id = $5)`
	return where(ctx, repo.db, `a.device_id = $4 AND (a.room_id`+theirs+` OR a.escalated_room`+theirs+`)`+page,
		before, open, limit, device, viewer)
}

// RoomAlarms returns the alarms that have a line in a room, the newest first; the rest is as for Alarms.
func (repo *Repository) RoomAlarms(
	ctx context.Context, room string, open bool, before string, limit int,
) ([]domain.Alarm, error) {
	return where(ctx, repo.db, `(a.room_id = $4 OR a.escalated_room = $4) AND ($1 = '' OR a.id < $1)
		AND (NOT $2 OR a.cleared_at = 0) ORDER BY a.id DESC LIMIT $3`, before, open, limit, room)
}

// Alarm returns an alarm of a device.
func (repo *Repository) Alarm(ctx context.Context, device, id string) (domain.Alarm, error) {
	return one(ctx, repo.db, `a.id = $1 AND a.device_id = $2`, id, device)
}

func one(ctx context.Context, q store.Queryer, rest string, args ...any) (domain.Alarm, error) {
	found, err := where(ctx, q, rest, args...)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoAlarm()
	}
	if err != nil {
		return domain.Alarm{}, err
	}
	return found[0], nil
}

// Open returns the alarms of devices that are not over: of one, or of all if device is empty.
func (repo *Repository) Open(ctx context.Context, device string) ([]domain.Alarm, error) {
	return where(ctx, repo.db, `a.cleared_at = 0 AND ($1 = '' OR a.device_id = $1)`, device)
}

// Raise begins an episode of a rule, and posts it to the rule's room if the device may write there:
// both or neither. raised is false if an episode is not over, or if the rule has gone or changed:
// then another node was first, or the readings are judged anew.
func (repo *Repository) Raise(
	ctx context.Context, rule domain.AlarmRule, a domain.Alarm, now time.Time,
) (made domain.Alarm, raised bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		made, raised = a, false
		r, err := oneRule(ctx, t, rule.Device, rule.ID, t.ForUpdate())
		if domain.KindOf(err) == domain.NotFound || err == nil && (r.Disabled || !r.ChangedAt.Equal(rule.ChangedAt)) {
			return nil
		}
		if err != nil {
			return err
		}
		var open, lately int
		err = t.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM alarms WHERE rule_id = $1 AND cleared_at = 0),
			(SELECT count(*) FROM alarms WHERE rule_id = $1 AND raised_at > $2)`, r.ID,
			store.Millis(now.Add(-domain.AlarmFlapWindow))).Scan(&open, &lately)
		if err != nil || open > 0 {
			return err
		}
		made.Rule, made.Device, made.Name, made.Kind, made.Severity = r.ID, r.Device, r.Name, r.Kind, r.Severity
		made.Sensor, made.Flapping, made.RaisedAt = r.Sensor, lately >= domain.AlarmFlaps, now
		raised = true
		if made.Maintenance, made.HeldUntil, err = maintained(ctx, t, r.Device, now); err != nil {
			return err
		}
		if made.Due = made.HeldUntil; !made.Due.IsZero() {
			return insert(ctx, t, made)
		}
		if made.Room, made.Seq, err = announce(ctx, t, r, made, now); err != nil {
			return err
		}
		made.Due = escalates(r, now)
		return insert(ctx, t, made)
	})
	return made, raised, err
}

// announce posts an alarm of a rule that was raised to the rule's room, unless it is snoozed. The room is empty
// if it is posted nowhere.
func announce(
	ctx context.Context, t *store.Tx, r domain.AlarmRule, a domain.Alarm, now time.Time,
) (room string, line int64, err error) {
	if r.Room == "" || now.Before(r.SnoozedUntil) {
		return "", 0, nil
	}
	p := place{room: r.Room, first: domain.AlarmRaised}
	line, err = post(ctx, t, a, p, domain.AlarmRaised, domain.AlarmRaisedPayload{Alarm: a.Line()}, a.Device, now)
	if err != nil || line == 0 {
		return "", 0, err
	}
	return r.Room, line, nil
}

// escalates returns when an alarm of a rule that is posted now escalates; zero: never.
func escalates(r domain.AlarmRule, now time.Time) time.Time {
	if r.Escalation.After == 0 {
		return time.Time{}
	}
	return store.Trim(later(now, r.SnoozedUntil).Add(r.Escalation.After))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func insert(ctx context.Context, t *store.Tx, a domain.Alarm) error {
	_, err := t.ExecContext(ctx, `INSERT INTO alarms (id, rule_id, device_id, name, kind, severity, sensor, value, bound,
		room_id, line, raised_at, cleared_at, acked_at, snoozed_until, note, flapping, due_at,
		maintenance, held_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, 0, '', $13, $14, $15, $16)`,
		a.ID, a.Rule, a.Device, a.Name, a.Kind, a.Severity, a.Sensor, nullFloat(a.Value), nullFloat(a.Limit), a.Room, a.Seq,
		store.Millis(a.RaisedAt), a.Flapping, store.Millis(a.Due), a.Maintenance,
		store.Millis(a.HeldUntil))
	return err
}

// Clear ends the episode of a rule, if one is not over, and says so in its room.
func (repo *Repository) Clear(
	ctx context.Context, device, rule string, now time.Time,
) (a domain.Alarm, cleared bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := oneRule(ctx, t, device, rule, t.ForUpdate())
		if domain.KindOf(err) == domain.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		a, err = endOpen(ctx, t, rule, store.Trim(now))
		cleared = a.ID != ""
		return err
	})
	return a, cleared, err
}

// endOpen ends the episode of a rule that is not over. The caller has locked the rule.
func endOpen(ctx context.Context, t *store.Tx, rule string, now time.Time) (domain.Alarm, error) {
	a, err := one(ctx, t, `a.rule_id = $1 AND a.cleared_at = 0`, rule)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Alarm{}, nil
	}
	if err != nil {
		return a, err
	}
	a.ClearedAt, a.HeldUntil = now, time.Time{}
	if _, err := t.ExecContext(ctx, `UPDATE alarms SET cleared_at = $2, due_at = 0, held_until = 0 WHERE id = $1`, a.ID,
		store.Millis(now)); err != nil {
		return a, err
	}
	return a, tell(ctx, t, a, domain.AlarmCleared, a.Device, now)
}

// Change acknowledges an alarm, snoozes its rule or takes a note, and says so in its room.
func (repo *Repository) Change(
	ctx context.Context, actor, device, id string, c domain.AlarmChange, now time.Time,
) (a domain.Alarm, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if a, err = one(ctx, t, `a.id = $1 AND a.device_id = $2`, id, device); err != nil {
			return err
		}
		// The rule is locked first, as by whatever else changes an alarm; it may be gone.
		_, err := oneRule(ctx, t, device, a.Rule, t.ForUpdate())
		if err != nil && domain.KindOf(err) != domain.NotFound {
			return err
		}
		if a, err = one(ctx, t, `a.id = $1 AND a.device_id = $2`, id, device); err != nil {
			return err
		}
		by, err := accounts.Ref(ctx, t, actor)
		if err != nil {
			return err
		}
		if c.Acknowledge && a.Acknowledged.ID == "" { // whoever knows of it need not be told
			a.Acknowledged, a.AckedAt, a.Due, a.HeldUntil = by, now, time.Time{}, time.Time{}
		}
		if c.Note != nil {
			a.Note = *c.Note
		}
		if c.SnoozeUntil != nil {
			a.SnoozedUntil = store.Trim(*c.SnoozeUntil)
			if !a.Due.IsZero() {
				a.Due = later(a.Due, a.SnoozedUntil)
			}
			_, err := t.ExecContext(ctx, `UPDATE alarm_rules SET snoozed_until = $2 WHERE id = $1`, a.Rule,
				store.Millis(a.SnoozedUntil))
			if err != nil {
				return err
			}
		}
		var who any
		if a.Acknowledged.ID != "" {
			who = a.Acknowledged.ID
		}
		_, err = t.ExecContext(ctx, `UPDATE alarms SET acknowledged_by = $2, acked_at = $3, snoozed_until = $4, note = $5,
			due_at = $6, held_until = $7 WHERE id = $1`, a.ID, who, store.Millis(a.AckedAt), store.Millis(a.SnoozedUntil),
			a.Note,
			store.Millis(a.Due), store.Millis(a.HeldUntil))
		if err != nil {
			return err
		}
		return tell(ctx, t, a, domain.AlarmAcknowledged, actor, now)
	})
	return a, err
}

// Prune deletes alarms that ended before a moment, some at a time, and reports whether there may be
// more.
func (repo *Repository) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM alarms WHERE id IN (SELECT id FROM alarms
			WHERE cleared_at <> 0 AND cleared_at < $1 ORDER BY cleared_at LIMIT 500)`, store.Millis(before))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		more = n == 500
		return err
	})
	return more, err
}
