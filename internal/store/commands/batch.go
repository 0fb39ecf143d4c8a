package commands

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

const batchColumns = `b.id, b.key, b.name, b.room_id, b.seq, b.action, b.args, b.devices, b.refused, b.created_at,
	b.expires_at, b.told_at, b.trace, u.id, u.kind, u.username, u.display_name, u.avatar`

// batchRow is a batch as it is stored.
type batchRow struct {
	domain.CommandBatch
	told time.Time
}

// batches returns batches with their counts.
func batches(ctx context.Context, q store.Queryer, rest string, args ...any) ([]batchRow, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+batchColumns+` FROM command_batches b JOIN users u ON u.id = b.actor_id
		WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, func(rows *sql.Rows) (b batchRow, err error) {
		var args, refused string
		var created, expires, told int64
		var by accounts.RefRow
		err = rows.Scan(append([]any{&b.ID, &b.Key, &b.Group, &b.Room, &b.Seq, &b.Action, &args, &b.Counts.Devices, &refused,
			&created, &expires, &told, &b.Trace}, by.Dest()...)...)
		if err != nil {
			return b, err
		}
		b.Args, b.By, b.CreatedAt = json.RawMessage(args), by.Ref(), store.Time(created)
		b.Expires, b.told = store.Time(expires), store.Time(told)
		return b, json.Unmarshal([]byte(refused), &b.Refused)
	})
	for i := range found {
		if err == nil {
			err = count(ctx, q, &found[i].CommandBatch)
		}
	}
	return found, err
}

// count counts the commands of a batch by their states.
func count(ctx context.Context, q store.Queryer, b *domain.CommandBatch) error {
	b.Counts = domain.BatchCounts{Devices: b.Counts.Devices, Refused: len(b.Refused)}
	rows, err := q.QueryContext(ctx, `SELECT state, count(*) FROM commands WHERE batch_id = $1 AND batch_id <> ''
		GROUP BY state`, b.ID)
	if err != nil {
		return err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (n int, err error) {
		var state domain.CommandState
		if err = rows.Scan(&state, &n); err == nil {
			b.Counts.Add(state, n)
		}
		return n, err
	})
	return err
}

// GiveBatch stores what b.By tells some of the devices of a group, a command for each, and writes one line into
// the room that it is given in. Refused has the other devices, and gets those that cannot be told by now. The
// same key from the same actor returns the first batch again, with repeat true and without commands, and is
// refused with CodeKeyReused if what it asks for differs. If no device is left, nothing is stored.
func (repo *Repository) GiveBatch(
	ctx context.Context, b domain.CommandBatch, devices []string, now time.Time,
) (given domain.CommandBatch, told []domain.Command, repeat bool, err error) {
	for range 2 { // the second time, if the same key came twice at once
		err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			given, told, repeat, err = giveBatch(ctx, t, b, devices, store.Trim(now))
			return err
		})
		if !store.IsUnique(err) {
			break
		}
	}
	return given, told, repeat, err
}

func giveBatch(ctx context.Context, t *store.Tx, b domain.CommandBatch, devices []string, now time.Time) (
	given domain.CommandBatch, told []domain.Command, repeat bool, err error,
) {
	if given, repeat, err = repeated(ctx, t, b); err != nil || repeat {
		return given, nil, repeat, err
	}
	if b.Room != "" {
		if _, _, err := rooms.LockAndAuthorize(ctx, t, b.Room, b.By.ID, domain.SendMessage, now); err != nil {
			return b, nil, false, err
		}
	}
	if devices, err = reach(ctx, t, &b, devices, now); err != nil {
		return b, nil, false, err
	}
	b.CreatedAt, b.Expires = now, store.Trim(b.Expires)
	b.Counts.Pending, b.Counts.Refused = len(devices), len(b.Refused)
	if b.By, err = accounts.Ref(ctx, t, b.By.ID); err != nil {
		return b, nil, false, err
	}
	if b.Room != "" {
		e := domain.Event{Room: b.Room, Type: domain.GroupCommanded, Actor: b.By, At: now, Trace: b.Trace,
			Payload: domain.GroupCommandedPayload{Batch: b.Line()}}
		if err := roomlog.Append(ctx, t, &e, nil); err != nil {
			return b, nil, false, err
		}
		b.Seq = e.Seq
	}
	if err := insertBatch(ctx, t, b); err != nil {
		return b, nil, false, err
	}
	for _, device := range devices {
		id := domain.NewID(domain.CommandPrefix)
		c := domain.Command{ID: id, Key: id, Device: device, By: b.By, Action: b.Action, Args: b.Args, Batch: b.ID,
			State: domain.CommandQueued, CreatedAt: now, ChangedAt: now, Expires: b.Expires, Trace: b.Trace}
		if err := insert(ctx, t, c); err != nil {
			return b, nil, false, err
		}
		told = append(told, c)
	}
	return b, told, false, nil
}

func insertBatch(ctx context.Context, t *store.Tx, b domain.CommandBatch) error {
	if b.Refused == nil {
		b.Refused = []domain.BatchRefusal{}
	}
	refused, err := json.Marshal(b.Refused)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO command_batches (id, actor_id, key, name, room_id, seq, action, args, devices,
		refused, created_at, expires_at, told_at, untold, trace)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $11, FALSE, $13)`, b.ID, b.By.ID, b.Key, b.Group, b.Room,
		b.Seq, b.Action, string(b.Args), b.Counts.Devices, string(refused), store.Millis(b.CreatedAt),
		store.Millis(b.Expires), b.Trace)
	if err != nil {
		return fmt.Errorf("store what a group is told: %w", err)
	}
	return nil
}

