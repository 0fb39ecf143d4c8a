// Package commands has the SQL of what people tell devices to do.
package commands

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Repository stores commands.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

const columns = `c.id, c.device_id, c.key, c.room_id, c.seq, c.action, c.args, c.state, c.progress, c.result, c.error,
	c.created_at, c.changed_at, c.told_at, c.expires_at, c.due_at, COALESCE(c.trace, ''), c.batch_id,
	COALESCE(b.room_id, ''), u.id, u.kind, u.username, u.display_name, u.avatar`

const tables = ` FROM commands c JOIN users u ON u.id = c.actor_id
	LEFT JOIN command_batches b ON b.id = c.batch_id `

// row is a command as it is stored.
type row struct {
	domain.Command
	told, due time.Time
	batchRoom string // that has a line of its batch; empty: none
}

func scan(rows *sql.Rows) (r row, err error) {
	var args string
	var result sql.NullString
	var progress sql.NullInt64
	var created, changed, told, expires, due int64
	var by accounts.RefRow
	err = rows.Scan(append([]any{&r.ID, &r.Device, &r.Key, &r.Room, &r.Seq, &r.Action, &args, &r.State, &progress, &result,
		&r.Error, &created, &changed, &told, &expires, &due,
		&r.Trace, &r.Batch, &r.batchRoom}, by.Dest()...)...)
	r.Args, r.By = json.RawMessage(args), by.Ref()
	if result.Valid {
		r.Result = json.RawMessage(result.String)
	}
	if progress.Valid {
		r.Progress = new(int(progress.Int64))
	}
	r.CreatedAt, r.ChangedAt, r.Expires = store.Time(created), store.Time(changed), store.Time(expires)
	r.told, r.due = store.Time(told), store.Time(due)
	return r, err
}

func where(ctx context.Context, q store.Queryer, rest string, args ...any) ([]row, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+columns+tables+`WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scan)
}

func listed(rows []row, err error) ([]domain.Command, error) {
	if err != nil {
		return nil, err
	}
	found := make([]domain.Command, len(rows))
	for i, r := range rows {
		found[i] = r.Command
	}
	return found, nil
}

// Give stores a new command and writes its line into the room that it is given in. The same key
// from the same actor returns the first command again, with repeat true, and is refused with
// CodeKeyReused if what it asks for differs. Without a room only the owner of the device may give
// one; in a room both the actor and the device must be able to write there.
func (repo *Repository) Give(
	ctx context.Context, c domain.Command, now time.Time,
) (given domain.Command, repeat bool, err error) {
	for range 2 { // the second time, if the same key came twice at once
		err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			given, repeat, err = give(ctx, t, c, store.Trim(now))
			return err
		})
		if !store.IsUnique(err) {
			break
		}
	}
	return given, repeat, err
}

func give(ctx context.Context, t *store.Tx, c domain.Command, now time.Time) (domain.Command, bool, error) {
	earlier, err := where(ctx, t, `c.actor_id = $1 AND c.key = $2`, c.By.ID, c.Key)
	if err != nil {
		return c, false, err
	}
	if len(earlier) > 0 {
		if !earlier[0].SameOrder(c) {
			return c, false, domain.Conflict.Errorf(domain.CodeKeyReused,
				"another command was given with this key; send a new one with a new key")
		}
		return earlier[0].Command, true, nil
	}
	if c.Room != "" {
		if err := reachable(ctx, t, c, now); err != nil {
			return c, false, err
		}
	}
	if err := authorize(ctx, t, c, now); err != nil {
		return c, false, err
	}
	c.State, c.CreatedAt, c.ChangedAt, c.Expires = domain.CommandQueued, now, now, store.Trim(c.Expires)
	if c.By, err = accounts.Ref(ctx, t, c.By.ID); err != nil {
		return c, false, err
	}
	if c.Room != "" {
		device, err := accounts.Ref(ctx, t, c.Device)
		if err != nil {
			return c, false, err
		}
		e := domain.Event{Room: c.Room, Type: domain.CommandGiven, Actor: c.By, Subject: &device, At: now,
			Payload: domain.CommandSentPayload{Command: c.Line()}}
		if err := roomlog.Append(ctx, t, &e, nil); err != nil {
			return c, false, err
		}
		c.Seq = e.Seq
	}
	return c, false, insert(ctx, t, c)
}

// insert stores a new command.
func insert(ctx context.Context, t *store.Tx, c domain.Command) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO commands (id, device_id, actor_id, key, room_id, seq, action, args, state, error,
		created_at, changed_at, told_at, expires_at, due_at, trace, batch_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $10, $10, $11, $11,
		NULLIF($12, ''), $13)`,
		c.ID, c.Device, c.By.ID, c.Key, c.Room, c.Seq, c.Action, string(c.Args), c.State, store.Millis(c.CreatedAt),
		store.Millis(c.Expires), c.Trace, c.Batch)
	if err != nil {
		return fmt.Errorf("store a command: %w", err)
	}
	return nil
}

