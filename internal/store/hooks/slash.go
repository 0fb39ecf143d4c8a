package hooks

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Slash stores slash commands, and which of them may still be answered.
type Slash struct{ db *store.DB }

// NewSlash returns the repository on db.
func NewSlash(db *store.DB) *Slash { return &Slash{db} }

const selectSlash = `SELECT h.id, h.room_id, '', TRUE, h.name, h.description, h.hint, h.url, h.generation, h.off,
	h.failure, h.created_at, h.rotated_at, h.used_at, h.failed_at,
	u.id, u.kind, u.username, u.display_name, u.avatar, c.id, c.kind, c.username, c.display_name, c.avatar
	FROM slash_commands h JOIN users u ON u.id = h.id JOIN users c ON c.id = h.created_by WHERE `

func slashCommands(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.SlashCommand, error) {
	return slashFrom(ctx, q, selectSlash+rest, args...)
}

func slashFrom(ctx context.Context, q store.Queryer, query string, args ...any) ([]domain.SlashCommand, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (c domain.SlashCommand, err error) {
		var at [4]int64
		var user, by accounts.RefRow
		dest := []any{&c.ID, &c.Room, &c.Kind, &c.Guests, &c.Name, &c.Description, &c.Hint, &c.URL, &c.Generation, &c.Off,
			&c.Failure,
			&at[0], &at[1], &at[2], &at[3]}
		err = rows.Scan(append(append(dest, user.Dest()...), by.Dest()...)...)
		c.CreatedAt, c.RotatedAt, c.UsedAt, c.FailedAt = store.Time(at[0]), store.Time(at[1]), store.Time(at[2]),
			store.Time(at[3])
		c.User, c.CreatedBy = user.Ref(), by.Ref()
		return c, err
	})
}

// oneSlash returns the first of what was found, or that there is no such command.
func oneSlash(found []domain.SlashCommand, err error) (c domain.SlashCommand, _ error) {
	if err != nil {
		return c, err
	}
	if len(found) == 0 {
		return c, errNoSlash()
	}
	return found[0], nil
}

func errNoSlash() error {
	return domain.NotFound.Errorf(domain.CodeNoSlash, "there is no such command in this room; it may have been removed")
}

// SlashCommands returns the slash commands of a room, by their names.
func (repo *Slash) SlashCommands(ctx context.Context, room string) ([]domain.SlashCommand, error) {
	return slashCommands(ctx, repo.db, `h.room_id = $1 ORDER BY h.name`, room)
}

// AllSlashCommands returns the slash commands of all rooms, each room's by their names.
func (repo *Slash) AllSlashCommands(ctx context.Context) ([]domain.SlashCommand, error) {
	return slashCommands(ctx, repo.db, `TRUE ORDER BY h.room_id, h.name`)
}

// SlashCommand returns a slash command of a room.
func (repo *Slash) SlashCommand(ctx context.Context, room, id string) (domain.SlashCommand, error) {
	return slashCommand(ctx, repo.db, room, id)
}

func slashCommand(ctx context.Context, q store.Queryer, room, id string) (domain.SlashCommand, error) {
	return oneSlash(slashCommands(ctx, q, `h.id = $1 AND h.room_id = $2`, id, room))
}

// SlashNamed returns the slash command that has a name in a room: the room's own one, or that of the server, if it is
// for such rooms and, where a guest asks, for guests.
func (repo *Slash) SlashNamed(ctx context.Context, room, name string, guest bool) (domain.SlashCommand, error) {
	own, err := slashCommands(ctx, repo.db, `h.room_id = $1 AND h.name = $2`, room, name)
	if err != nil || len(own) > 0 {
		return oneSlash(own, err)
	}
	return oneSlash(serverCommands(ctx, repo.db, forRoom+` AND h.name = $3`, room, guest, name))
}

// CreateSlash makes a slash command a member of its room. It fails with conflict if the room has one of this name, or
// domain.MaxSlashCommands.
func (repo *Slash) CreateSlash(
	ctx context.Context, actor string, c domain.SlashCommand, now time.Time,
) (out domain.SlashCommand, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, c.Room, actor, domain.ManageHooks, now)
		if err != nil {
			return err
		}
		there, err := slashCommands(ctx, t, `h.room_id = $1`, c.Room)
		if err != nil {
			return err
		}
		for _, other := range there {
			if other.Name == c.Name {
				return domain.Conflict.Errorf(domain.CodeSlashExists,
					"the room has a command /%s already; choose another name, or change that one", c.Name)
			}
		}
		if len(there) >= domain.MaxSlashCommands {
			return domain.Conflict.Errorf(domain.CodeTooManyHooks,
				"the room has as many slash commands as a room may have (%d); remove one first", len(there))
		}
		if err := join(ctx, t, m.User, c.Room, c.ID, "/"+c.Name, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO slash_commands
			(id, room_id, name, description, hint, url, created_by, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			c.ID, c.Room, c.Name, c.Description, c.Hint, c.URL, actor, store.Millis(now))
		if err != nil {
			return err
		}
		out, err = oneSlash(slashCommands(ctx, t, `h.id = $1`, c.ID))
		return err
	})
	return out, err
}

