package hooks

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// An Outgoing stores outgoing webhooks, and what they send.
type Outgoing struct{ db *store.DB }

// NewOutgoing returns the repository on db.
func NewOutgoing(db *store.DB) *Outgoing { return &Outgoing{db} }

const selectOut = `SELECT h.id, h.room_id, h.url, h.types, h.programs, h.generation, h.off, h.failure,
	h.created_at, h.rotated_at, h.sent_at, h.failed_at, h.due_at,
	(SELECT count(*) FROM hook_deliveries d WHERE d.hook_id = h.id AND d.state = 'waiting'),
	u.id, u.kind, u.username, u.display_name, u.avatar, c.id, c.kind, c.username, c.display_name, c.avatar
	FROM outgoing_hooks h JOIN users u ON u.id = h.id JOIN users c ON c.id = h.created_by WHERE `

func outHooks(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.OutHook, error) {
	rows, err := q.QueryContext(ctx, selectOut+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (h domain.OutHook, err error) {
		var at [5]int64
		var types string
		var user, by accounts.RefRow
		dest := []any{&h.ID, &h.Room, &h.URL, &types, &h.Programs, &h.Generation, &h.Off, &h.Failure,
			&at[0], &at[1], &at[2], &at[3], &at[4], &h.Waiting}
		err = rows.Scan(append(append(dest, user.Dest()...), by.Dest()...)...)
		h.Types = splitTypes(types)
		h.CreatedAt, h.RotatedAt, h.SentAt = store.Time(at[0]), store.Time(at[1]), store.Time(at[2])
		h.FailedAt, h.DueAt = store.Time(at[3]), store.Time(at[4])
		h.User, h.CreatedBy = user.Ref(), by.Ref()
		return h, err
	})
}

func splitTypes(list string) []domain.EventType {
	words := strings.Split(list, ",")
	types := make([]domain.EventType, len(words))
	for i, word := range words {
		types[i] = domain.EventType(word)
	}
	return types
}

func joinTypes(types []domain.EventType) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return strings.Join(words, ",")
}

// Any reports whether there is an outgoing webhook.
func (repo *Outgoing) Any(ctx context.Context) (yes bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM outgoing_hooks)`).Scan(&yes)
	return yes, err
}

// OutHooks returns the outgoing webhooks of a room, in the order in which they were made.
func (repo *Outgoing) OutHooks(ctx context.Context, room string) ([]domain.OutHook, error) {
	return outHooks(ctx, repo.db, `h.room_id = $1 ORDER BY h.id`, room)
}

// AllOutHooks returns the outgoing webhooks of all rooms, each room's in the order in which they were made.
func (repo *Outgoing) AllOutHooks(ctx context.Context) ([]domain.OutHook, error) {
	return outHooks(ctx, repo.db, `TRUE ORDER BY h.room_id, h.id`)
}

// OutHook returns an outgoing webhook of a room.
func (repo *Outgoing) OutHook(ctx context.Context, room, id string) (domain.OutHook, error) {
	return outHook(ctx, repo.db, room, id)
}

func outHook(ctx context.Context, q store.Queryer, room, id string) (domain.OutHook, error) {
	return one(outHooks(ctx, q, `h.id = $1 AND h.room_id = $2`, id, room))
}

// CreateOutHook makes an outgoing webhook a member of its room, and sends what happens from then on. It fails with
// conflict if the room has domain.MaxOutHooks.
func (repo *Outgoing) CreateOutHook(
	ctx context.Context, actor string, h domain.OutHook, now time.Time,
) (out domain.OutHook, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, h.Room, actor, domain.ManageHooks, now)
		if err != nil {
			return err
		}
		var n int
		err = t.QueryRowContext(ctx, `SELECT count(*) FROM outgoing_hooks WHERE room_id = $1`, h.Room).Scan(&n)
		if err != nil {
			return err
		}
		if n >= domain.MaxOutHooks {
			return domain.Conflict.Errorf(domain.CodeTooManyHooks,
				"the room has as many outgoing webhooks as a room may have (%d); remove one first", n)
		}
		if err := join(ctx, t, m.User, h.Room, h.ID, h.User.DisplayName, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO outgoing_hooks (id, room_id, url, types, programs, created_by, created_at,
			after_seq) SELECT $1, id, $3, $4, $5, $6, $7, head FROM rooms WHERE id = $2`, h.ID, h.Room, h.URL,
			joinTypes(h.Types), h.Programs, actor, store.Millis(now))
		if err != nil {
			return err
		}
		out, err = one(outHooks(ctx, t, `h.id = $1`, h.ID))
		return err
	})
	return out, err
}

