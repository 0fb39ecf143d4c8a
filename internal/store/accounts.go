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
		if err := t.keepAdmin(ctx, user); err != nil {
			return err
		}
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
	for _, table := range []string{"sessions", "flows", "totp", "recovery_codes", "remembered", "passkeys", "identities", "tickets", "bans", "mentions", "room_requests", "blocks", "mutes"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM room_requests WHERE by_user = $1`, user); err != nil {
		return err
	}
	if err := t.eraseDevices(ctx, user, now); err != nil {
		return err
	}
	name := "deleted-" + strings.TrimPrefix(user, domain.UserPrefix+"_")
	_, err := t.ExecContext(ctx, `UPDATE users SET username = $2, display_name = $3, folded = '', skeleton = '', email = '', about = '', locale = '', time_zone = '', avatar = '', role = 'user',
		disabled = TRUE, password = '', status_mode = '', status_text = '', status_emoji = '', last_seen_at = $4, epoch = epoch + 1 WHERE id = $1`,
		user, name, "Deleted account", ms(now))
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM avatars WHERE NOT EXISTS (SELECT 1 FROM users WHERE avatar = avatars.hash)`)
	return err
}

const exportLot = 500

// MessagesBy returns messages that user wrote and that are still there, in the
// order they were written, after a place in the log; and the place to go on from,
// or 0 at the end.
func (db *DB) MessagesBy(ctx context.Context, user string, after int64) (messages []domain.Message, next int64, err error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+eventColumns+eventTables+` WHERE e.actor_id = $1 AND e.pos > $2 AND e.type = 'message.created' AND e.deleted_at = 0
		ORDER BY e.pos LIMIT $3`, user, after, exportLot)
	if err != nil {
		return nil, 0, err
	}
	events, err := collect(rows, scanEvent)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range events {
		messages = append(messages, *e.Message)
	}
	if len(events) == exportLot {
		next = events[len(events)-1].pos
	}
	return messages, next, nil
}

// HasAdmin reports whether anybody administers this server.
func (db *DB) HasAdmin(ctx context.Context) (has bool, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND NOT disabled)`).Scan(&has)
	return has, err
}

// keepAdmin refuses to take the last administrator away. It locks all of them, so
// that no two take away each other.
func (t *tx) keepAdmin(ctx context.Context, user string) error {
	rows, err := t.QueryContext(ctx, `SELECT id FROM users WHERE role = 'admin' AND NOT disabled ORDER BY id`+t.d.forUpdate)
	if err != nil {
		return err
	}
	admins, err := collect(rows, scanString)
	if err == nil && len(admins) == 1 && admins[0] == user {
		err = domain.Conflict.Errorf("last_admin", "this is the last administrator; make somebody else one first")
	}
	return err
}
