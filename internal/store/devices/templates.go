package devices

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Templates stores templates of devices.
type Templates struct{ db *store.DB }

// NewTemplates returns the repository on db.
func NewTemplates(db *store.DB) *Templates { return &Templates{db} }

// PutTemplate makes a template, or replaces the one of its owner and name.
func (repo *Templates) PutTemplate(ctx context.Context, n domain.NamedTemplate, now time.Time) error {
	data, err := json.Marshal(n.DeviceTemplate)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lockOwner(ctx, t, n.Owner, now); err != nil {
			return err
		}
		var others int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM device_templates WHERE owner_id = $1 AND name <> $2`, n.Owner,
			n.Name).Scan(&others)
		if err == nil && others >= domain.MaxDeviceTemplates {
			err = domain.Conflict.Errorf(domain.CodeManyTemplates,
				"you have as many templates as one person may (%d); delete one", others)
		}
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO device_templates (owner_id, name, data) VALUES ($1, $2, $3)
			ON CONFLICT (owner_id, name) DO UPDATE SET data = excluded.data`, n.Owner, n.Name, string(data))
		return err
	})
}

// DeleteTemplate deletes a template of owner.
func (repo *Templates) DeleteTemplate(ctx context.Context, owner, name string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM device_templates WHERE owner_id = $1 AND name = $2`, owner, name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return domain.ErrNoDeviceTemplate()
	})
}

// Templates returns the templates of owner, by name.
func (repo *Templates) Templates(ctx context.Context, owner string) ([]domain.NamedTemplate, error) {
	return templatesWhere(ctx, repo.db, `owner_id = $1 ORDER BY name`, owner)
}

func templatesWhere(ctx context.Context, q store.Queryer, rest, owner string) ([]domain.NamedTemplate, error) {
	rows, err := q.QueryContext(ctx, `SELECT name, data FROM device_templates WHERE `+rest, owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (n domain.NamedTemplate, err error) {
		n.Owner = owner
		var data string
		if err := rows.Scan(&n.Name, &data); err != nil {
			return n, err
		}
		return n, json.Unmarshal([]byte(data), &n.DeviceTemplate)
	})
}

// Template returns a template of owner.
func (repo *Templates) Template(ctx context.Context, owner, name string) (n domain.NamedTemplate, err error) {
	n.Owner, n.Name = owner, name
	var data string
	err = repo.db.QueryRowContext(ctx, `SELECT data FROM device_templates WHERE owner_id = $1 AND name = $2`, owner,
		name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return n, domain.ErrNoDeviceTemplate()
	}
	if err == nil {
		err = json.Unmarshal([]byte(data), &n.DeviceTemplate)
	}
	return n, err
}

// begin gives a new device the groups and capabilities of a template, if it has one. Of its owner's
// groups by a rule, the rule decides.
func begin(ctx context.Context, t *store.Tx, d domain.Device, from *domain.NamedTemplate, now time.Time) error {
	if from == nil {
		return nil
	}
	if _, err := t.ExecContext(ctx, `UPDATE devices SET template = $2 WHERE id = $1`, d.ID, from.Name); err != nil {
		return err
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(from.Groups))) {
		g, err := groupOf(ctx, t, d.Owner.ID, name)
		if domain.KindOf(err) == domain.NotFound {
			g = domain.DeviceGroup{Owner: d.Owner.ID, Name: name}
			err = insertGroup(ctx, t, &g, "", now)
		}
		if err == nil && g.Rule == nil {
			err = addToGroup(ctx, t, g, []string{d.ID})
		}
		if err != nil {
			return err
		}
	}
	if from.Capabilities == nil {
		return nil
	}
	return describe(ctx, t, d.ID, *from.Capabilities, now)
}
