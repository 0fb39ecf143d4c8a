// Package owndata reads what the server has about a person across all parts, for the download of their data. It only
// reads.
package owndata

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// A kind is what there may be about a person, each a line of the download.
type kind struct {
	name   string
	tables []string // the columns that name the person, as table.column
	query  string   // of user $1
}

// kinds are what the download has of other parts than accounts, messages and what people keep for themselves. Names
// that end in _at are times.
var kinds = []kind{
	{"room", []string{"members.user_id", "mutes.user_id"}, `SELECT m.room_id AS room, r.kind, r.name, m.role,
		m.joined_at, m.muted_until AS muted_until_at
		FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 ORDER BY m.room_id`},
	{"thread", []string{"thread_marks.user_id"}, `SELECT room_id AS room, root AS seq, following
		FROM thread_marks WHERE user_id = $1 ORDER BY room_id, root`},
	{"room_request", []string{"room_requests.user_id", "room_requests.by_user"},
		`SELECT room_id AS room, user_id AS "user",
		by_user AS asked_by, state, at AS asked_at FROM room_requests WHERE user_id = $1 OR by_user = $1
		ORDER BY room_id, user_id`},
	{"ban", []string{"bans.user_id"}, `SELECT room_id AS room, at AS banned_at
		FROM bans WHERE user_id = $1 ORDER BY room_id`},
	{"blocked", []string{"blocks.user_id"}, `SELECT u.id AS "user", u.username
		FROM blocks b JOIN users u ON u.id = b.other_id
		WHERE b.user_id = $1 ORDER BY u.id`},
	{"user_group", []string{"user_group_members.user_id"}, `SELECT g.id AS "group", g.handle, g.name
		FROM user_group_members m
		JOIN user_groups g ON g.id = m.group_id WHERE m.user_id = $1 ORDER BY g.id`},
	{"pin", []string{"pins.user_id"}, `SELECT room_id AS room, seq, at AS pinned_at FROM pins WHERE user_id = $1
		ORDER BY room_id, seq`},
	{"file", []string{"files.owner_id"}, `SELECT id, room_id AS room, name, size, type, created_at FROM files
		WHERE owner_id = $1 ORDER BY id`},
	{"browser", []string{"push_subscriptions.user_id"}, `SELECT id, endpoint, created_at, sent_at FROM push_subscriptions
		WHERE user_id = $1 ORDER BY id`},
	{"invitation", []string{"invites.created_by"}, `SELECT id, room_id AS room, created_at, expires_at, uses FROM invites
		WHERE created_by = $1 ORDER BY id`},
	{"account_invitation", []string{"signup_invites.created_by"}, `SELECT id, note, created_at, expires_at, uses
		FROM signup_invites WHERE created_by = $1 ORDER BY id`},
	{"bot", []string{"bots.owner_id"}, `SELECT b.id, u.username, u.display_name, b.created_at FROM bots b
		JOIN users u ON u.id = b.id WHERE b.owner_id = $1 ORDER BY b.id`},
	{"assistant_question", []string{"assistant_answers.asker_id"}, `SELECT room_id AS room, seq, bot_id AS bot, asked_at
		FROM assistant_answers WHERE asker_id = $1 ORDER BY room_id, seq`},
	{"incoming_webhook", []string{"incoming_hooks.created_by"}, `SELECT id, room_id AS room, created_at, used_at
		FROM incoming_hooks WHERE created_by = $1 ORDER BY id`},
	{"outgoing_webhook", []string{"outgoing_hooks.created_by"}, `SELECT id, room_id AS room, url, created_at, sent_at
		FROM outgoing_hooks WHERE created_by = $1 ORDER BY id`},
	{"slash_command", []string{"slash_commands.created_by"},
		`SELECT id, room_id AS room, name, description, url, created_at
		FROM slash_commands WHERE created_by = $1 ORDER BY id`},
	{"server_command", []string{"server_commands.created_by"}, `SELECT id, name, description, url, created_at
		FROM server_commands WHERE created_by = $1 ORDER BY id`},
	{"device", []string{"devices.owner_id"},
		`SELECT d.id, u.display_name AS name, d.type, d.notes, d.serial, d.created_at, d.revoked_at FROM devices d
		JOIN users u ON u.id = d.id WHERE d.owner_id = $1 ORDER BY d.id`},
	{"device_group", []string{"device_groups.owner_id"}, `SELECT id, name, rule, created_at FROM device_groups
		WHERE owner_id = $1 ORDER BY id`},
	{"device_template", []string{"device_templates.owner_id"}, `SELECT name, data FROM device_templates
		WHERE owner_id = $1 ORDER BY name`},
	{"device_transfer", []string{"device_transfers.from_user", "device_transfers.to_user"}, `SELECT device_id AS device,
		from_user AS "from", to_user AS "to", at AS offered_at FROM device_transfers
		WHERE from_user = $1 OR to_user = $1 AND NOT hidden ORDER BY device_id`},
	{"maintenance_window", []string{"maintenance_windows.owner_id"}, `SELECT id, name, created_at FROM maintenance_windows
		WHERE owner_id = $1 ORDER BY id`},
	{"alarm_rule", []string{"alarm_rules.created_by", "alarm_rules.escalate_user"}, `SELECT id, device_id AS device, name,
		created_at FROM alarm_rules WHERE created_by = $1 OR escalate_user = $1 ORDER BY id`},
	{"alarm_group_rule", []string{"alarm_group_rules.created_by", "alarm_group_rules.escalate_user"}, `SELECT id, name,
		created_at FROM alarm_group_rules WHERE created_by = $1 OR escalate_user = $1 ORDER BY id`},
	{"product", []string{"firmware_products.owner_id"}, `SELECT id, name, title, created_at FROM firmware_products
		WHERE owner_id = $1 ORDER BY id`},
	{"rollout", []string{"rollouts.owner_id", "rollouts.created_by", "rollouts.approved_by"}, `SELECT id, product, version,
		note, created_at FROM rollouts WHERE owner_id = $1 OR created_by = $1 OR approved_by = $1 ORDER BY id`},
}

// Exported are the columns, as table.column, that Each reads people by.
func Exported() (columns []string) {
	for _, k := range kinds {
		columns = append(columns, k.tables...)
	}
	return columns
}

// Repository reads.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// Each calls do for all that there is about user, with what kind of thing it is, and returns how much that is.
func (repo *Repository) Each(
	ctx context.Context, user string, do func(kind string, v map[string]any) error,
) (count int, err error) {
	for _, k := range kinds {
		all, err := repo.rows(ctx, k, user)
		if err != nil {
			return count, fmt.Errorf("%s of %s: %w", k.name, user, err)
		}
		for _, v := range all {
			if err := do(k.name, v); err != nil {
				return count, err
			}
		}
		count += len(all)
	}
	return count, nil
}

func (repo *Repository) rows(ctx context.Context, k kind, user string) ([]map[string]any, error) {
	rows, err := repo.db.QueryContext(ctx, k.query, user)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (map[string]any, error) {
		values, dest := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		v := map[string]any{}
		for i, name := range names {
			if one := valueOf(name, values[i]); one != nil {
				v[name] = one
			}
		}
		return v, nil
	})
}

// valueOf is a value as the download shows it: nil if there is none.
func valueOf(name string, v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case string:
		if v == "" {
			return nil
		}
	case int64:
		if at := strings.HasSuffix(name, "_at"); at && v == 0 {
			return nil
		} else if at {
			return store.Time(v).UTC().Format(time.RFC3339Nano)
		}
	}
	return v
}
