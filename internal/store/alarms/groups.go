package alarms

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/devices"
)

const groupColumns = `id, type, tag, name, kind, severity, sensor, above, below, hysteresis, lasts, span, room_id, disabled,
	created_by, created_at, changed_at, escalate_after, escalate_room, escalate_user`

// asRule are the columns of a rule for several devices in the order of ruleColumns.
const asRule = `id, '', name, kind, severity, sensor, above, below, hysteresis, lasts, span, room_id, disabled, 0, created_by,
	created_at, changed_at, escalate_after, escalate_room, escalate_user, ''`

func groups(ctx context.Context, q store.Queryer, owner, rest string, args ...any) ([]domain.ScopedRule, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+asRule+`, type, tag,
		(SELECT count(*) FROM alarm_rules r WHERE r.group_id = g.id) FROM alarm_group_rules g WHERE created_by = $1`+rest,
		append([]any{owner}, args...)...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (g domain.ScopedRule, err error) {
		g.AlarmRule, err = scanWith(rows, &g.Scope.Type, &g.Scope.Tag, &g.Devices)
		g.Scope = readScope(g.Scope)
		return g, err
	})
}

// byGroup begins the tag of a scope that is a group. No tag has this character, so that servers of before there were
// such scopes take it for a tag that no device has.
const byGroup = "@"

// tagOf is the column of a scope's tag, or of its group.
func tagOf(s domain.DeviceScope) string {
	if s.Group != "" {
		return byGroup + s.Group
	}
	return s.Tag
}

// readScope is a scope of which the column is read as its tag.
func readScope(s domain.DeviceScope) domain.DeviceScope {
	if name, is := strings.CutPrefix(s.Tag, byGroup); is {
		s.Tag, s.Group = "", name
	}
	return s
}

// hasGroup holds that the group that a scope may name is there.
func hasGroup(ctx context.Context, t *store.Tx, owner string, s domain.DeviceScope) error {
	if s.Group == "" {
		return nil
	}
	return devices.IsByHand(ctx, t, owner, s.Group)
}

// GroupRules returns the rules of a user for several devices, the oldest first.
func (repo *Repository) GroupRules(ctx context.Context, owner string) ([]domain.ScopedRule, error) {
	return groups(ctx, repo.db, owner, ` ORDER BY id`)
}

// GroupRule returns a rule of a user for several devices.
func (repo *Repository) GroupRule(ctx context.Context, owner, id string) (domain.ScopedRule, error) {
	found, err := groups(ctx, repo.db, owner, ` AND id = $2`, id)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoAlarmRule()
	}
	if err != nil {
		return domain.ScopedRule{}, err
	}
	return found[0], nil
}

// PutGroupRule stores a rule for several devices, in place of one with the same id, and gives it to those that it is
// for. Its creator must be able to write in the rooms that it posts to; a device that is not there posts nothing.
// It returns the devices whose rules have changed.
func (repo *Repository) PutGroupRule(
	ctx context.Context, g domain.ScopedRule, now time.Time,
) (changed []string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := mayPostAll(ctx, t, g.CreatedBy, g.AlarmRule, now); err != nil {
			return err
		}
		if err := lockOwner(ctx, t, g.CreatedBy); err != nil {
			return err
		}
		if err := hasGroup(ctx, t, g.CreatedBy, g.Scope); err != nil {
			return err
		}
		others, err := groups(ctx, t, g.CreatedBy, ` AND id <> $2`, g.ID)
		if err != nil {
			return err
		}
		if len(others) >= domain.MaxGroupRules {
			return domain.Conflict.Errorf(domain.CodeTooManyRules, "you have at most %d rules for several devices",
				domain.MaxGroupRules)
		}
		_, err = t.ExecContext(ctx, `INSERT INTO alarm_group_rules (`+groupColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
			ON CONFLICT (id) DO UPDATE SET type = excluded.type, tag = excluded.tag, name = excluded.name,
			kind = excluded.kind, severity = excluded.severity, sensor = excluded.sensor, above = excluded.above,
			below = excluded.below, hysteresis = excluded.hysteresis, lasts = excluded.lasts, span = excluded.span,
			room_id = excluded.room_id, disabled = excluded.disabled, changed_at = excluded.changed_at,
			escalate_after = excluded.escalate_after, escalate_room = excluded.escalate_room,
			escalate_user = excluded.escalate_user`,
			append([]any{g.ID, g.Scope.Type, tagOf(g.Scope)}, append(specOf(g.AlarmRule), g.CreatedBy, store.Millis(g.CreatedAt),
				store.Millis(g.ChangedAt), g.Escalation.After.Milliseconds(), g.Escalation.Room, g.Escalation.User)...)...)
		if err != nil {
			return err
		}
		changed, err = follow(ctx, t, g.CreatedBy, now)
		return err
	})
	return changed, err
}

// DeleteGroupRule deletes a rule of a user for several devices. Alarms of it that are not over end.
func (repo *Repository) DeleteGroupRule(
	ctx context.Context, owner, id string, now time.Time,
) (changed []string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lockOwner(ctx, t, owner); err != nil {
			return err
		}
		found, err := groups(ctx, t, owner, ` AND id = $2`, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return domain.ErrNoAlarmRule()
		}
		rules, err := rulesWhere(ctx, t, `group_id = $1 ORDER BY id`, id)
		if err != nil {
			return err
		}
		changed = nil
		for _, r := range rules {
			if err := remove(ctx, t, r.Device, r.ID, now); err != nil {
				return err
			}
			changed = append(changed, r.Device)
		}
		_, err = t.ExecContext(ctx, `DELETE FROM alarm_group_rules WHERE id = $1`, id)
		return err
	})
	return changed, err
}

// lockOwner has others who change the rules of a user for several devices wait.
func lockOwner(ctx context.Context, t *store.Tx, owner string) error {
	_, err := t.ExecContext(ctx, `SELECT 1 FROM users WHERE id = $1`+t.ForUpdate(), owner)
	return err
}

// FollowGroups gives the rules for several devices to those that they are for by now, and takes them from those that
// they are for no more. It returns the devices whose rules have changed.
func (repo *Repository) FollowGroups(ctx context.Context, now time.Time) (changed []string, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT DISTINCT created_by FROM alarm_group_rules`)
	if err != nil {
		return nil, err
	}
	owners, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return nil, err
	}
	for _, owner := range owners {
		due, err := differences(ctx, repo.db, owner)
		if err != nil || due.empty() {
			if err != nil {
				return changed, err
			}
			continue
		}
		err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			if err := lockOwner(ctx, t, owner); err != nil {
				return err
			}
			of, err := follow(ctx, t, owner, now)
			changed = append(changed, of...)
			return err
		})
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// difference is what the rules of devices lack to be what those for several devices say.
type difference struct {
	save, remove []domain.AlarmRule
}