// reachable holds that both the actor and the device may write in the room, and locks it.
func reachable(ctx context.Context, t *store.Tx, c domain.Command, now time.Time) error {
	r, _, err := rooms.LockAndAuthorize(ctx, t, c.Room, c.By.ID, domain.SendMessage, now)
	if err != nil {
		return err
	}
	m, err := rooms.MemberOf(ctx, t, c.Room, c.Device)
	if err != nil {
		return err
	}
	if m.Role == domain.NonMember || domain.Allow(r, m, domain.SendMessage, now) != nil {
		return domain.Forbidden.Errorf(domain.CodeNotReachable, "the device is not in this room, or muted there")
	}
	return nil
}

// authorize locks the device and holds that it can be given one more command.
func authorize(ctx context.Context, t *store.Tx, c domain.Command, now time.Time) error {
	var owner string
	var revoked, expires int64
	err := t.QueryRowContext(ctx, `SELECT owner_id, revoked_at, expires_at FROM devices WHERE id = $1`+t.ForUpdate(),
		c.Device).Scan(&owner, &revoked, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device, or it is not yours")
	case err != nil:
		return err
	case c.Room == "" && owner != c.By.ID:
		return domain.Forbidden.Errorf(domain.CodeNameARoom,
			"the device is not yours; name a room that you and the device are in")
	case revoked != 0 || expires != 0 && expires <= store.Millis(now):
		return domain.Conflict.Errorf(domain.CodeDeviceRevoked, "this device was revoked, or has ended")
	}
	var open int
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM commands WHERE device_id = $1 AND due_at <> 0`,
		c.Device).Scan(&open)
	if err == nil && open >= domain.MaxOpenCommands {
		err = domain.Conflict.Errorf(domain.CodeTooManyCommands, "%d commands wait for this device, the most that may", open)
	}
	return err
}

// Command returns a command of a device.
func (repo *Repository) Command(ctx context.Context, device, id string) (domain.Command, error) {
	found, err := listed(where(ctx, repo.db, `c.id = $1 AND c.device_id = $2`, id, device))
	if err == nil && len(found) == 0 {
		err = domain.ErrNoCommand()
	}
	if err != nil {
		return domain.Command{}, err
	}
	return found[0], nil
}

// Commands returns the commands of a device, the newest first: all, or those that viewer gave, or
// that were given in a room of theirs. before is the id of the last one of the page before.
func (repo *Repository) Commands(
	ctx context.Context, device, viewer, before string, limit int,
) ([]domain.Command, error) {
	return listed(where(ctx, repo.db, `c.device_id = $1 AND ($3 = '' OR c.id < $3) AND ($2 = '' OR c.actor_id = $2
		OR c.room_id IN (SELECT m.room_id FROM members m WHERE m.user_id = $2)) ORDER BY c.id DESC LIMIT $4`, device, viewer,
		before, limit))
}

// Pending returns the open commands that a device is to be given, the oldest first. Those that were
// given in a room which the device has left since, or is muted in, are not among them. fresh
// leaves out those that the device has said something about.
func (repo *Repository) Pending(
	ctx context.Context, device string, fresh bool, now time.Time,
) ([]domain.Command, error) {
	return listed(where(ctx, repo.db, `c.device_id = $1 AND c.due_at > $2
		AND (NOT $3 OR c.state IN ('queued', 'sent'))
		AND (c.room_id = '' OR EXISTS (SELECT 1 FROM members m WHERE m.room_id = c.room_id AND m.user_id = c.device_id
			AND m.muted_until <= $2))
		ORDER BY c.id LIMIT $4`, device, store.Millis(now), fresh, domain.MaxOpenCommands))
}

// Waiting returns devices that have a command from before a moment which was not sent to them.
func (repo *Repository) Waiting(ctx context.Context, before time.Time, limit int) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT DISTINCT device_id FROM commands
		WHERE due_at <> 0 AND state = 'queued' AND created_at < $1 LIMIT $2`, store.Millis(before), limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// Prune deletes commands that ended before a moment, some at a time, and reports whether there may
// be more.
func (repo *Repository) Prune(ctx context.Context, before time.Time) (more bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM commands WHERE id IN (SELECT id FROM commands
			WHERE due_at = 0 AND changed_at < $1 ORDER BY changed_at LIMIT 500)`, store.Millis(before))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if more = n == 500; err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM command_batches WHERE created_at < $1`, store.Millis(before))
		return err
	})
	return more, err
}

// EraseDevicesOf deletes the commands of all devices of a deleted account, and what it told groups.
func EraseDevicesOf(ctx context.Context, t *store.Tx, owner string) error {
	_, err := t.ExecContext(ctx, `DELETE FROM commands WHERE device_id IN (SELECT id FROM devices WHERE owner_id = $1)`,
		owner)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM command_batches WHERE actor_id = $1`, owner)
	return err
}