// ChangeOutHook changes what an outgoing webhook sends, and where to. edit gets it as it is then, and may be called
// more than once. on switches it on or off; nil leaves it. What waited while it was off is sent when it is switched on,
// what happened meanwhile is not; whoever does it, or gives it another address, stands for it from then on.
func (repo *Outgoing) ChangeOutHook(
	ctx context.Context, actor, room, id string, edit func(*domain.OutHook) error, on *bool, now time.Time,
) (out domain.OutHook, err error) {
	return change(ctx, repo.db, actor, room, id, now, outHook, func(
		ctx context.Context, t *store.Tx, h domain.OutHook,
	) error {
		was := h.Off
		if err := edit(&h); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE outgoing_hooks SET url = $2, types = $3, programs = $4,
			created_by = CASE WHEN url = $2 THEN created_by ELSE $5 END WHERE id = $1`, h.ID, h.URL, joinTypes(h.Types),
			h.Programs, actor)
		switch {
		case err != nil || on == nil || *on == (was == ""):
			return err
		case !*on:
			_, err = t.ExecContext(ctx, `UPDATE outgoing_hooks SET off = $2 WHERE id = $1`, h.ID, domain.HookOffByAdmin)
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE outgoing_hooks SET off = '', failed_at = 0, failure = '', due_at = $2,
			created_by = $3, after_seq = (SELECT head FROM rooms WHERE id = room_id) WHERE id = $1`, h.ID, store.Millis(now),
			actor)
		return err
	})
}

// RotateOutHook replaces the secret of an outgoing webhook.
func (repo *Outgoing) RotateOutHook(
	ctx context.Context, actor, room, id string, now time.Time,
) (domain.OutHook, error) {
	return change(ctx, repo.db, actor, room, id, now, outHook, func(
		ctx context.Context, t *store.Tx, _ domain.OutHook,
	) error {
		_, err := t.ExecContext(ctx, `UPDATE outgoing_hooks SET generation = generation + 1, rotated_at = $2 WHERE id = $1`,
			id, store.Millis(now))
		return err
	})
}

// change changes an outgoing webhook or a slash command, which get returns, of a room in which actor may manage them. It
// returns it as it is then.
func change[T any](
	ctx context.Context, db *store.DB, actor, room, id string, now time.Time,
	get func(ctx context.Context, q store.Queryer, room, id string) (T, error),
	fn func(ctx context.Context, t *store.Tx, was T) error,
) (out T, err error) {
	err = db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ManageHooks, now); err != nil {
			return err
		}
		was, err := get(ctx, t, room, id)
		if err != nil {
			return err
		}
		if err := fn(ctx, t, was); err != nil {
			return err
		}
		out, err = get(ctx, t, room, id)
		return err
	})
	return out, err
}

// RemoveOutHook ends an outgoing webhook, with what it had still to send.
func (repo *Outgoing) RemoveOutHook(
	ctx context.Context, actor, room, id string, now time.Time,
) (h domain.OutHook, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ManageHooks, now)
		if err != nil {
			return err
		}
		if h, err = outHook(ctx, t, room, id); err != nil {
			return err
		}
		return remove(ctx, t, room, m.User, h.User, now)
	})
	return h, err
}

// Event returns an event of a room, and false if it was purged.
func (repo *Outgoing) Event(ctx context.Context, room string, seq int64) (domain.Event, bool, error) {
	return roomlog.BySeq(ctx, repo.db, domain.WholeLog(room), seq)
}

// Admins returns the usernames of those who may manage the webhooks of a room.
func (repo *Outgoing) Admins(ctx context.Context, room string) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT u.username FROM members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = $1 AND m.role IN ($2, $3) AND u.kind = $4 ORDER BY m.role DESC, u.id LIMIT 20`, room, domain.Owner,
		domain.Admin, domain.KindUser)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}