func (d difference) empty() bool { return len(d.save)+len(d.remove) == 0 }

// differences compares the rules of the devices of a user with those for several devices.
func differences(ctx context.Context, q store.Queryer, owner string) (due difference, err error) {
	all, err := groups(ctx, q, owner, ` ORDER BY id`)
	if err != nil {
		return due, err
	}
	theirs, err := devicesOf(ctx, q, owner)
	if err != nil {
		return due, err
	}
	for _, g := range all {
		have, err := rulesWhere(ctx, q, `group_id = $1 ORDER BY id`, g.ID)
		if err != nil {
			return due, err
		}
		byDevice := make(map[string]domain.AlarmRule, len(have))
		for _, r := range have {
			byDevice[r.Device] = r
		}
		for _, d := range theirs {
			if !g.Scope.Fits(d) {
				continue
			}
			r, has := byDevice[d.ID]
			delete(byDevice, d.ID)
			now := g.For(d.ID)
			if has {
				now.ID, now.SnoozedUntil = r.ID, r.SnoozedUntil
			}
			if !has || !r.ChangedAt.Equal(g.ChangedAt) {
				due.save = append(due.save, now)
			}
		}
		for _, r := range have {
			if _, left := byDevice[r.Device]; left {
				due.remove = append(due.remove, r)
			}
		}
	}
	return due, nil
}

// devicesOf returns the devices of a user that can still connect, with what scopes look at.
func devicesOf(ctx context.Context, q store.Queryer, owner string) ([]domain.Device, error) {
	rows, err := q.QueryContext(ctx,
		`SELECT id, type, tags FROM devices WHERE owner_id = $1 AND revoked_at = 0 ORDER BY id`,
		owner)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, func(rows *sql.Rows) (d domain.Device, err error) {
		var tags string
		err = rows.Scan(&d.ID, &d.Type, &tags)
		d.Tags = strings.Fields(tags)
		return d, err
	})
	if err != nil {
		return nil, err
	}
	in, err := devices.HandGroups(ctx, q, owner, "")
	for i := range found {
		found[i].Groups = in[found[i].ID]
	}
	return found, err
}

// follow makes the rules of devices what the differences say. The caller has locked the owner.
func follow(ctx context.Context, t *store.Tx, owner string, now time.Time) (changed []string, err error) {
	due, err := differences(ctx, t, owner)
	if err != nil {
		return nil, err
	}
	for _, r := range due.save {
		if err := save(ctx, t, r, now); err != nil {
			return nil, err
		}
		changed = append(changed, r.Device)
	}
	for _, r := range due.remove {
		if err := remove(ctx, t, r.Device, r.ID, now); err != nil {
			return nil, err
		}
		changed = append(changed, r.Device)
	}
	slices.Sort(changed)
	return slices.Compact(changed), nil
}
