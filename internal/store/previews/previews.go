// Package previews has the SQL of link previews: what pages say of themselves that messages link to.
package previews

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// A Repository stores link previews.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// maxRemoved is how many previews that were taken away from a message are remembered, and those of its links now.
const maxRemoved = 16

// holder is what refers to the blob of a picture.
func holder(image string) string { return "preview/" + image }

// Wanted returns those of links for which a message has no preview yet, and whose preview nobody took away. It returns
// none if the room has no previews, or if there is no such room any more.
func (repo *Repository) Wanted(ctx context.Context, room string, seq int64, links []string) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT COALESCE(p.url, '') FROM rooms r LEFT JOIN link_previews p
		ON p.room_id = r.id AND p.seq = $2 WHERE r.id = $1 AND r.previews AND r.kind <> 'gone' AND NOT r.archived`, room, seq)
	if err != nil {
		return nil, err
	}
	known, err := store.Collect(rows, store.ScanString)
	if err != nil || len(known) == 0 {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(links), func(l string) bool { return slices.Contains(known, l) }), nil
}

// Add stores previews of links of a message, and appends the event that says so. What the message no longer links to,
// and what has a preview already, is left out; added is false if nothing is left, or if the message was deleted or the
// room has no previews any more. The pictures become references of their blobs.
func (repo *Repository) Add(
	ctx context.Context, room string, seq int64, found []domain.LinkPreview, now time.Time,
) (added bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		added = false
		r, err := rooms.ByID(ctx, t, room, t.ForUpdate())
		if err != nil || !r.Previews || r.Archived {
			return gone(err)
		}
		m, err := roomlog.Message(ctx, t, domain.WholeLog(room), seq)
		if err != nil || !m.DeletedAt.IsZero() {
			return gone(err)
		}
		links := domain.Links(m.Text, domain.MaxPreviews)
		for _, p := range found {
			n := slices.Index(links, p.URL)
			if n < 0 {
				continue
			}
			wrote, err := insert(ctx, t, m, n, p, now)
			if err != nil {
				return err
			}
			added = added || wrote
		}
		if !added {
			return nil
		}
		return announce(ctx, t, m, m.Sender, now)
	})
	return added, err
}

// gone is nil if err says that what has a preview is no longer there.
func gone(err error) error {
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	return err
}

func insert(
	ctx context.Context, t *store.Tx, m *domain.Message, n int, p domain.LinkPreview, now time.Time,
) (wrote bool, err error) {
	res, err := t.ExecContext(ctx, `INSERT INTO link_previews (room_id, seq, url, n, title, description, site, image_id,
		image_hash, image_type, width, height, image_alt, icon_id, icon_hash, icon_type)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
		ON CONFLICT (room_id, seq, url) DO NOTHING`, m.Room, m.Seq, p.URL, n, p.Title, p.Description, p.Site, p.Image.ID,
		p.Image.Hash, p.Image.Type, p.Image.Width, p.Image.Height, p.Image.Alt, p.Icon.ID, p.Icon.Hash, p.Icon.Type)
	if err != nil {
		return false, err
	}
	rows, err := res.RowsAffected()
	if err != nil || rows == 0 {
		return false, err
	}
	for _, i := range []domain.PreviewImage{p.Image, p.Icon} {
		if i.ID == "" {
			continue
		}
		if err := blobs.AddRef(ctx, t, blobs.Ref{Holder: holder(i.ID), Hash: i.Hash}, now); err != nil {
			return false, err
		}
	}
	return true, nil
}

// announce appends the event that the previews of a message have changed.
func announce(ctx context.Context, t *store.Tx, m *domain.Message, actor domain.UserRef, now time.Time) (err error) {
	if m, err = roomlog.Message(ctx, t, domain.WholeLog(m.Room), m.Seq); err != nil {
		return err
	}
	e := domain.Event{Room: m.Room, Type: domain.MessagePreviewed, Actor: actor, At: now, Message: m}
	return roomlog.Append(ctx, t, &e, m.Seq)
}

// Remove takes away the preview of a link of a message, or of all its links if url is empty. They are not looked at
// again. Whoever may delete the message may do so. Repeating it changes nothing.
func (repo *Repository) Remove(ctx context.Context, actor, room string, seq int64, url string, now time.Time) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, member, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ReadRoom, now)
		if err != nil {
			return err
		}
		m, err := roomlog.Message(ctx, t, member.View(), seq)
		if err != nil {
			return err
		}
		need := domain.DeleteAny
		if m.Sender.ID == actor {
			need = domain.DeleteOwn
		}
		if err := domain.Allow(r, member, need, now); err != nil {
			return err
		}
		shown := len(m.Previews)
		links := domain.Links(m.Text, domain.MaxPreviews)
		if err := forget(ctx, t, m, links); err != nil {
			return err
		}
		for n, link := range links {
			if url == "" || url == link {
				if err := hide(ctx, t, m, n, link, now); err != nil {
					return err
				}
			}
		}
		if m, err = roomlog.Message(ctx, t, member.View(), seq); err != nil || len(m.Previews) == shown {
			return err
		}
		return announce(ctx, t, m, member.User, now)
	})
}

// forget deletes what was taken away from a message of links that it has no longer, if that is much: so nobody can
// grow a message without end.
func forget(ctx context.Context, t *store.Tx, m *domain.Message, links []string) error {
	var removed int
	err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM link_previews WHERE room_id = $1 AND seq = $2 AND removed`,
		m.Room, m.Seq).Scan(&removed)
	if err != nil || removed < maxRemoved || len(links) == 0 {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM link_previews WHERE room_id = $1 AND seq = $2 AND removed
		AND url NOT IN (`+store.Placeholders(3, len(links))+`)`, append([]any{m.Room, m.Seq}, store.Args(links)...)...)
	return err
}

// hide removes the preview of a link, and has nobody look at it again.
func hide(ctx context.Context, t *store.Tx, m *domain.Message, n int, url string, now time.Time) error {
	if err := drop(ctx, t, now, `room_id = $1 AND seq = $2 AND url = $3`, m.Room, m.Seq, url); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `INSERT INTO link_previews (room_id, seq, url, n, removed) VALUES ($1, $2, $3, $4, TRUE)`,
		m.Room, m.Seq, url, n)
	return err
}

// Image returns the picture with an id.
func (repo *Repository) Image(ctx context.Context, id string) (i domain.PreviewImage, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT image_id, image_hash, image_type, width, height FROM link_previews
		WHERE image_id = $1 AND image_id <> ''
		UNION ALL SELECT icon_id, icon_hash, icon_type, 0, 0 FROM link_previews WHERE icon_id = $1 AND icon_id <> ''
		UNION ALL SELECT id, hash, type, 0, 0 FROM face_pictures WHERE id = $1`, id).Scan(&i.ID, &i.Hash, &i.Type, &i.Width,
		&i.Height)
	if errors.Is(err, sql.ErrNoRows) {
		return i, domain.NotFound.Errorf(domain.CodeNoSuchFile, "there is no such picture")
	}
	return i, err
}

