// Package alarms has the SQL of when devices raise alarms, and of the alarms that they have raised.
package alarms

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Repository stores rules and alarms.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

const ruleColumns = `id, device_id, name, kind, severity, sensor, above, below, hysteresis, lasts, span, room_id, disabled,
	snoozed_until, created_by, created_at, changed_at, escalate_after, escalate_room, escalate_user, group_id`

func scanRule(rows *sql.Rows) (r domain.AlarmRule, err error) { return scanWith(rows) }

// scanWith reads a rule, and what follows its columns.
func scanWith(rows *sql.Rows, rest ...any) (r domain.AlarmRule, err error) {
	var above, below sql.NullFloat64
	var lasts, span, snoozed, created, changed, escalate int64
	err = rows.Scan(append([]any{&r.ID, &r.Device, &r.Name, &r.Kind, &r.Severity, &r.Sensor, &above, &below, &r.Hysteresis,
		&lasts, &span, &r.Room, &r.Disabled, &snoozed, &r.CreatedBy, &created, &changed, &escalate, &r.Escalation.Room,
		&r.Escalation.User, &r.Group}, rest...)...)
	r.Above, r.Below = float(above), float(below)
	r.For, r.Window = time.Duration(lasts)*time.Millisecond, time.Duration(span)*time.Millisecond
	r.Escalation.After = time.Duration(escalate) * time.Millisecond
	r.SnoozedUntil, r.CreatedAt, r.ChangedAt = store.Time(snoozed), store.Time(created), store.Time(changed)
	return r, err
}

func float(v sql.NullFloat64) *float64 {
	if !v.Valid {
		return nil
	}
	return &v.Float64
}

