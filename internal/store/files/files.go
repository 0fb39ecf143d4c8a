// Package files has the SQL of files that people post: uploads with their parts, what room they take, and the
// messages that have them. The bytes of each part are among the blobs.
package files

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Repository stores files.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// holder is what refers to the blobs of a file.
func holder(file string) string { return "file/" + file }

func errNoFile() error {
	return domain.NotFound.Errorf(domain.CodeNoSuchFile, "there is no such file, or you don't have access to it")
}

// Create begins the upload of a file. Its size counts from now on: of several uploads at a time, those that
// exceed the quota are refused. The owner must be allowed to upload files for the room.
func (repo *Repository) Create(ctx context.Context, f domain.File, quota int64, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lockOwner(ctx, t, f, now); err != nil {
			return err
		}
		if err := hasRoom(ctx, t, f, quota); err != nil {
			return err
		}
		f.Created = now
		return insert(ctx, t, f)
	})
}

// lockOwner locks the room and the files of the owner of f, who must be allowed to upload files for the room.
func lockOwner(ctx context.Context, t *store.Tx, f domain.File, now time.Time) error {
	if _, _, err := rooms.LockAndAuthorize(ctx, t, f.Room, f.Owner, domain.UploadFile, now); err != nil {
		return err
	}
	return t.LockKey(ctx, "files "+f.Owner)
}

// hasRoom refuses f if its owner has too many files that no message has, or files of too many bytes.
func hasRoom(ctx context.Context, q store.Queryer, f domain.File, quota int64) error {
	var open int
	err := q.QueryRowContext(ctx, `SELECT count(*) FROM files WHERE owner_id = $1 AND expires_at > 0`,
		f.Owner).Scan(&open)
	if err == nil && open >= domain.MaxOpenUploads {
		err = domain.Conflict.Errorf(domain.CodeManyUploads,
			"you have %d files that no message has yet; post or delete some", open)
	}
	if err != nil || quota == 0 {
		return err
	}
	used, err := usage(ctx, q, f.Owner)
	if err == nil && used+f.Size > quota {
		err = errQuota(used, f.Size, quota)
	}
	return err
}

func insert(ctx context.Context, t *store.Tx, f domain.File) error {
	_, err := t.ExecContext(ctx, `INSERT INTO files (id, owner_id, room_id, name, folded, size, type, kind, state, width,
		height, duration_ms, thumb_hash, thumb_width, thumb_height, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6,
		$7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`, f.ID, f.Owner, f.Room, f.Name, fulltext.Name(f.Name), f.Size,
		f.Type, kindOf(f), f.State, f.Width, f.Height, f.Duration.Milliseconds(), f.Thumb.Hash, f.Thumb.Width,
		f.Thumb.Height, store.Millis(f.Created), store.Millis(f.Expires))
	return err
}

// kindOf returns the kind of a file; empty: its type is not known yet.
func kindOf(f domain.File) domain.FileKind {
	if f.Type == "" {
		return ""
	}
	return domain.KindOfFile(f.Type)
}

func errQuota(used, size, quota int64) error {
	return domain.TooLarge.Errorf(domain.CodeQuotaExceeded,
		"your files take %d of the %d MiB that they may, and this one has %d; delete messages with large files first: "+
			"GET /api/v1/files?sort=size lists the largest", used>>20, quota>>20, (size+1<<20-1)>>20)
}

// Use returns how many bytes the files of a person take.
func (repo *Repository) Use(ctx context.Context, owner string) (int64, error) {
	return usage(ctx, repo.db, owner)
}

func usage(ctx context.Context, q store.Queryer, owner string) (n int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT COALESCE(sum(size), 0) FROM files WHERE owner_id = $1 AND state <> $2`, owner,
		domain.FileGone).Scan(&n)
	return n, err
}

const columns = `f.owner_id, f.room_id, f.created_at, f.expires_at, ` + roomlog.FileColumns

func scan(row interface{ Scan(...any) error }, more ...any) (f domain.File, err error) {
	var created, expires int64
	var r roomlog.FileRow
	dest := append(more, &f.Owner, &f.Room, &created, &expires)
	err = row.Scan(append(dest, r.Dest()...)...)
	v := r.Value()
	v.Owner, v.Room, v.Created, v.Expires = f.Owner, f.Room, store.Time(created), store.Time(expires)
	return v, err
}

func fileOf(ctx context.Context, q store.Queryer, id, owner, lock string) (domain.File, error) {
	f, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM files f WHERE f.id = $1 AND f.owner_id = $2`+lock, id,
		owner))
	if errors.Is(err, sql.ErrNoRows) {
		err = errNoFile()
	}
	return f, err
}