// Repeated returns the batch that an actor gave with this key, if there is one.
func (repo *Repository) Repeated(
	ctx context.Context, b domain.CommandBatch,
) (given domain.CommandBatch, repeat bool, err error) {
	return repeated(ctx, repo.db, b)
}

func repeated(ctx context.Context, q store.Queryer, b domain.CommandBatch) (domain.CommandBatch, bool, error) {
	earlier, err := batches(ctx, q, `b.actor_id = $1 AND b.key = $2`, b.By.ID, b.Key)
	if err != nil || len(earlier) == 0 {
		return b, false, err
	}
	if !earlier[0].SameOrder(b) {
		return b, false, domain.Conflict.Errorf(domain.CodeKeyReused,
			"a group was told something else with this key; send a new one with a new key")
	}
	return earlier[0].CommandBatch, true, nil
}

// reach locks those of the devices that can be told something now, and refuses the others.
func reach(
	ctx context.Context, t *store.Tx, b *domain.CommandBatch, devices []string, now time.Time,
) (able []string, err error) {
	padded := store.PadToPowerOfTwo(devices)
	list, args := store.Placeholders(3, len(padded)), append([]any{b.By.ID, store.Millis(now)}, store.Args(padded)...)
	there, err := set(ctx, t, `SELECT id FROM devices WHERE owner_id = $1 AND revoked_at = 0
		AND (expires_at = 0 OR expires_at > $2) AND id IN (`+list+`) ORDER BY id`+t.ForUpdate(), args...)
	if err != nil {
		return nil, err
	}
	full, err := set(ctx, t, `SELECT device_id FROM commands WHERE due_at <> 0 AND device_id IN (`+
		store.Placeholders(2, len(padded))+`) GROUP BY device_id HAVING count(*) >= $1`,
		append([]any{domain.MaxOpenCommands}, store.Args(padded)...)...)
	if err != nil {
		return nil, err
	}
	inRoom := there
	if b.Room != "" {
		args[0] = b.Room
		if inRoom, err = set(ctx, t, `SELECT user_id FROM members WHERE room_id = $1 AND muted_until <= $2
			AND user_id IN (`+list+`)`, args...); err != nil {
			return nil, err
		}
	}
	for _, id := range devices {
		switch {
		case !there[id]:
			b.Refused = append(b.Refused, domain.BatchRefusal{Device: id, Reason: domain.BatchGone,
				Detail: "the device was revoked, has ended, or is not yours any more"})
		case !inRoom[id]:
			b.Refused = append(b.Refused, domain.BatchRefusal{Device: id, Reason: domain.BatchNotInRoom,
				Detail: "the device is not in this room, or muted there"})
		case full[id]:
			b.Refused = append(b.Refused, domain.BatchRefusal{Device: id, Reason: domain.BatchManyWait,
				Detail: fmt.Sprintf("%d commands wait for this device, the most that may", domain.MaxOpenCommands)})
		default:
			able = append(able, id)
		}
	}
	if len(able) == 0 {
		return nil, nobody(b.Refused[len(b.Refused)-1])
	}
	return able, nil
}

