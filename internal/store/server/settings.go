package server

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Settings returns the settings that administrators have changed.
func (repo *Repository) Settings(ctx context.Context) ([]domain.Setting, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT name, value, by_id, at FROM settings ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (s domain.Setting, err error) {
		var when int64
		err = rows.Scan(&s.Name, &s.Value, &s.By, &when)
		s.At = store.Time(when)
		return s, err
	})
}

// SetSetting stores a setting.
func (repo *Repository) SetSetting(ctx context.Context, s domain.Setting) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO settings (name, value, by_id, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value, by_id = excluded.by_id, at =
			excluded.at`, s.Name, s.Value, s.By, store.Millis(s.At))
		return err
	})
}

// InitSetting stores a setting unless one of this name exists. It returns the value that is stored
// then.
func (repo *Repository) InitSetting(ctx context.Context, s domain.Setting) (value string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx,
			`INSERT INTO settings (name, value, by_id, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, s.Name, s.Value,
			s.By, store.Millis(s.At))
		if err != nil {
			return err
		}
		return t.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, s.Name).Scan(&value)
	})
	return value, err
}
