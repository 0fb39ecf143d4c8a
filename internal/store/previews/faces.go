package previews

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

// faceHolder is what refers to the blob of a picture that a webhook gave messages.
func faceHolder(id string) string { return "face/" + id }

// FacePicture returns the id of the picture that user, a webhook, has of an address; empty: none.
func (repo *Repository) FacePicture(ctx context.Context, user, url string) (id string, err error) {
	return facePicture(ctx, repo.db, user, url)
}

func facePicture(ctx context.Context, q store.Queryer, user, url string) (id string, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM face_pictures WHERE user_id = $1 AND url = $2`, user, url).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// AddFacePicture stores the picture that user has of an address, and returns its id, or that of an earlier one. Of more
// than domain.MaxFaces, the oldest goes: messages that had it show the webhook's own. A webhook that is no member of
// room any more gets none.
func (repo *Repository) AddFacePicture(
	ctx context.Context, room, user, url string, i domain.PreviewImage, now time.Time,
) (id string, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if id, err = facePicture(ctx, t, user, url); err != nil || id != "" {
			return err
		}
		var here int // the lock lets concurrent requests of one webhook exceed no limit
		err := t.QueryRowContext(ctx, `SELECT 1 FROM members WHERE room_id = $1 AND user_id = $2`+t.ForUpdate(), room,
			user).Scan(&here)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `INSERT INTO face_pictures (room_id, user_id, url, id, hash, type, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, url) DO NOTHING`, room, user, url, i.ID, i.Hash, i.Type,
			store.Millis(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		id = i.ID
		if err := blobs.AddRef(ctx, t, blobs.Ref{Holder: faceHolder(id), Hash: i.Hash}, now); err != nil {
			return err
		}
		return dropFaces(ctx, t, now, `user_id = $1 AND id IN (SELECT id FROM face_pictures WHERE user_id = $1
			ORDER BY at DESC, id DESC LIMIT 1000 OFFSET $2)`, user, domain.MaxFaces)
	})
	return id, err
}

// DropFaces deletes the pictures that webhooks gave their messages in a room.
func DropFaces(ctx context.Context, t *store.Tx, room string, now time.Time) error {
	return dropFaces(ctx, t, now, `room_id = $1`, room)
}

func dropFaces(ctx context.Context, t *store.Tx, now time.Time, where string, args ...any) error {
	rows, err := t.QueryContext(ctx, `DELETE FROM face_pictures WHERE `+where+` RETURNING id`, args...)
	if err != nil {
		return err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := blobs.RemoveRef(ctx, t, faceHolder(id), now); err != nil {
			return err
		}
	}
	return nil
}
