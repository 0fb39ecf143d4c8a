package devices

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Settings stores what is to be set on devices, and what they say is set.
type Settings struct{ db *store.DB }

// NewSettings returns the repository on db.
func NewSettings(db *store.DB) *Settings { return &Settings{db} }

// Shadow returns what is to be set on a device, and what it says is set.
func (repo *Settings) Shadow(ctx context.Context, device string) (domain.Shadow, error) {
	return shadow(ctx, repo.db, device)
}

func shadow(ctx context.Context, q store.Queryer, device string) (s domain.Shadow, err error) {
	var desired, reported, failed, own, defaults string
	var changed, at int64
	err = q.QueryRowContext(ctx, `SELECT d.owner_id, s.version, s.desired, s.changed_at, s.applied, s.reported, s.errors,
		s.reported_at, COALESCE(s.own, s.desired), s.defaults FROM device_settings s JOIN devices d ON d.id = s.device_id
		WHERE s.device_id = $1`, device).Scan(
		&s.Owner, &s.Version, &desired, &changed, &s.Applied, &reported, &failed, &at, &own, &defaults)
	s.Device = device
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.ChangedAt, s.ReportedAt = store.Time(changed), store.Time(at)
	return s, errors.Join(json.Unmarshal([]byte(desired), &s.Desired), json.Unmarshal([]byte(reported), &s.Reported),
		json.Unmarshal([]byte(failed), &s.Errors), json.Unmarshal([]byte(own), &s.Own),
		json.Unmarshal([]byte(defaults), &s.Defaults))
}

// Desire changes what is to be set on a device. If base is not nil, it must be the version that there is.
func (repo *Settings) Desire(
	ctx context.Context, device string, change map[string]any, base *int64, now time.Time,
) (s domain.Shadow, err error) {
	return s, repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if s, err = lockShadow(ctx, t, device); err != nil {
			return err
		}
		if base != nil && *base != s.Version {
			return domain.ErrSettingsChanged(s.Version)
		}
		if s.Own, err = domain.MergeSettings(s.Own, change); err != nil {
			return err
		}
		if s.Desired, err = domain.MergeSettings(s.Defaults, s.Own); err != nil {
			return err
		}
		s.Version, s.ChangedAt, s.Errors = s.Version+1, now, maps.Clone(s.Errors)
		for name := range change {
			delete(s.Errors, name)
		}
		return putShadow(ctx, t, s)
	})
}

// ReportSettings stores what a device says about its settings.
func (repo *Settings) ReportSettings(
	ctx context.Context, device string, r domain.SettingsReport, now time.Time,
) (s domain.Shadow, err error) {
	return s, repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if s, err = lockShadow(ctx, t, device); err != nil {
			return err
		}
		if r.Version > s.Version {
			return domain.InvalidField("/version", "the latest version of the settings is %d", s.Version)
		}
		if s.Reported, err = domain.MergeSettings(s.Reported, r.Values); err != nil {
			return err
		}
		s.ReportedAt = now
		if r.Version >= s.Applied && r.Version > 0 { // else it is old news, or of no version
			s.Applied, s.Errors = r.Version, r.Errors
		}
		return putShadow(ctx, t, s)
	})
}

// lockShadow makes the row of a device, and locks it until the commit.
func lockShadow(ctx context.Context, t *store.Tx, device string) (s domain.Shadow, err error) {
	_, err = t.ExecContext(ctx, `INSERT INTO device_settings
		(device_id, version, desired, changed_at, applied, reported, errors, reported_at)
		VALUES ($1, 0, '{}', 0, 0, '{}', '{}', 0) ON CONFLICT (device_id) DO UPDATE SET version = device_settings.version`,
		device)
	if err != nil {
		return s, err
	}
	return shadow(ctx, t, device)
}

func putShadow(ctx context.Context, t *store.Tx, s domain.Shadow) error {
	var texts [5]any
	for i, v := range []any{s.Desired, s.Reported, s.Errors, s.Own, s.Defaults} {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		texts[i] = string(b)
	}
	_, err := t.ExecContext(ctx, `UPDATE device_settings SET version = $2, desired = $3, changed_at = $4, applied = $5,
		reported = $6, errors = $7, reported_at = $8, own = $9, defaults = $10 WHERE device_id = $1`, s.Device, s.Version,
		texts[0], store.Millis(s.ChangedAt), s.Applied, texts[1], texts[2], store.Millis(s.ReportedAt), texts[3], texts[4])
	return err
}

// OpenSettings returns devices whose settings have changed since a time, and which have said nothing of
// that.
func (repo *Settings) OpenSettings(ctx context.Context, since time.Time, limit int) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT device_id FROM device_settings WHERE applied < version
		AND changed_at >= $1 ORDER BY changed_at DESC, device_id LIMIT $2`, store.Millis(since), limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}
