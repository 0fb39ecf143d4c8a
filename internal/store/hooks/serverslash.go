package hooks

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A command of the server is off while whoever stands for it is no administrator.
const selectServer = `SELECT h.id, '', h.kind, h.guests, h.name, h.description, h.hint, h.url, h.generation,
	CASE WHEN h.off = '' AND (c.role <> 'admin' OR c.disabled) THEN 'left' ELSE h.off END, h.failure,
	h.created_at, h.rotated_at, h.used_at, h.failed_at,
	u.id, u.kind, u.username, u.display_name, u.avatar, c.id, c.kind, c.username, c.display_name, c.avatar
	FROM server_commands h JOIN users u ON u.id = h.id JOIN users c ON c.id = h.created_by WHERE `

// forRoom is what the room $1 has of the server's commands, for guests if $2.
const forRoom = `EXISTS (SELECT 1 FROM rooms r WHERE r.id = $1 AND r.kind <> 'direct' AND h.kind IN ('', r.kind))
	AND (h.guests OR NOT CAST($2 AS BOOLEAN))`

func serverCommands(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.SlashCommand, error) {
	return slashFrom(ctx, q, selectServer+rest, args...)
}

func serverCommand(ctx context.Context, q store.Queryer, id string) (domain.SlashCommand, error) {
	return oneSlash(serverCommands(ctx, q, `h.id = $1 OR h.name = $1`, id))
}

// ServerCommands returns the slash commands of the server, by their names.
func (repo *Slash) ServerCommands(ctx context.Context) ([]domain.SlashCommand, error) {
	return serverCommands(ctx, repo.db, `TRUE ORDER BY h.name`)
}

// ServerCommandsIn returns those of them that a room has, also if it has one of that name itself. A guest sees those
// that are for guests.
func (repo *Slash) ServerCommandsIn(ctx context.Context, room string, guest bool) ([]domain.SlashCommand, error) {
	return serverCommands(ctx, repo.db, forRoom+` ORDER BY h.name`, room, guest)
}

// ServerCommand returns a slash command of the server by its id or name.
func (repo *Slash) ServerCommand(ctx context.Context, which string) (domain.SlashCommand, error) {
	return serverCommand(ctx, repo.db, which)
}

// CreateServerCommand makes a slash command of the server, for which actor stands. It fails with conflict if there is
// one of this name, or if there are domain.MaxServerSlash.
func (repo *Slash) CreateServerCommand(
	ctx context.Context, actor string, c domain.SlashCommand, now time.Time,
) (out domain.SlashCommand, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		there, err := serverCommands(ctx, t, `TRUE`)
		if err != nil {
			return err
		}
		for _, other := range there {
			if other.Name == c.Name {
				return domain.Conflict.Errorf(domain.CodeSlashExists,
					"the server has a command /%s already; choose another name, or change that one", c.Name)
			}
		}
		if len(there) >= domain.MaxServerSlash {
			return domain.Conflict.Errorf(domain.CodeTooManyHooks,
				"the server has as many slash commands as it may have (%d); remove one first", len(there))
		}
		if err := insertUser(ctx, t, c.ID, "/"+c.Name, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO server_commands
			(id, name, description, hint, url, kind, guests, created_by, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			c.ID, c.Name, c.Description, c.Hint, c.URL, c.Kind, c.Guests, actor, store.Millis(now))
		if err != nil {
			return err
		}
		out, err = serverCommand(ctx, t, c.ID)
		return err
	})
	return out, err
}