// ChangeSlash changes what a slash command says of itself, and whom it asks. edit gets it as it is then, and may be
// called more than once. on switches it on or off; nil leaves it. Whoever switches it on, or gives it another address,
// stands for it from then on.
func (repo *Slash) ChangeSlash(
	ctx context.Context, actor, room, id string, edit func(*domain.SlashCommand) error, on *bool, now time.Time,
) (domain.SlashCommand, error) {
	return change(ctx, repo.db, actor, room, id, now, slashCommand, func(
		ctx context.Context, t *store.Tx, c domain.SlashCommand,
	) error {
		if err := edit(&c); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE slash_commands SET description = $2, hint = $3, url = $4,
			created_by = CASE WHEN url = $4 THEN created_by ELSE $5 END WHERE id = $1`,
			id, c.Description, c.Hint, c.URL, actor)
		switch {
		case err != nil || on == nil:
			return err
		case !*on:
			_, err = t.ExecContext(ctx, `UPDATE slash_commands SET off = $2 WHERE id = $1 AND off = ''`, id,
				domain.HookOffByAdmin)
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE slash_commands SET off = '', failed_at = 0, failure = '', created_by = $2
			WHERE id = $1 AND off <> ''`, id, actor)
		return err
	})
}

// RotateSlash replaces the secret of a slash command.
func (repo *Slash) RotateSlash(
	ctx context.Context, actor, room, id string, now time.Time,
) (domain.SlashCommand, error) {
	return change(ctx, repo.db, actor, room, id, now, slashCommand, func(
		ctx context.Context, t *store.Tx, _ domain.SlashCommand,
	) error {
		_, err := t.ExecContext(ctx, `UPDATE slash_commands SET generation = generation + 1, rotated_at = $2 WHERE id = $1`,
			id, store.Millis(now))
		return err
	})
}

// RemoveSlash ends a slash command. What it wrote stays.
func (repo *Slash) RemoveSlash(
	ctx context.Context, actor, room, id string, now time.Time,
) (c domain.SlashCommand, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ManageHooks, now)
		if err != nil {
			return err
		}
		if c, err = slashCommand(ctx, t, room, id); err != nil {
			return err
		}
		return remove(ctx, t, room, m.User, c.User, now)
	})
	return c, err
}

// NoteSlash stores that the receiver of a slash command has answered, or, with a failure, what was wrong.
func (repo *Slash) NoteSlash(ctx context.Context, c domain.SlashCommand, failure string, now time.Time) error {
	table, set := "slash_commands", `used_at = $2, failed_at = 0, failure = ''`
	if c.OfServer() {
		table = "server_commands"
	}
	args := []any{c.ID, store.Millis(now)}
	if failure != "" {
		set, args = `failed_at = $2, failure = $3`, append(args, failure)
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE `+table+` SET `+set+` WHERE id = $1`, args...)
		return err
	})
}

// BeginRun stores that somebody has written a slash command, under the hash of the secret by which its receiver may
// answer, and forgets those whose time is over. It returns r with who that is, and with the name of the room.
func (repo *Slash) BeginRun(
	ctx context.Context, r domain.SlashRun, hash []byte, now time.Time,
) (domain.SlashRun, error) {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) (err error) {
		for _, table := range []string{"slash_runs", "server_runs"} {
			_, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE expires_at <= $1`, store.Millis(now))
			if err != nil {
				return err
			}
		}
		// Of a command that was removed meanwhile there is no room.
		there := `SELECT r.name FROM slash_commands c JOIN rooms r ON r.id = c.room_id WHERE c.id = $1 AND r.id = $2`
		if r.Command.OfServer() {
			there = `SELECT r.name FROM server_commands c JOIN rooms r ON r.id = $2 WHERE c.id = $1`
		}
		err = t.QueryRowContext(ctx, there, r.Command.ID, r.Room).Scan(&r.RoomName)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoSlash()
		} else if err != nil {
			return err
		}
		if r.User, err = accounts.Ref(ctx, t, r.User.ID); err != nil {
			return err
		}
		if r.Thread > 0 {
			if err := requireRoot(ctx, t, r); err != nil {
				return err
			}
		}
		query := `INSERT INTO slash_runs (secret_hash, command_id, user_id, thread, expires_at, uses)
			VALUES ($1, $2, $3, $4, $5, $6)`
		args := []any{hash, r.Command.ID, r.User.ID, r.Thread, store.Millis(now.Add(domain.SlashReplyKept)),
			domain.SlashReplyUses}
		if r.Command.OfServer() {
			query = `INSERT INTO server_runs (secret_hash, command_id, user_id, thread, expires_at, uses, room_id)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`
			args = append(args, r.Room)
		}
		_, err = t.ExecContext(ctx, query, args...)
		return err
	})
	return r, err
}