// Own returns a file of owner, with its parts.
func (repo *Repository) Own(ctx context.Context, id, owner string) (domain.File, error) {
	f, err := fileOf(ctx, repo.db, id, owner, "")
	if err == nil {
		f.Parts, err = parts(ctx, repo.db, id)
	}
	return f, err
}

// OwnFiles returns files of owner that take room, after a number of them: the largest first with bySize, else the
// newest.
func (repo *Repository) OwnFiles(
	ctx context.Context, owner string, bySize bool, after, limit int,
) ([]domain.File, error) {
	order := `f.id DESC`
	if bySize {
		order = `f.size DESC, f.id`
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+columns+` FROM files f WHERE f.owner_id = $1 AND f.state <> $2
		ORDER BY `+order+` LIMIT $3 OFFSET $4`, owner, domain.FileGone, limit, after)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.File, error) { return scan(rows) })
}

// Readable returns a file that user may read, with its parts: their own while no message has it, else one of a
// message in a room that they are in, if the message was not deleted.
func (repo *Repository) Readable(ctx context.Context, id, user string) (domain.File, error) {
	f, err := scan(repo.db.QueryRowContext(ctx, `SELECT `+columns+` FROM files f WHERE f.id = $1 AND `+readable, id, user))
	if errors.Is(err, sql.ErrNoRows) {
		return f, errNoFile()
	}
	if err == nil {
		f.Parts, err = parts(ctx, repo.db, id)
	}
	return f, err
}

// readable is a condition on f: the user $2, whose account is enabled, may read it.
const readable = `EXISTS (SELECT 1 FROM users u WHERE u.id = $2 AND NOT u.disabled) AND (f.expires_at > 0
	AND f.owner_id = $2 OR EXISTS (SELECT 1 FROM attachments a JOIN members m ON m.room_id = a.room_id AND m.user_id = $2
		AND m.since < a.seq JOIN events e ON e.room_id = a.room_id AND e.seq = a.seq AND e.deleted_at = 0 WHERE a.file_id = f.id))`

// ReadableOf returns those of ids that user may read, without their parts.
func (repo *Repository) ReadableOf(ctx context.Context, ids []string, user string) ([]domain.File, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+columns+` FROM files f WHERE f.state = $1 AND `+readable+
		` AND f.id IN (`+store.Placeholders(3, len(ids))+`)`, append([]any{domain.FileReady, user}, store.Args(ids)...)...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.File, error) { return scan(rows) })
}

func parts(ctx context.Context, q store.Queryer, id string) ([]domain.FilePiece, error) {
	rows, err := q.QueryContext(ctx, `SELECT n, size, sha256 FROM file_parts WHERE file_id = $1 ORDER BY n`, id)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (p domain.FilePiece, err error) {
		err = rows.Scan(&p.N, &p.Size, &p.Hash)
		return p, err
	})
}

// AddPart stores a part of an upload, with the blob that was made of it, if one was. A part that is there is replaced.
func (repo *Repository) AddPart(
	ctx context.Context, id, owner string, p domain.FilePiece, made []domain.Blob, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		f, err := fileOf(ctx, t, id, owner, t.ForUpdate())
		if err == nil && f.State != domain.FileUploading {
			err = domain.Conflict.Errorf(domain.CodeUploadComplete, "this file is complete, and takes no more parts")
		}
		if err != nil {
			return err
		}
		if err := blobs.Add(ctx, t, made, now); err != nil {
			return err
		}
		if err := blobs.AddRef(ctx, t, blobs.Ref{Holder: holder(id), Hash: p.Hash}, now); err != nil {
			return err
		}
		return putPart(ctx, t, id, p)
	})
}

