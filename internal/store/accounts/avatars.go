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

// An avatar is a file with a reference from avatar/USER, or avatar/ROOM. users.avatar and rooms.avatar hold the first
// half of the file's hash. Avatars from before the blob store are rows of the table avatars until MoveAvatar
// moves them.

func avatarHolder(of string) string { return "avatar/" + of }

// SetAvatar sets the avatar of a user to the file with a hash. An empty hash removes the avatar.
func (repo *Repository) SetAvatar(ctx context.Context, user, hash string, now time.Time) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var old string
		// The lock serializes this with MoveAvatar.
		if err := t.QueryRowContext(ctx, `SELECT avatar FROM users WHERE id = $1`+t.ForUpdate(),
			user).Scan(&old); err != nil {
			return err
		}
		if err := ReferAvatar(ctx, t, user, hash, now); err != nil {
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

// ReferAvatar replaces the avatar reference of a user or a room. An empty hash only removes it.
func ReferAvatar(ctx context.Context, t *store.Tx, of, hash string, now time.Time) error {
	if err := blobs.RemoveRef(ctx, t, avatarHolder(of), now); err != nil || hash == "" {
		return err
	}
	return blobs.AddRef(ctx, t, blobs.Ref{Holder: avatarHolder(of), Hash: hash}, now)
}

// Avatar returns an avatar by the value of users.avatar or rooms.avatar: the hash of its file, or the bytes of one
// that is not moved yet. A file that is nobody's avatar is not found.
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

// NextOldAvatar returns the first avatar above after that is not moved yet. ok is false if there is
// none.
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

// MoveAvatar replaces the row of the old avatar by references to the file with a hash.
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
			if err := ReferAvatar(ctx, t, user, hash, now); err != nil {
				return err
			}
		}
		_, err = t.ExecContext(ctx, `DELETE FROM avatars WHERE hash = $1`, avatar)
		return err
	})
}

// ReleaseAvatars removes the avatar references of users and rooms without an avatar. Servers of versions before this
// one leave such references when they remove an avatar, or a room with one.
func (repo *Repository) ReleaseAvatars(ctx context.Context, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx,
			`SELECT r.holder FROM blob_refs r JOIN users u ON r.holder = 'avatar/' || u.id WHERE u.avatar = ''
				UNION ALL SELECT r.holder FROM blob_refs r WHERE r.holder LIKE 'avatar/room\_%' ESCAPE '\'
				AND NOT EXISTS (SELECT 1 FROM rooms WHERE r.holder = 'avatar/' || id AND avatar <> '' AND kind <> 'gone')`)
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