func nullFloat(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

func rulesWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.AlarmRule, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+ruleColumns+` FROM alarm_rules WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanRule)
}

// Rules returns the rules of a device, or, if device is empty, those of all devices that can still
// connect, by id: after the id after.
func (repo *Repository) Rules(
	ctx context.Context, device, after string, limit int,
) ([]domain.AlarmRule, error) {
	if device != "" {
		return rulesWhere(ctx, repo.db, `device_id = $1 AND id > $2 ORDER BY id LIMIT $3`, device, after, limit)
	}
	return rulesWhere(ctx, repo.db, `id > $1 AND device_id IN (SELECT id FROM devices WHERE revoked_at = 0)
		ORDER BY id LIMIT $2`, after, limit)
}

// Rule returns a rule of a device.
func (repo *Repository) Rule(ctx context.Context, device, id string) (domain.AlarmRule, error) {
	return oneRule(ctx, repo.db, device, id, "")
}

func oneRule(ctx context.Context, q store.Queryer, device, id, lock string) (domain.AlarmRule, error) {
	found, err := rulesWhere(ctx, q, `id = $1 AND device_id = $2`+lock, id, device)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoAlarmRule()
	}
	if err != nil {
		return domain.AlarmRule{}, err
	}
	return found[0], nil
}

// PutRule stores a rule, in place of one with the same id, whose snooze stays. actor must be able to write in the room
// that it posts to, and the device be a member of it. A device has at most domain.MaxAlarmRules. An
// alarm of a rule that is disabled ends.
func (repo *Repository) PutRule(ctx context.Context, actor string, r domain.AlarmRule, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := mayPostAll(ctx, t, actor, r, now); err != nil {
			return err
		}
		// The device is locked, so that requests at the same time do not exceed the limit.
		var others int
		_, err := t.ExecContext(ctx, `SELECT 1 FROM devices WHERE id = $1`+t.ForUpdate(), r.Device)
		if err != nil {
			return err
		}
		err = t.QueryRowContext(ctx, `SELECT count(*) FROM alarm_rules WHERE device_id = $1 AND id <> $2
			AND group_id = ''`, r.Device,
			r.ID).Scan(&others)
		if err != nil {
			return err
		}
		if others >= domain.MaxAlarmRules {
			return domain.Conflict.Errorf(domain.CodeTooManyRules, "a device has at most %d rules", domain.MaxAlarmRules)
		}
		return save(ctx, t, r, now)
	})
}

// save stores a rule, in place of one with the same id, whose snooze stays. An alarm of a rule that is disabled ends.
func save(ctx context.Context, t *store.Tx, r domain.AlarmRule, now time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO alarm_rules (`+ruleColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, severity = excluded.severity,
		sensor = excluded.sensor, above = excluded.above, below = excluded.below, hysteresis = excluded.hysteresis,
		lasts = excluded.lasts, span = excluded.span, room_id = excluded.room_id, disabled = excluded.disabled,
		changed_at = excluded.changed_at, escalate_after = excluded.escalate_after,
		escalate_room = excluded.escalate_room, escalate_user = excluded.escalate_user`,
		append([]any{r.ID, r.Device}, append(specOf(r), store.Millis(r.SnoozedUntil), r.CreatedBy, store.Millis(r.CreatedAt),
			store.Millis(r.ChangedAt), r.Escalation.After.Milliseconds(), r.Escalation.Room, r.Escalation.User, r.Group)...)...)
	if err == nil && r.Disabled {
		_, err = endOpen(ctx, t, r.ID, store.Trim(now))
	}
	return err
}

// specOf are the values of the columns from name to disabled.
func specOf(r domain.AlarmRule) []any {
	return []any{r.Name, r.Kind, r.Severity, r.Sensor, nullFloat(r.Above), nullFloat(r.Below), r.Hysteresis,
		r.For.Milliseconds(), r.Window.Milliseconds(), r.Room, r.Disabled}
}

// mayPostAll holds that a rule may post to its room, and to the one that its alarms escalate to, and that whom
// it mentions is there.
func mayPostAll(ctx context.Context, t *store.Tx, actor string, r domain.AlarmRule, now time.Time) error {
	to := []string{r.Room}
	if r.Escalation.Room != "" && r.Escalation.Room != r.Room {
		to = append(to, r.Escalation.Room)
	}
	slices.Sort(to) // rooms are locked in one order
	for _, room := range to {
		if room == "" {
			continue
		}
		if _, _, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.SendMessage, now); err != nil {
			return err
		}
		if err := isThere(ctx, t, room, r.Device); err != nil {
			return err
		}
	}
	if r.Escalation.User == "" {
		return nil
	}
	m, err := rooms.MemberOf(ctx, t, cmp.Or(r.Escalation.Room, r.Room), r.Escalation.User)
	if err == nil && m.Role == domain.NonMember {
		err = domain.InvalidField("/escalate/user", "this user is not in the room that the alarm escalates to")
	}
	return err
}

// isThere holds that a device is a member of a room. A rule for several devices names none: each of them posts
// where it may.
func isThere(ctx context.Context, t *store.Tx, room, device string) error {
	if device == "" {
		return nil
	}
	m, err := rooms.MemberOf(ctx, t, room, device)
	if err == nil && m.Role == domain.NonMember {
		err = domain.Forbidden.Errorf(domain.CodeNotReachable, "the device is not in this room, or muted there")
	}
	return err
}

// DeleteRule deletes a rule of a device. An alarm of it that is not over ends.
func (repo *Repository) DeleteRule(ctx context.Context, device, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return remove(ctx, t, device, id, now)
	})
}

func remove(ctx context.Context, t *store.Tx, device, id string, now time.Time) error {
	if _, err := oneRule(ctx, t, device, id, t.ForUpdate()); err != nil {
		return err
	}
	if _, err := endOpen(ctx, t, id, store.Trim(now)); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM alarm_rules WHERE id = $1`, id)
	return err
}

// EraseDevicesOf deletes the maintenance windows and rules of a deleted account, and the alarms of all its devices.
func EraseDevicesOf(ctx context.Context, t *store.Tx, owner string) error {
	for _, table := range []string{"maintenance_windows WHERE owner_id", "alarm_group_rules WHERE created_by"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` = $1`, owner); err != nil {
			return err
		}
	}
	for _, table := range []string{"alarm_rules", "alarms"} {
		_, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE device_id IN (SELECT id FROM devices WHERE owner_id = $1)`,
			owner)
		if err != nil {
			return err
		}
	}
	return nil
}

// Handover has the rules of a device go on for another owner, who must be able to see the rooms that stay: rules post
// to no other room. Those that its former owner has for several devices, and its maintenance windows, end.
func Handover(ctx context.Context, t *store.Tx, device, to string, stay []string, now time.Time) error {
	rules, err := rulesWhere(ctx, t, `device_id = $1 ORDER BY id`+t.ForUpdate(), device)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Group != "" {
			if err := remove(ctx, t, device, r.ID, now); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(stay, r.Room) {
			r.Room = ""
		}
		if r.Room == "" || r.Escalation.Room != "" && !slices.Contains(stay, r.Escalation.Room) {
			r.Escalation = domain.Escalation{}
		}
		r.ChangedAt = store.Trim(now)
		if err := save(ctx, t, r, now); err != nil {
			return err
		}
	}
	_, err = t.ExecContext(ctx, `UPDATE alarm_rules SET created_by = $2 WHERE device_id = $1`, device, to)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM maintenance_windows WHERE device_id = $1`, device)
	return err
}
