// Package notifications has the SQL of notifications: what users have chosen, their browsers that get pushes, of which
// messages they were told, what waits to be sent, and the mails that sum up what they missed.
package notifications

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Repository stores notifications.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// Settings returns what user has chosen for the account, and for rooms and threads.
func (repo *Repository) Settings(
	ctx context.Context, user string,
) (s domain.NotifySettings, choices []domain.NotifyChoice, err error) {
	var stored string
	err = repo.db.QueryRowContext(ctx, `SELECT settings FROM notify_settings WHERE user_id = $1`, user).Scan(&stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, nil, err
	}
	if s, err = parse(stored, user); err != nil {
		return s, nil, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT room_id, thread, level FROM notify_levels WHERE user_id = $1
		ORDER BY room_id, thread`, user)
	if err != nil {
		return s, nil, err
	}
	choices, err = store.Collect(rows, func(rows *sql.Rows) (c domain.NotifyChoice, err error) {
		err = rows.Scan(&c.Room, &c.Thread, &c.Level)
		return c, err
	})
	return s, choices, err
}

// parse reads stored settings; empty are those of who has chosen nothing.
func parse(stored, user string) (s domain.NotifySettings, err error) {
	if stored == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(stored), &s); err != nil {
		return s, fmt.Errorf("settings of notifications of %s: %w", user, err)
	}
	return s, nil
}

// PutSettings stores what user has chosen. What waits to be sent to them is looked at anew.
func (repo *Repository) PutSettings(ctx context.Context, user string, s domain.NotifySettings) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := t.ExecContext(ctx, `INSERT INTO notify_settings (user_id, settings, version) VALUES ($1, $2, 1)
			ON CONFLICT (user_id) DO UPDATE SET settings = excluded.settings, version = notify_settings.version + 1`, user, string(text)); err != nil {
			return err
		}
		for _, table := range []string{"pushes", "reminder_pushes", "report_pushes"} {
			if _, err := t.ExecContext(ctx, `UPDATE `+table+` SET due_at = 0 WHERE tries = 0 AND subscription_id IN
				(SELECT id FROM push_subscriptions WHERE user_id = $1)`, user); err != nil {
				return err
			}
		}
		return nil
	})
}

// Choose stores the level that user has chosen for a room or thread that they may read.
func (repo *Repository) Choose(ctx context.Context, user string, c domain.NotifyChoice, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := rooms.Readable(ctx, t, user, c.Room, now); err != nil {
			return err
		}
		if c.Level == domain.NotifyDefault {
			_, err := t.ExecContext(ctx, `DELETE FROM notify_levels WHERE user_id = $1 AND room_id = $2 AND thread = $3`, user,
				c.Room, c.Thread)
			return err
		}
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM notify_levels WHERE user_id = $1 AND NOT (room_id = $2
			AND thread = $3)`, user, c.Room, c.Thread).Scan(&n)
		if err != nil {
			return err
		}
		if n >= domain.MaxNotifyLevels {
			return domain.Conflict.Errorf(domain.CodeTooManyLevels, "you have chosen what to be told of in %d rooms and "+
				"threads; go back to the default in some of them", n)
		}
		if c.Thread != 0 {
			if err := roomlog.CheckRoot(ctx, t, c.Room, c.Thread); err != nil {
				return err
			}
		}
		_, err = t.ExecContext(ctx, `INSERT INTO notify_levels (user_id, room_id, thread, level) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, room_id, thread) DO UPDATE SET level = excluded.level`, user, c.Room, c.Thread, c.Level)
		return err
	})
}

// EraseUser deletes all that is stored about the notifications of a user.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	for _, table := range []string{"notify_settings", "notify_levels", "push_subscriptions", "notifications", "digests",
		"digest_marks"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	return nil
}

// EraseMember deletes what is stored about the notifications of somebody who is in a room no longer.
func EraseMember(ctx context.Context, t *store.Tx, user, room string) error {
	for _, table := range []string{"notify_levels", "notifications", "digest_marks"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1 AND room_id = $2`, user, room); err != nil {
			return err
		}
	}
	return nil
}