// Drop deletes the previews of a message.
func Drop(ctx context.Context, t *store.Tx, room string, seq int64, now time.Time) error {
	return drop(ctx, t, now, `room_id = $1 AND seq = $2`, room, seq)
}

// KeepOnly deletes the previews of a message, except those of links. What was taken away stays known.
func KeepOnly(ctx context.Context, t *store.Tx, room string, seq int64, links []string, now time.Time) error {
	where, args := `room_id = $1 AND seq = $2 AND NOT removed`, []any{room, seq}
	if len(links) > 0 {
		where += ` AND url NOT IN (` + store.Placeholders(3, len(links)) + `)`
		args = append(args, store.Args(links)...)
	}
	return drop(ctx, t, now, where, args...)
}

// DropUpTo deletes the previews of a room's messages up to a number.
func DropUpTo(ctx context.Context, t *store.Tx, room string, to int64, now time.Time) error {
	return drop(ctx, t, now, `room_id = $1 AND seq <= $2`, room, to)
}

// drop deletes previews with their pictures.
func drop(ctx context.Context, t *store.Tx, now time.Time, where string, args ...any) error {
	rows, err := t.QueryContext(ctx, `DELETE FROM link_previews WHERE `+where+` RETURNING image_id, icon_id`, args...)
	if err != nil {
		return err
	}
	dropped, err := store.Collect(rows, func(rows *sql.Rows) (ids [2]string, err error) {
		return ids, rows.Scan(&ids[0], &ids[1])
	})
	if err != nil {
		return err
	}
	for _, ids := range dropped {
		for _, id := range ids {
			if id == "" {
				continue
			}
			if err := blobs.RemoveRef(ctx, t, holder(id), now); err != nil {
				return err
			}
		}
	}
	return nil
}
