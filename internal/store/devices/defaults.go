package devices

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// heir is a device that may have defaults of settings.
type heir struct {
	id, template string
	can          domain.Capabilities
	defaults     map[string]any // that it has
}

// FollowDefaults gives devices the defaults of settings that are theirs by now: those of the groups made by hand that
// they are in, the last by name first, over that of the template that they began with. What they have not declared, or
// what does not fit, is left out. It returns the settings of those devices that have another version since.
func (repo *Settings) FollowDefaults(ctx context.Context, now time.Time) (changed []domain.Shadow, err error) {
	owners, err := repo.withDefaults(ctx)
	if err != nil {
		return nil, err
	}
	for _, owner := range owners {
		wanted, err := defaultsOf(ctx, repo.db, owner)
		if err != nil {
			return changed, err
		}
		for _, device := range slices.Sorted(maps.Keys(wanted)) {
			s, moved, err := repo.inherit(ctx, owner, device, wanted[device], now)
			if err != nil {
				return changed, err
			}
			if moved {
				changed = append(changed, s)
			}
		}
	}
	return changed, nil
}

// withDefaults returns the users that have defaults of settings, or devices that have some still.
func (repo *Settings) withDefaults(ctx context.Context) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT owner_id FROM device_groups WHERE settings <> '{}'
		UNION SELECT owner_id FROM device_templates WHERE data LIKE '%"settings":%'
		UNION SELECT d.owner_id FROM device_settings s JOIN devices d ON d.id = s.device_id WHERE s.defaults <> '{}'`)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// defaultsOf returns the defaults of those devices of a user that have others by now.
func defaultsOf(ctx context.Context, q store.Queryer, owner string) (map[string]map[string]any, error) {
	groups, err := groupsWhere(ctx, q, `owner_id = $1 AND rule = '' AND settings <> '{}'`, owner)
	if err != nil {
		return nil, err
	}
	byGroup := make(map[string]map[string]any, len(groups))
	for _, g := range groups {
		byGroup[g.Name] = g.Settings
	}
	in, err := HandGroups(ctx, q, owner, "")
	if err != nil {
		return nil, err
	}
	byTemplate, err := templateDefaults(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	heirs, err := heirsOf(ctx, q, owner)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]map[string]any)
	for _, h := range heirs {
		all := maps.Clone(byTemplate[h.template])
		if all == nil {
			all = make(map[string]any)
		}
		for _, name := range slices.Sorted(slices.Values(in[h.id])) {
			maps.Copy(all, byGroup[name])
		}
		if fit := domain.FittingDefaults(h.can, all); !reflect.DeepEqual(fit, h.defaults) {
			wanted[h.id] = fit
		}
	}
	return wanted, nil
}

func templateDefaults(ctx context.Context, q store.Queryer, owner string) (map[string]map[string]any, error) {
	found, err := templatesWhere(ctx, q, `owner_id = $1 AND data LIKE '%"settings":%'`, owner)
	by := make(map[string]map[string]any, len(found))
	for _, n := range found {
		by[n.Name] = n.Settings
	}
	return by, err
}

// heirsOf returns the devices of a user that have, or may have, defaults.
func heirsOf(ctx context.Context, q store.Queryer, owner string) ([]heir, error) {
	rows, err := q.QueryContext(ctx, `SELECT d.id, d.template, COALESCE(c.data, '{}'), COALESCE(s.defaults, '{}')
		FROM devices d LEFT JOIN device_capabilities c ON c.device_id = d.id LEFT JOIN device_settings s ON s.device_id = d.id
		WHERE d.owner_id = $1 AND d.revoked_at = 0 AND (d.template <> '' OR COALESCE(s.defaults, '{}') <> '{}'
			OR EXISTS (SELECT 1 FROM device_group_members m JOIN device_groups g ON g.id = m.group_id
				WHERE m.device_id = d.id AND g.settings <> '{}'))`, owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (h heir, err error) {
		var can, defaults string
		if err = rows.Scan(&h.id, &h.template, &can, &defaults); err == nil {
			err = json.Unmarshal([]byte(defaults), &h.defaults)
		}
		if err == nil && strings.Contains(can, `"settings"`) {
			err = json.Unmarshal([]byte(can), &h.can)
		}
		return h, err
	})
}

// inherit gives a device of owner its defaults. moved is false if that changes nothing of what is desired: its own go
// before. Defaults that do not fit beside its own are left as they were, and so are those of a device that has changed
// hands meanwhile.
func (repo *Settings) inherit(
	ctx context.Context, owner, device string, defaults map[string]any, now time.Time,
) (s domain.Shadow, moved bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		moved = false
		if s, err = lockShadow(ctx, t, device); err != nil || s.Owner != owner {
			return err
		}
		desired, err := domain.MergeSettings(defaults, s.Own)
		if domain.KindOf(err) == domain.Invalid {
			return nil
		}
		if err != nil {
			return err
		}
		if moved = !reflect.DeepEqual(desired, s.Desired); moved {
			s.Version, s.ChangedAt, s.Errors = s.Version+1, now, maps.Clone(s.Errors)
			maps.DeleteFunc(s.Errors, func(name, _ string) bool { return s.Desired[name] != desired[name] })
		}
		s.Desired, s.Defaults = desired, defaults
		return putShadow(ctx, t, s)
	})
	return s, moved, err
}