// requireRoot returns an error if what r is answered with could not be in its thread.
func requireRoot(ctx context.Context, t *store.Tx, r domain.SlashRun) error {
	m, err := rooms.MemberOf(ctx, t, r.Room, r.User.ID)
	if err != nil {
		return err
	}
	if err := m.View().Require(r.Thread); err != nil {
		return err
	}
	_, err = roomlog.RequireRoot(ctx, t, r.Room, r.Thread)
	return err
}

// answerable is what of slash_runs may be answered: $1 is the hash of a secret, $2 the time.
const answerable = ` slash_runs.secret_hash = $1 AND slash_runs.uses > 0 AND slash_runs.expires_at > $2
	AND EXISTS (SELECT 1 FROM slash_commands c JOIN members m ON m.room_id = c.room_id JOIN users u ON u.id = m.user_id
		WHERE c.id = command_id AND c.off = '' AND m.user_id = slash_runs.user_id AND NOT u.disabled)`

// answerableServer is the same of server_runs.
const answerableServer = ` server_runs.secret_hash = $1 AND server_runs.uses > 0 AND server_runs.expires_at > $2
	AND EXISTS (SELECT 1 FROM server_commands c JOIN users a ON a.id = c.created_by
		JOIN members m ON m.room_id = server_runs.room_id JOIN users u ON u.id = m.user_id
		WHERE c.id = command_id AND c.off = '' AND a.role = 'admin' AND NOT a.disabled
		AND m.user_id = server_runs.user_id AND NOT u.disabled)`

// Run returns what the holder of a secret may answer, as TakeRun does, and counts nothing.
func (repo *Slash) Run(ctx context.Context, hash []byte, now time.Time) (r domain.SlashRun, err error) {
	r, ok, err := slashRun(ctx, repo.db, repo.db.QueryRowContext(ctx,
		`SELECT command_id, user_id, thread, '' FROM slash_runs WHERE`+answerable, hash, store.Millis(now)))
	if err == nil && !ok {
		r, ok, err = slashRun(ctx, repo.db, repo.db.QueryRowContext(ctx,
			`SELECT command_id, user_id, thread, room_id FROM server_runs WHERE`+answerableServer, hash, store.Millis(now)))
	}
	if err == nil && !ok {
		err = errNoRun()
	}
	return r, err
}

func errNoRun() error {
	return domain.NotFound.Errorf(domain.CodeNoHook, "nothing may be answered by this address, or no more: it is "+
		"good for %d minutes and %d answers", int(domain.SlashReplyKept.Minutes()), domain.SlashReplyUses)
}

// slashRun reads a row of slash_runs, or, with a room, of server_runs. Without a row it returns false.
func slashRun(ctx context.Context, q store.Queryer, row *sql.Row) (r domain.SlashRun, ok bool, err error) {
	var command, user string
	err = row.Scan(&command, &user, &r.Thread, &r.Room)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	} else if err != nil {
		return r, false, err
	}
	if r.Room != "" {
		r.Command, err = oneSlash(serverCommands(ctx, q, `h.id = $1`, command))
	} else if r.Command, err = oneSlash(slashCommands(ctx, q, `h.id = $1`, command)); err == nil {
		r.Room = r.Command.Room
	}
	if err != nil {
		return r, false, err
	}
	r.User, err = accounts.Ref(ctx, q, user)
	return r, true, err
}

// TakeRun returns what the holder of a secret may answer, and counts the answer. It fails with not_found when the time
// or the number of answers is over, when the command was removed or switched off, and when who wrote it is in the room
// no more, or their account is disabled.
func (repo *Slash) TakeRun(ctx context.Context, hash []byte, now time.Time) (r domain.SlashRun, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) (err error) {
		var ok bool
		r, ok, err = slashRun(ctx, t, t.QueryRowContext(ctx, `UPDATE slash_runs SET uses = uses - 1 WHERE`+answerable+
			` RETURNING command_id, user_id, thread, ''`, hash, store.Millis(now)))
		if err == nil && !ok {
			r, ok, err = slashRun(ctx, t, t.QueryRowContext(ctx, `UPDATE server_runs SET uses = uses - 1 WHERE`+
				answerableServer+` RETURNING command_id, user_id, thread, room_id`, hash, store.Millis(now)))
		}
		if err == nil && !ok {
			err = errNoRun()
		}
		return err
	})
	return r, err
}