// nobody says that no device of a group can be told something, and why one of them cannot.
func nobody(r domain.BatchRefusal) error {
	const text = "no device of this group can be told that: %s"
	switch r.Reason {
	case domain.BatchNotInRoom:
		return domain.Forbidden.Errorf(domain.CodeNotReachable, text, r.Detail)
	case domain.BatchManyWait:
		return domain.Conflict.Errorf(domain.CodeTooManyCommands, text, r.Detail)
	}
	return domain.Conflict.Errorf(domain.CodeDeviceRevoked, text, r.Detail)
}

func set(ctx context.Context, q store.Queryer, query string, args ...any) (map[string]bool, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, store.ScanString)
	in := make(map[string]bool, len(found))
	for _, id := range found {
		in[id] = true
	}
	return in, err
}

// changeInBatch saves a command of a batch, and has the room of the batch told of it: at once if nothing more is
// expected of the batch, or if it was not told for a while, and else soon.
func changeInBatch(ctx context.Context, t *store.Tx, r *row, before domain.CommandState, now time.Time) error {
	var was, is domain.BatchCounts
	was.Add(before, 1)
	is.Add(r.State, 1)
	if err := save(ctx, t, r); err != nil || was == is {
		return err
	}
	if r.batchRoom == "" {
		var there int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM command_batches WHERE id = $1`, r.Batch).Scan(&there)
		if err == nil && there == 0 && !r.State.Open() {
			err = remove(ctx, t, r) // its line is not kept any more
		}
		return err
	}
	found, err := batches(ctx, t, `b.id = $1`+forUpdateBatch(t), r.Batch)
	if err != nil || len(found) == 0 {
		return err
	}
	if b := found[0]; b.Counts.Open() && now.Sub(b.told) < progressEvery {
		_, err := t.ExecContext(ctx, `UPDATE command_batches SET untold = TRUE WHERE id = $1 AND NOT untold`, b.ID)
		return err
	}
	return tellBatch(ctx, t, found[0].CommandBatch, now)
}

// forUpdateBatch locks the batch alone.
func forUpdateBatch(t *store.Tx) string {
	if t.ForUpdate() == "" {
		return ""
	}
	return t.ForUpdate() + ` OF b`
}

// tellBatch writes how far a batch has come into the room's log, and into its line.
func tellBatch(ctx context.Context, t *store.Tx, b domain.CommandBatch, now time.Time) error {
	_, err := t.ExecContext(ctx, `UPDATE command_batches SET untold = FALSE, told_at = $2 WHERE id = $1`, b.ID,
		store.Millis(now))
	if err != nil {
		return err
	}
	room, err := rooms.ByID(ctx, t, b.Room, t.ForUpdate())
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	if err != nil || room.Floor >= b.Seq {
		return err
	}
	e := domain.Event{Room: b.Room, Type: domain.GroupChanged, Actor: b.By, At: now, Trace: b.Trace,
		Payload: domain.GroupChangedPayload{Of: b.Seq, Batch: b.Line()}}
	if err := roomlog.Append(ctx, t, &e, b.Seq); err != nil {
		return err
	}
	given := domain.Event{Room: b.Room, Seq: b.Seq, Type: domain.GroupCommanded,
		Payload: domain.GroupCommandedPayload{Batch: b.Line()}}
	return roomlog.Restate(ctx, t, &given)
}

// TellBatches tells rooms of batches that have come further some time ago, some at a time.
func (repo *Repository) TellBatches(ctx context.Context, now time.Time, limit int) error {
	now = store.Trim(now)
	due, err := set(ctx, repo.db,
		`SELECT id FROM command_batches WHERE untold AND told_at <= $1 ORDER BY told_at LIMIT $2`,
		store.Millis(now.Add(-progressEvery)), limit)
	if err != nil {
		return err
	}
	for id := range due {
		err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			found, err := batches(ctx, t, `b.id = $1 AND b.untold`+forUpdateBatch(t), id)
			if err != nil || len(found) == 0 {
				return err // another node was first
			}
			return tellBatch(ctx, t, found[0].CommandBatch, now)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Batch returns what actor told a group, and the devices that it came to no good end for.
func (repo *Repository) Batch(
	ctx context.Context, actor, group, id string,
) (b domain.CommandBatch, failures []domain.BatchFailure, err error) {
	found, err := batches(ctx, repo.db, `b.id = $1 AND b.actor_id = $2 AND b.name = $3`, id, actor, group)
	if err == nil && len(found) == 0 {
		err = domain.ErrNoBatch()
	}
	if err != nil {
		return b, nil, err
	}
	b = found[0].CommandBatch
	rows, err := repo.db.QueryContext(ctx, `SELECT c.device_id, u.display_name, c.state, c.error FROM commands c
		JOIN users u ON u.id = c.device_id WHERE c.batch_id = $1 AND c.batch_id <> ''
		AND c.state IN ('failed', 'expired', 'cancelled') ORDER BY c.device_id`, id)
	if err != nil {
		return b, nil, err
	}
	failures, err = store.Collect(rows, func(rows *sql.Rows) (f domain.BatchFailure, err error) {
		err = rows.Scan(&f.Device, &f.Name, &f.State, &f.Detail)
		return f, err
	})
	if err != nil || len(b.Refused) == 0 {
		return b, failures, err
	}
	names, err := repo.names(ctx, actor, b.Refused)
	for _, r := range b.Refused {
		failures = append(failures, domain.BatchFailure{Device: r.Device, Name: names[r.Device], Reason: r.Reason,
			Detail: r.Detail})
	}
	return b, failures, err
}

// names returns what those of the devices are called that are owner's still.
func (repo *Repository) names(
	ctx context.Context, owner string, refused []domain.BatchRefusal,
) (map[string]string, error) {
	ids := make([]string, len(refused))
	for i, r := range refused {
		ids[i] = r.Device
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT d.id, u.display_name FROM devices d JOIN users u ON u.id = d.id
		WHERE d.owner_id = $1 AND d.id IN (`+store.Placeholders(2, len(ids))+`)`, append([]any{owner}, store.Args(ids)...)...)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(ids))
	_, err = store.Collect(rows, func(rows *sql.Rows) (id string, err error) {
		var name string
		err = rows.Scan(&id, &name)
		names[id] = name
		return id, err
	})
	return names, err
}

// Batches returns what actor told a group, the latest first. before is the id of the last one of the page before.
func (repo *Repository) Batches(
	ctx context.Context, actor, group, before string, limit int,
) ([]domain.CommandBatch, error) {
	found, err := batches(ctx, repo.db, `b.actor_id = $1 AND b.name = $2 AND ($3 = '' OR b.id < $3) ORDER BY b.id DESC
		LIMIT $4`, actor, group, before, limit)
	list := make([]domain.CommandBatch, len(found))
	for i, b := range found {
		list[i] = b.CommandBatch
	}
	return list, err
}
