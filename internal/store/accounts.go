package store

import (
	"context"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// DeleteUser ends an account: its name, profile, secrets, sessions and
// memberships are gone. What it said stays in its rooms, under no name. Rooms
// that it owns are handed over first: conflict.
func (db *DB) DeleteUser(ctx context.Context, user string, now time.Time) error {
	now = trim(now)
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT room_id FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 AND r.kind <> 'direct' ORDER BY room_id`, user)
		if err != nil {
			return err
		}
		rooms, err := collect(rows, scanString)
		if err != nil {
			return err
		}
		for _, room := range rooms {
			if _, err := t.leave(ctx, user, room, now); err != nil {
				return err
			}
		}
		return t.erase(ctx, user, now)
	})
}

// erase leaves of a user what their messages point to.
func (t *tx) erase(ctx context.Context, user string, now time.Time) error {
	for _, table := range []string{"sessions", "flows", "totp", "recovery_codes", "remembered", "passkeys", "identities", "tickets", "bans", "mentions"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	if err := t.eraseDevices(ctx, user, now); err != nil {
		return err
	}
	name := "deleted-" + strings.TrimPrefix(user, domain.UserPrefix+"_")
	_, err := t.ExecContext(ctx, `UPDATE users SET username = $2, display_name = $3, email = '', about = '', locale = '', time_zone = '', avatar = '', role = 'user',
		disabled = TRUE, password = '', status_mode = '', status_text = '', status_emoji = '', last_seen_at = $4, epoch = epoch + 1 WHERE id = $1`,
		user, name, "Deleted account", ms(now))
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM avatars WHERE NOT EXISTS (SELECT 1 FROM users WHERE avatar = avatars.hash)`)
	return err
}
