package devices

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Groups stores groups of devices.
type Groups struct{ db *store.DB }

// NewGroups returns the repository on db.
func NewGroups(db *store.DB) *Groups { return &Groups{db} }

// PutGroup makes a group of g.Owner, or replaces the one of its name: its rule, or else its devices,
// which must be the owner's.
func (repo *Groups) PutGroup(
	ctx context.Context, g domain.DeviceGroup, devices []string, now time.Time,
) (put domain.DeviceGroup, err error) {
	rule := ""
	if g.Rule != nil {
		b, err := json.Marshal(g.Rule)
		if err != nil {
			return put, err
		}
		rule = string(b)
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lockOwner(ctx, t, g.Owner, now); err != nil {
			return err
		}
		before, err := groupOf(ctx, t, g.Owner, g.Name)
		switch {
		case domain.KindOf(err) == domain.NotFound:
			err = insertGroup(ctx, t, &g, rule, now)
		case err == nil:
			g.ID, g.CreatedAt = before.ID, before.CreatedAt
			_, err = t.ExecContext(ctx, `UPDATE device_groups SET rule = $2 WHERE id = $1`, g.ID, rule)
			if g.Rule == nil && g.Settings == nil {
				g.Settings = before.Settings
			}
		}
		if err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM device_group_members WHERE group_id = $1`, g.ID); err != nil {
			return err
		}
		if err := putDefaults(ctx, t, g); err != nil {
			return err
		}
		return addToGroup(ctx, t, g, devices)
	})
	if err == nil {
		g.Devices, err = repo.inGroup(ctx, g, now)
	}
	return g, err
}

// insertGroup adds a group, whose owner is locked.
func insertGroup(ctx context.Context, t *store.Tx, g *domain.DeviceGroup, rule string, now time.Time) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM device_groups WHERE owner_id = $1`, g.Owner).Scan(&n)
	if err == nil && n >= domain.MaxDeviceGroups {
		err = domain.Conflict.Errorf(domain.CodeTooManyGroups,
			"you have as many groups of devices as one person may (%d); delete one", n)
	}
	if err != nil {
		return err
	}
	g.ID, g.CreatedAt = domain.NewID(domain.GroupPrefix), store.Trim(now)
	_, err = t.ExecContext(ctx,
		`INSERT INTO device_groups (id, owner_id, name, rule, created_at) VALUES ($1, $2, $3, $4, $5)`, g.ID, g.Owner, g.Name,
		rule, store.Millis(now))
	return err
}

// addToGroup puts devices of its owner into a group.
func addToGroup(ctx context.Context, t *store.Tx, g domain.DeviceGroup, devices []string) error {
	for i, id := range devices {
		res, err := t.ExecContext(ctx, `INSERT INTO device_group_members (group_id, device_id)
			SELECT $1, d.id FROM devices d WHERE d.id = $2 AND d.owner_id = $3 ON CONFLICT DO NOTHING`, g.ID, id, g.Owner)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		// It is in the group already, or none of the owner's.
		if _, err := ownDevice(ctx, t, g.Owner, id); err != nil {
			return domain.InvalidField(fmt.Sprintf("/devices/%d", i), "%s is no device of yours", id)
		}
	}
	return nil
}

// ChangeGroup puts devices into a group by hand, takes others out, and changes the defaults of their settings: nil
// takes one back.
func (repo *Groups) ChangeGroup(
	ctx context.Context, owner, name string, add, remove []string, settings map[string]any, now time.Time,
) (g domain.DeviceGroup, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lockOwner(ctx, t, owner, now); err != nil {
			return err
		}
		if g, err = groupOf(ctx, t, owner, name); err != nil {
			return err
		}
		if g.Rule != nil {
			return domain.Conflict.Errorf(domain.CodeGroupByRule,
				"the devices of this group follow from its rule; change the rule, or the devices")
		}
		for _, id := range remove {
			_, err := t.ExecContext(ctx, `DELETE FROM device_group_members WHERE group_id = $1 AND device_id = $2`, g.ID, id)
			if err != nil {
				return err
			}
		}
		if g.Settings, err = domain.MergeSettings(g.Settings, settings); err != nil {
			return err
		}
		if err := putDefaults(ctx, t, g); err != nil {
			return err
		}
		return addToGroup(ctx, t, g, add)
	})
	if err == nil {
		g.Devices, err = repo.inGroup(ctx, g, now)
	}
	return g, err
}

