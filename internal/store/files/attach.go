package files

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Attach makes files of owner, in this order, those of the message seq that is about to be appended to room. They
// must be ready, and may be of other messages as well. The caller has checked that owner may write, and calls
// MarkAttached, or the same in its own way, when the message is in the log.
func Attach(
	ctx context.Context, t *store.Tx, owner, room string, seq int64, ids []string,
) ([]domain.File, error) {
	attached := make([]domain.File, 0, len(ids))
	for _, id := range ids {
		f, err := fileOf(ctx, t, id, owner, t.ForUpdate())
		switch {
		case err != nil:
			return nil, err
		case f.State == domain.FileGone:
			return nil, errNoFile()
		case f.State != domain.FileReady:
			return nil, domain.Conflict.Errorf(domain.CodeUploadOpen,
				"the upload of %s is not complete; complete it before you post it", f.Name)
		}
		attached = append(attached, f)
	}
	for n, id := range ids {
		_, err := t.ExecContext(ctx, `INSERT INTO attachments (room_id, seq, n, file_id) VALUES ($1, $2, $3, $4)`, room, seq,
			n, id)
		if err != nil {
			return nil, err
		}
		if _, err := t.ExecContext(ctx, `UPDATE files SET expires_at = 0 WHERE id = $1`, id); err != nil {
			return nil, err
		}
	}
	return attached, nil
}

// MarkAttached is the statement that says of the message $2 of the room $1 that it has $3 files.
const MarkAttached = `UPDATE events SET attached = $3 WHERE room_id = $1 AND seq = $2`

// Detach takes the files of a message away, which is deleted. A file that no other message has is deleted as well.
// With heldBy, who deletes it, the room is under a legal hold: the files stay, where no member can see them.
func Detach(ctx context.Context, t *store.Tx, room string, seq int64, heldBy string, now time.Time) error {
	if heldBy != "" {
		_, err := t.ExecContext(ctx, `INSERT INTO held_files (room_id, seq, n, file_id, by_id, deleted_at)
			SELECT room_id, seq, n, file_id, $3, $4 FROM attachments WHERE room_id = $1 AND seq = $2`, room, seq, heldBy,
			store.Millis(now))
		if err != nil {
			return err
		}
	}
	if err := detach(ctx, t, `attachments`, `room_id = $1 AND seq = $2`, now, room, seq); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, MarkAttached, room, seq, 0)
	return err
}

// DropUpTo takes the files of all messages of room up to a number away, which are purged.
func DropUpTo(ctx context.Context, t *store.Tx, room string, to int64, now time.Time) error {
	for _, table := range []string{`attachments`, `held_files`} {
		if err := detach(ctx, t, table, `room_id = $1 AND seq <= $2`, now, room, to); err != nil {
			return err
		}
	}
	return nil
}

// detach deletes rows of a table, and the files that no message has any more.
func detach(ctx context.Context, t *store.Tx, table, where string, now time.Time, args ...any) error {
	rows, err := t.QueryContext(ctx, `DELETE FROM `+table+` WHERE `+where+` RETURNING file_id`, args...)
	if err != nil {
		return err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := lock(ctx, t, id); err != nil { // whoever posts it just now has done so then
			return err
		}
		needed := false
		err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attachments WHERE file_id = $1)
			OR EXISTS (SELECT 1 FROM held_files WHERE file_id = $1)`, id).Scan(&needed)
		if err == nil && !needed {
			err = drop(ctx, t, id, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lock waits for other transactions that change a file, and keeps it until the end of this one.
func lock(ctx context.Context, t *store.Tx, id string) error {
	var one int
	err := t.QueryRowContext(ctx, `SELECT 1 FROM files WHERE id = $1`+t.ForUpdate(), id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// EraseUser deletes the files of a user that no message has. The others stay with their messages, as texts do.
func EraseUser(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	rows, err := t.QueryContext(ctx, `SELECT id FROM files WHERE owner_id = $1 AND expires_at > 0`, user)
	if err != nil {
		return err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := drop(ctx, t, id, now); err != nil {
			return err
		}
	}
	return nil
}
