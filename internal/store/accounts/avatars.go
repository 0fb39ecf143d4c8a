package accounts

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

// A picture is a file, which avatar/USER refers to. users.avatar has the first half of its
// hash. Pictures that were set before there were files are rows of avatars until
// MoveAvatar has moved them.

func avatarHolder(user string) string { return "avatar/" + user }

// SetAvatar gives a user the picture in the file with a hash; an empty hash takes it away.
func (repo *Repository) SetAvatar(ctx context.Context, user, hash string, now time.Time) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var old string
		// Locked, so that MoveAvatar comes before or after.
		if err := t.QueryRowContext(ctx, `SELECT avatar FROM users WHERE id = $1`+t.ForUpdate(),
			user).Scan(&old); err != nil {
			return err
		}
		if err := referAvatar(ctx, t, user, hash, now); err != nil {
			return err
		}
		t.Invalidate()
		if _, err := t.ExecContext(ctx, `UPDATE users SET avatar = $2 WHERE id = $1`, user,
			domain.AvatarOf(hash)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx,
			`DELETE FROM avatars WHERE hash = $1 AND NOT EXISTS (SELECT 1 FROM users WHERE avatar = $1)`, old)
		if err != nil {
			return err
		}
		u, err = oneUser(usersWhere(ctx, t, `u.id = $1`, user))
		return err
	})
	return u, err
}

// referAvatar has a user need the file with a hash, and no other; empty: none.
func referAvatar(ctx context.Context, t *store.Tx, user, hash string, now time.Time) error {
	if err := blobs.RemoveRef(ctx, t, avatarHolder(user), now); err != nil || hash == "" {
		return err
	}
	return blobs.AddRef(ctx, t, blobs.Ref{Holder: avatarHolder(user), Hash: hash}, now)
}

// Avatar returns a picture by what users.avatar says: the hash of its file, or the bytes
// of one that was not moved yet. A file that is nobody's picture is none.
func (repo *Repository) Avatar(ctx context.Context, avatar string) (p domain.Picture, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT '', mime, data FROM avatars WHERE hash = $1
		UNION ALL SELECT hash, type, NULL FROM blobs b WHERE hash >= $1 AND hash < $2
			AND EXISTS (SELECT 1 FROM blob_refs r WHERE r.hash = b.hash AND r.holder >= 'avatar/' AND r.holder < 'avatar0')
		LIMIT 1`, avatar, avatar+"g").Scan(&p.Hash, &p.Type, &p.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return p, domain.NotFound.Errorf(domain.CodeNoAvatar, "there is no such picture")
	}
	return p, err
}

// NextOldAvatar returns the first picture above after that is no file yet; ok is false
// after the last.
func (repo *Repository) NextOldAvatar(
	ctx context.Context, after string,
) (avatar string, data []byte, ok bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT hash, data FROM avatars WHERE hash > $1 ORDER BY hash LIMIT 1`,
		after).Scan(&avatar, &data)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, false, nil
	}
	return avatar, data, err == nil, err
}

// MoveAvatar says that the file with a hash is the old picture avatar, whose row goes.
func (repo *Repository) MoveAvatar(ctx context.Context, avatar, hash string, now time.Time) error {
	if domain.AvatarOf(hash) != avatar {
		return domain.Invalid.Errorf(domain.CodeAvatarDamaged, "the picture %s has the content of %s", avatar, hash)
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id FROM users WHERE avatar = $1 ORDER BY id`+t.ForUpdate(), avatar)
		if err != nil {
			return err
		}
		users, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		for _, user := range users {
			if err := referAvatar(ctx, t, user, hash, now); err != nil {
				return err
			}
		}
		_, err = t.ExecContext(ctx, `DELETE FROM avatars WHERE hash = $1`, avatar)
		return err
	})
}

// ReleaseAvatars lets go of the pictures of those who have none: a server of the version
// before this one took them away.
func (repo *Repository) ReleaseAvatars(ctx context.Context, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx,
			`SELECT r.holder FROM blob_refs r JOIN users u ON r.holder = 'avatar/' || u.id WHERE u.avatar = ''`)
		if err != nil {
			return err
		}
		holders, err := store.Collect(rows, store.ScanString)
		for _, holder := range holders {
			err = errors.Join(err, blobs.RemoveRef(ctx, t, holder, now))
		}
		return err
	})
}