// putDefaults stores the defaults of the settings of a group.
func putDefaults(ctx context.Context, t *store.Tx, g domain.DeviceGroup) error {
	if g.Settings == nil {
		g.Settings = map[string]any{}
	}
	b, err := json.Marshal(g.Settings)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE device_groups SET settings = $2 WHERE id = $1`, g.ID, string(b))
	return err
}

// DeleteGroup deletes a group of owner, and none of its devices.
func (repo *Groups) DeleteGroup(ctx context.Context, owner, name string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		g, err := groupOf(ctx, t, owner, name)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM device_groups WHERE id = $1`, g.ID)
		return err
	})
}

// Groups returns the groups of owner by name, with how many devices are in each at the time now.
func (repo *Groups) Groups(ctx context.Context, owner string, now time.Time) ([]domain.DeviceGroup, error) {
	groups, err := groupsWhere(ctx, repo.db, `owner_id = $1 ORDER BY name`, owner)
	for i := range groups {
		if err == nil {
			groups[i].Devices, err = repo.inGroup(ctx, groups[i], now)
		}
	}
	return groups, err
}

func (repo *Groups) inGroup(ctx context.Context, g domain.DeviceGroup, now time.Time) (n int, err error) {
	var f filter
	f.add(`d.owner_id = ?`, g.Owner)
	f.group(g, now)
	if f.none {
		return 0, nil
	}
	err = repo.db.QueryRowContext(ctx, `SELECT count(*) FROM `+deviceTables+` WHERE `+f.sql(), f.args...).Scan(&n)
	return n, err
}

func groupOf(ctx context.Context, q store.Queryer, owner, name string) (domain.DeviceGroup, error) {
	found, err := groupsWhere(ctx, q, `owner_id = $1 AND name = $2`, owner, name)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoDeviceGroup()
	}
	if err != nil {
		return domain.DeviceGroup{}, err
	}
	return found[0], nil
}

func groupsWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.DeviceGroup, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, owner_id, name, rule, created_at, settings FROM device_groups
		WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (g domain.DeviceGroup, err error) {
		var rule, settings string
		var created int64
		if err := rows.Scan(&g.ID, &g.Owner, &g.Name, &rule, &created, &settings); err != nil {
			return g, err
		}
		if err := json.Unmarshal([]byte(settings), &g.Settings); err != nil {
			return g, err
		}
		g.CreatedAt = store.Time(created)
		if rule != "" {
			g.Rule = new(domain.GroupRule)
			err = json.Unmarshal([]byte(rule), g.Rule)
		}
		return g, err
	})
}

// HandGroups returns the names of the groups of owner that are made by hand, by the devices that are in them: of one
// device, or of all if device is empty.
func HandGroups(ctx context.Context, q store.Queryer, owner, device string) (map[string][]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT m.device_id, g.name FROM device_group_members m
		JOIN device_groups g ON g.id = m.group_id WHERE g.owner_id = $1 AND g.rule = '' AND ($2 = '' OR m.device_id = $2)
		ORDER BY g.name`, owner, device)
	if err != nil {
		return nil, err
	}
	names := make(map[string][]string)
	_, err = store.Collect(rows, func(rows *sql.Rows) (id string, err error) {
		var name string
		err = rows.Scan(&id, &name)
		names[id] = append(names[id], name)
		return id, err
	})
	return names, err
}

// GroupsOf returns the names of the groups made by hand that a device of owner is in.
func (repo *Groups) GroupsOf(ctx context.Context, owner, device string) ([]string, error) {
	names, err := HandGroups(ctx, repo.db, owner, device)
	return names[device], err
}

// IsByHand holds that owner has a group of this name, which is made by hand.
func IsByHand(ctx context.Context, q store.Queryer, owner, name string) error {
	g, err := groupOf(ctx, q, owner, name)
	if domain.KindOf(err) == domain.NotFound || err == nil && g.Rule != nil {
		return domain.InvalidField("/device_group", "you have no group of this name that is made by hand")
	}
	return err
}
