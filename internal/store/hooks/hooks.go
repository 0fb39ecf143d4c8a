// Package hooks has the SQL of webhooks, incoming and outgoing.
package hooks

import (
	"context"
	"database/sql"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Repository stores webhooks.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

const selectHooks = `SELECT h.id, h.room_id, h.created_at, h.renewed_at, h.used_at, h.failed_at, h.failure, h.faces,
	u.id, u.kind, u.username, u.display_name, u.avatar, c.id, c.kind, c.username, c.display_name, c.avatar
	FROM incoming_hooks h JOIN users u ON u.id = h.id JOIN users c ON c.id = h.created_by WHERE `

func where(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.Hook, error) {
	rows, err := q.QueryContext(ctx, selectHooks+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (h domain.Hook, err error) {
		var at [4]int64
		var user, by accounts.RefRow
		dest := []any{&h.ID, &h.Room, &at[0], &at[1], &at[2], &at[3], &h.Failure, &h.Faces}
		err = rows.Scan(append(append(dest, user.Dest()...), by.Dest()...)...)
		h.CreatedAt, h.RenewedAt, h.UsedAt, h.FailedAt = store.Time(at[0]), store.Time(at[1]), store.Time(at[2]),
			store.Time(at[3])
		h.User, h.CreatedBy = user.Ref(), by.Ref()
		return h, err
	})
}

// one returns the first of what was found, or that there is no such webhook.
func one[H domain.Hook | domain.OutHook](found []H, err error) (h H, _ error) {
	if err != nil {
		return h, err
	}
	if len(found) == 0 {
		return h, errNoHook()
	}
	return found[0], nil
}

func errNoHook() error {
	return domain.NotFound.Errorf(domain.CodeNoHook, "there is no such webhook in this room; it may have been removed")
}

// CreateHook makes a webhook a member of its room and stores it under the hash of its secret. It fails with conflict
// if the room has domain.MaxHooks.
func (repo *Repository) CreateHook(
	ctx context.Context, actor string, h domain.Hook, hash []byte, now time.Time,
) (out domain.Hook, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, h.Room, actor, domain.ManageHooks, now)
		if err != nil {
			return err
		}
		var n int
		err = t.QueryRowContext(ctx, `SELECT count(*) FROM incoming_hooks WHERE room_id = $1`, h.Room).Scan(&n)
		if err != nil {
			return err
		}
		if n >= domain.MaxHooks {
			return domain.Conflict.Errorf(domain.CodeTooManyHooks,
				"the room has as many webhooks as a room may have (%d); remove one first", n)
		}
		if err := insert(ctx, t, m.User, h, hash, now); err != nil {
			return err
		}
		out, err = one(where(ctx, t, `h.id = $1`, h.ID))
		return err
	})
	return out, err
}

func insert(
	ctx context.Context, t *store.Tx, by domain.UserRef, h domain.Hook, hash []byte, now time.Time,
) error {
	if err := join(ctx, t, by, h.Room, h.ID, h.User.DisplayName, now); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `INSERT INTO incoming_hooks (id, room_id, secret_hash, created_by, created_at, faces)
		VALUES ($1, $2, $3, $4, $5, $6)`, h.ID, h.Room, hash, by.ID, store.Millis(now), h.Faces)
	return err
}

// join makes a webhook, and a member of its room.
func join(ctx context.Context, t *store.Tx, by domain.UserRef, room, id, name string, now time.Time) error {
	if err := insertUser(ctx, t, id, name, now); err != nil {
		return err
	}
	u, err := accounts.Ref(ctx, t, id)
	if err != nil {
		return err
	}
	return rooms.InsertMember(ctx, t, room, by, u, domain.RegularMember, "", now)
}

// insertUser stores who a webhook is.
func insertUser(ctx context.Context, t *store.Tx, id, name string, now time.Time) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO users (id, kind, username, display_name, created_at) VALUES ($1, $2, $1, $3, $4)`,
		id, domain.KindBot, name, store.Millis(now))
	if err != nil {
		return err
	}
	return naming.FoldUser(ctx, t, id)
}

// Hooks returns the webhooks of a room, in the order in which they were made.
func (repo *Repository) Hooks(ctx context.Context, room string) ([]domain.Hook, error) {
	return where(ctx, repo.db, `h.room_id = $1 ORDER BY h.id`, room)
}

// HookByHash returns the webhook whose secret has a hash.
func (repo *Repository) HookByHash(ctx context.Context, hash []byte) (domain.Hook, error) {
	return one(where(ctx, repo.db, `h.secret_hash = $1`, hash))
}

// authorized returns a webhook that actor may manage, and actor.
func authorized(
	ctx context.Context, t *store.Tx, actor, room, id string, now time.Time,
) (h domain.Hook, by domain.UserRef, err error) {
	_, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ManageHooks, now)
	if err != nil {
		return h, by, err
	}
	h, err = one(where(ctx, t, `h.id = $1 AND h.room_id = $2`, id, room))
	return h, m.User, err
}

// RenewHook replaces the secret of a webhook. The old one is useless at once.
func (repo *Repository) RenewHook(
	ctx context.Context, actor, room, id string, hash []byte, now time.Time,
) (h domain.Hook, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if h, _, err = authorized(ctx, t, actor, room, id, now); err != nil {
			return err
		}
		h.RenewedAt = now
		_, err := t.ExecContext(ctx, `UPDATE incoming_hooks SET secret_hash = $2, renewed_at = $3 WHERE id = $1`, id, hash,
			store.Millis(now))
		return err
	})
	return h, err
}

// SetFaces says whether messages of a webhook may have a name and a picture of their own.
func (repo *Repository) SetFaces(
	ctx context.Context, actor, room, id string, may bool, now time.Time,
) (h domain.Hook, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if h, _, err = authorized(ctx, t, actor, room, id, now); err != nil {
			return err
		}
		h.Faces = may
		_, err := t.ExecContext(ctx, `UPDATE incoming_hooks SET faces = $2 WHERE id = $1`, id, may)
		return err
	})
	return h, err
}

// PeopleCalled returns the usernames and display names of the people in a room.
func (repo *Repository) PeopleCalled(ctx context.Context, room string) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT u.username FROM users u JOIN members m ON m.user_id = u.id
			AND m.room_id = $1 WHERE u.kind = $2
		UNION SELECT u.display_name FROM users u JOIN members m ON m.user_id = u.id AND m.room_id = $1
			WHERE u.kind = $2`, room, domain.KindUser)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// UsernameLike reports whether a person on the server has a username with a skeleton (package names).