// Complete makes an upload a file that may be posted, as f says. f.Parts are what it consists of, which may have
// changed, with the blobs that were made; blobs that are no longer part of it are released.
func (repo *Repository) Complete(
	ctx context.Context, f domain.File, made []domain.Blob, now time.Time,
) (domain.File, error) {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		is, err := fileOf(ctx, t, f.ID, f.Owner, t.ForUpdate())
		if err != nil {
			return err
		}
		if err := blobs.Add(ctx, t, made, now); err != nil {
			return err
		}
		if is.State != domain.FileUploading { // completed by another request
			f = is
			return nil
		}
		if err := blobs.RemoveRef(ctx, t, holder(f.ID), now); err != nil {
			return err
		}
		for _, p := range f.Parts {
			_, err := t.ExecContext(ctx, `UPDATE file_parts SET size = $3, sha256 = $4 WHERE file_id = $1 AND n = $2`, f.ID,
				p.N, p.Size, p.Hash)
			if err != nil {
				return err
			}
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM file_parts WHERE file_id = $1 AND n >= $2`, f.ID,
			len(f.Parts)); err != nil {
			return err
		}
		if err := refer(ctx, t, f, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE files SET size = $2, type = $3, kind = $4, state = $5, width = $6, height = $7,
			duration_ms = $8, thumb_hash = $9, thumb_width = $10, thumb_height = $11, expires_at = $12 WHERE id = $1`, f.ID,
			f.Size, f.Type, domain.KindOfFile(f.Type), f.State, f.Width, f.Height, f.Duration.Milliseconds(), f.Thumb.Hash,
			f.Thumb.Width, f.Thumb.Height, store.Millis(f.Expires))
		return err
	})
	return f, err
}

// Delete deletes a file of owner that no message has.
func (repo *Repository) Delete(ctx context.Context, id, owner string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		f, err := fileOf(ctx, t, id, owner, t.ForUpdate())
		if err == nil && f.Expires.IsZero() {
			err = domain.Conflict.Errorf(domain.CodeFileInUse, "a message has this file; delete the message")
		}
		if err != nil {
			return err
		}
		return drop(ctx, t, id, now)
	})
}

// drop deletes a file.
func drop(ctx context.Context, t *store.Tx, id string, now time.Time) error {
	if err := blobs.RemoveRef(ctx, t, holder(id), now); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM files WHERE id = $1`, id)
	return err
}

// Expire deletes at most limit files that no message has, and none has got in time.
func (repo *Repository) Expire(ctx context.Context, now time.Time, limit int) (deleted int, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id FROM files WHERE expires_at > 0 AND expires_at < $1
			ORDER BY expires_at LIMIT $2`+t.SkipLocked(), store.Millis(now), limit)
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
		deleted = len(ids)
		return nil
	})
	return deleted, err
}

// Retire deletes the content of at most limit files of messages that are older than before. The messages go on saying
// what there was. Files of messages under a legal hold stay.
func (repo *Repository) Retire(ctx context.Context, before, now time.Time, limit int) (retired int, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `SELECT f.id FROM files f WHERE f.expires_at = 0 AND f.state = 'ready'
			AND f.created_at < $1 AND NOT EXISTS (SELECT 1 FROM held_files h WHERE h.file_id = f.id)
			AND NOT EXISTS (SELECT 1 FROM attachments a JOIN rooms r ON r.id = a.room_id
				WHERE a.file_id = f.id AND r.held_at <> 0)
			ORDER BY f.created_at LIMIT $2`+t.SkipLocked(), store.Millis(before), limit)
		if err != nil {
			return err
		}
		ids, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := blobs.RemoveRef(ctx, t, holder(id), now); err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, `DELETE FROM file_parts WHERE file_id = $1`, id); err != nil {
				return err
			}
			_, err := t.ExecContext(ctx, `UPDATE files SET state = $2, thumb_hash = '' WHERE id = $1`, id, domain.FileGone)
			if err != nil {
				return err
			}
		}
		retired = len(ids)
		return nil
	})
	return retired, err
}