// ChangeServerCommand changes a slash command of the server, as ChangeSlash does one of a room.
func (repo *Slash) ChangeServerCommand(
	ctx context.Context, actor, id string, edit func(*domain.SlashCommand) error, on *bool,
) (domain.SlashCommand, error) {
	return repo.changeServer(ctx, id, func(ctx context.Context, t *store.Tx, c domain.SlashCommand) error {
		left := c.Off == domain.HookOffLeft
		if err := edit(&c); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE server_commands SET description = $2, hint = $3, url = $4, kind = $6,
			guests = $7, created_by = CASE WHEN url = $4 THEN created_by ELSE $5 END WHERE id = $1`,
			c.ID, c.Description, c.Hint, c.URL, actor, c.Kind, c.Guests)
		switch {
		case err != nil || on == nil:
			return err
		case !*on:
			_, err = t.ExecContext(ctx, `UPDATE server_commands SET off = $2 WHERE id = $1`, c.ID, domain.HookOffByAdmin)
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE server_commands SET off = '', failed_at = 0, failure = '', created_by = $2
			WHERE id = $1 AND (off <> '' OR CAST($3 AS BOOLEAN))`, c.ID, actor, left)
		return err
	})
}

// RotateServerCommand replaces the secret of a slash command of the server.
func (repo *Slash) RotateServerCommand(ctx context.Context, id string, now time.Time) (domain.SlashCommand, error) {
	return repo.changeServer(ctx, id, func(ctx context.Context, t *store.Tx, c domain.SlashCommand) error {
		_, err := t.ExecContext(ctx,
			`UPDATE server_commands SET generation = generation + 1, rotated_at = $2 WHERE id = $1`, c.ID, store.Millis(now))
		return err
	})
}

func (repo *Slash) changeServer(
	ctx context.Context, id string, do func(ctx context.Context, t *store.Tx, c domain.SlashCommand) error,
) (c domain.SlashCommand, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if c, err = serverCommand(ctx, t, id); err != nil {
			return err
		}
		if err := do(ctx, t, c); err != nil {
			return err
		}
		c, err = serverCommand(ctx, t, c.ID)
		return err
	})
	return c, err
}

// RemoveServerCommand ends a slash command of the server: at once for whoever writes it, and then it leaves the rooms
// that it is in, one after another. What it wrote stays. What fails midway goes on when it is removed again.
func (repo *Slash) RemoveServerCommand(ctx context.Context, id string, now time.Time) error {
	now, off := store.Trim(now), false
	asItIs := func(*domain.SlashCommand) error { return nil }
	c, err := repo.ChangeServerCommand(ctx, "", id, asItIs, &off)
	if err != nil {
		return err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT room_id FROM members WHERE user_id = $1 ORDER BY room_id`, c.ID)
	if err != nil {
		return err
	}
	in, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, room := range in {
		if err := repo.leaveRoom(ctx, room, c, now); err != nil {
			return err
		}
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM server_commands WHERE id = $1`, c.ID)
		return err
	})
}

func (repo *Slash) leaveRoom(ctx context.Context, room string, c domain.SlashCommand, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := rooms.ByID(ctx, t, room, t.ForUpdate()); err != nil {
			return err
		}
		m, err := rooms.MemberOf(ctx, t, room, c.ID)
		if err != nil || m.Role == domain.NonMember {
			return err
		}
		return rooms.RemoveMember(ctx, t, &domain.Event{Room: room, Type: domain.MemberLeft, Actor: c.User, Subject: &c.User,
			At: now})
	})
}

// Admit makes the command of the server that somebody has written a member of the room, so that it can answer there. It
// fails if it was banned from the room, was removed or switched off, or if whoever wrote it is a member no more.
func (repo *Slash) Admit(ctx context.Context, r domain.SlashRun, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, by, err := rooms.LockAndAuthorize(ctx, t, r.Room, r.User.ID, domain.SendMessage, store.Trim(now))
		if err != nil {
			return err
		}
		m, err := rooms.MemberOf(ctx, t, r.Room, r.Command.ID)
		if err != nil || m.Role != domain.NonMember {
			return err
		}
		c, err := serverCommand(ctx, t, r.Command.ID)
		if err == nil && c.Off != "" {
			err = errNoSlash()
		}
		if err != nil {
			return err
		}
		u, err := accounts.Ref(ctx, t, c.ID)
		if err != nil {
			return err
		}
		if err := rooms.CheckBan(ctx, t, r.Room, u.ID); err != nil {
			return err
		}
		return rooms.InsertMember(ctx, t, r.Room, by.User, u, domain.RegularMember, "", store.Trim(now))
	})
}