func (repo *Repository) UsernameLike(ctx context.Context, skeleton string) (is bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM users WHERE skeleton = $1 AND kind = $2
		AND NOT pending)`, skeleton, domain.KindUser).Scan(&is)
	return is, err
}

// RemoveHook ends a webhook. What it wrote stays.
func (repo *Repository) RemoveHook(
	ctx context.Context, actor, room, id string, now time.Time,
) (h domain.Hook, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var by domain.UserRef
		if h, by, err = authorized(ctx, t, actor, room, id, now); err != nil {
			return err
		}
		return remove(ctx, t, room, by, h.User, now)
	})
	return h, err
}

// remove ends the membership of a webhook, and so the webhook.
func remove(ctx context.Context, t *store.Tx, room string, by, hook domain.UserRef, now time.Time) error {
	return rooms.RemoveMember(ctx, t, &domain.Event{Room: room, Type: domain.MemberKicked, Actor: by, Subject: &hook,
		At: now, Payload: domain.MemberKickedPayload{}})
}

// NoteHook stores that a webhook has posted, or, with a failure, that a request of it was refused.
func (repo *Repository) NoteHook(ctx context.Context, id, failure string, now time.Time) error {
	set := `used_at = $2`
	args := []any{id, store.Millis(now)}
	if failure != "" {
		set, args = `failed_at = $2, failure = $3`, append(args, failure)
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE incoming_hooks SET `+set+` WHERE id = $1`, args...)
		return err
	})
}

// InRoom returns who the webhooks and slash commands of a room are in it.
func InRoom(ctx context.Context, t *store.Tx, room string) ([]domain.UserRef, error) {
	return refs(ctx, t, `h.room_id = $1`, room)
}

// MadeBy returns who those webhooks and slash commands of a room are in it that a user has made.
func MadeBy(ctx context.Context, t *store.Tx, room, user string) ([]domain.UserRef, error) {
	return refs(ctx, t, `h.room_id = $1 AND h.created_by = $2`, room, user)
}

// refs returns who webhooks of all kinds are, in the order in which they were made.
func refs(ctx context.Context, t *store.Tx, which string, args ...any) ([]domain.UserRef, error) {
	rows, err := t.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar FROM (
		SELECT id, room_id, created_by FROM incoming_hooks UNION ALL SELECT id, room_id, created_by FROM outgoing_hooks
		UNION ALL SELECT id, room_id, created_by FROM slash_commands
		UNION ALL SELECT c.id, m.room_id, '' FROM server_commands c JOIN members m ON m.user_id = c.id) h
		JOIN users u ON u.id = h.id WHERE `+which+` ORDER BY u.id`, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, accounts.ScanRef)
}

// SwitchOffOf switches off the outgoing webhooks and slash commands of a room that a user has made: who is in the room
// no more is not to read on by them.
func SwitchOffOf(ctx context.Context, t *store.Tx, room, user string) error {
	for _, table := range []string{"outgoing_hooks", "slash_commands"} {
		_, err := t.ExecContext(ctx, `UPDATE `+table+` SET off = $3 WHERE room_id = $1 AND created_by = $2 AND off = ''`,
			room, user, domain.HookOffLeft)
		if err != nil {
			return err
		}
	}
	return nil
}

// LeaveEmpty removes the webhooks of a room that its last person has left with event e.
func LeaveEmpty(ctx context.Context, t *store.Tx, e domain.Event) error {
	here, err := InRoom(ctx, t, e.Room)
	if err != nil {
		return err
	}
	for _, u := range here {
		if err := rooms.RemoveMember(ctx, t, &domain.Event{Room: e.Room, Type: domain.MemberLeft, Actor: u, Subject: &u,
			At: e.At}); err != nil {
			return err
		}
	}
	return nil
}
