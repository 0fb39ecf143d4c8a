package personal

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// PutDraft keeps d for user, who must be allowed to read its room, in place of the draft before; without a text it
// deletes that. It returns d with its version. over is the version that d is to replace: a newer one stays, and the
// error has the code CodeDraftChanged. 0 replaces whatever there is.
func (repo *Repository) PutDraft(
	ctx context.Context, user string, d domain.PersonalDraft, over int64, now time.Time,
) (domain.PersonalDraft, error) {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := rooms.Readable(ctx, t, user, d.Room, now)
		if err != nil {
			return err
		}
		if d.Thread > r.Head {
			return domain.ErrNoMessage(d.Thread)
		}
		if err := lock(ctx, t, user); err != nil {
			return err
		}
		var last int64
		err = t.QueryRowContext(ctx, `SELECT version FROM drafts WHERE user_id = $1 AND room_id = $2 AND thread = $3`, user,
			d.Room, d.Thread).Scan(&last)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if over != 0 && last > over {
			return domain.Conflict.Errorf(domain.CodeDraftChanged, "this draft was changed on another device; read it first")
		}
		d.Version = max(store.Millis(now), last+1, over+1)
		if d.Text == "" {
			_, err = t.ExecContext(ctx, `DELETE FROM drafts WHERE user_id = $1 AND room_id = $2 AND thread = $3`, user, d.Room,
				d.Thread)
			return err
		}
		return putDraft(ctx, t, user, d, last == 0)
	})
	return d, err
}

func putDraft(ctx context.Context, t *store.Tx, user string, d domain.PersonalDraft, isNew bool) error {
	if isNew {
		var all int
		err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM drafts WHERE user_id = $1`, user).Scan(&all)
		if err != nil {
			return err
		}
		if all >= domain.MaxDrafts {
			return domain.Conflict.Errorf(domain.CodeTooManyDrafts,
				"you have %d drafts, as many as one person can; send or delete one first", all)
		}
	}
	_, err := t.ExecContext(ctx, `INSERT INTO drafts (user_id, room_id, thread, text, version) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, room_id, thread) DO UPDATE SET text = excluded.text, version = excluded.version`, user, d.Room,
		d.Thread, d.Text, d.Version)
	return err
}

// Drafts returns the drafts of user in the rooms of which they are a member, the one that was changed last first.
func (repo *Repository) Drafts(ctx context.Context, user string) ([]domain.PersonalDraft, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT d.room_id, d.thread, d.text, d.version FROM drafts d
		JOIN members m ON m.room_id = d.room_id AND m.user_id = d.user_id
		JOIN rooms r ON r.id = d.room_id AND r.kind <> 'gone'
		WHERE d.user_id = $1 ORDER BY d.version DESC, d.room_id, d.thread`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (d domain.PersonalDraft, err error) {
		err = rows.Scan(&d.Room, &d.Thread, &d.Text, &d.Version)
		return d, err
	})
}
