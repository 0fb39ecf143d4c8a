package rooms

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const inviteColumns = `i.id, i.room_id, i.created_by, i.created_at, i.expires_at, i.max_uses, i.uses`

func scanInvite(rows *sql.Rows) (i domain.Invite, err error) {
	var created, expires int64
	err = rows.Scan(&i.ID, &i.Room, &i.CreatedBy, &created, &expires, &i.MaxUses, &i.Uses)
	i.CreatedAt, i.Expires = store.Time(created), store.Time(expires)
	return i, err
}

// CreateInvite stores an invite link to a room under the hash of its code.
func (repo *Repository) CreateInvite(
	ctx context.Context, actor string, i domain.Invite, hash []byte, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := LockAndAuthorize(ctx, t, i.Room, actor, domain.ManageInvites, now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx,
			`INSERT INTO invites (id, room_id, hash, created_by, created_at, expires_at, max_uses)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			i.ID, i.Room, hash, actor, store.Millis(now), store.Millis(i.Expires), i.MaxUses)
		return err
	})
}

// Invites returns the invite links of room, newest first.
func (repo *Repository) Invites(ctx context.Context, room string) ([]domain.Invite, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+inviteColumns+
		` FROM invites i WHERE i.room_id = $1 ORDER BY i.id DESC`, room)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanInvite)
}

// RevokeInvite deletes an invite link.
func (repo *Repository) RevokeInvite(ctx context.Context, actor, room, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := LockAndAuthorize(ctx, t, room, actor, domain.ManageInvites, now); err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM invites WHERE id = $1 AND room_id = $2`, id, room)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNoInvite())
		}
		return nil
	})
}

// InviteByHash returns the invite with this hash, if it is valid, and its room. A user whom the
// room has banned is not shown the room.
func (repo *Repository) InviteByHash(
	ctx context.Context, user string, hash []byte, now time.Time,
) (domain.Invite, domain.Room, error) {
	i, err := lockValidInvite(ctx, repo.db, hash, now, "")
	if err != nil {
		return i, domain.Room{}, err
	}
	var bans int
	if err := repo.db.QueryRowContext(ctx, `SELECT count(*) FROM bans WHERE room_id = $1 AND user_id = $2`, i.Room,
		user).Scan(&bans); err != nil {
		return i, domain.Room{}, err
	}
	if bans > 0 {
		return i, domain.Room{}, domain.Forbidden.Errorf(domain.CodeBanned, "you are banned from this room")
	}
	r, err := ByID(ctx, repo.db, i.Room, "")
	return i, r, err
}

func lockValidInvite(
	ctx context.Context, q store.Queryer, hash []byte, now time.Time, lock string,
) (domain.Invite, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+inviteColumns+` FROM invites i WHERE i.hash = $1`+lock, hash)
	if err != nil {
		return domain.Invite{}, err
	}
	found, err := store.Collect(rows, scanInvite)
	if err != nil {
		return domain.Invite{}, err
	}
	if len(found) == 0 {
		return domain.Invite{}, errNoInvite()
	}
	i := found[0]
	if !i.Expires.IsZero() && !now.Before(i.Expires) || i.MaxUses > 0 && i.Uses >= i.MaxUses {
		return i, domain.NotFound.Errorf(domain.CodeInviteEnded,
			"this invitation has expired or was used up; ask for a new one")
	}
	return i, nil
}

func errNoInvite() error {
	return domain.NotFound.Errorf(domain.CodeNoInvite, "there is no such invitation; ask for a new one")
}

// JoinByInvite makes user a member by an invite link and counts its use. If user is a member
// already, no use is counted.
func (repo *Repository) JoinByInvite(
	ctx context.Context, user string, hash []byte, now time.Time,
) (room string, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		i, err := lockValidInvite(ctx, t, hash, now, t.ForUpdate())
		if err != nil {
			return err
		}
		room = i.Room
		r, err := ByID(ctx, t, i.Room, t.ForUpdate())
		if err != nil {
			return err
		}
		if r.Archived {
			return domain.Conflict.Errorf(domain.CodeRoomArchived, "this room is archived; it takes no new members")
		}
		u, err := checkNewMember(ctx, t, i.Room, user)
		switch domain.CodeOf(err) {
		case domain.CodeAlreadyMember:
			return nil
		case domain.CodeBanned:
			return domain.Forbidden.Errorf(domain.CodeBanned, "you are banned from this room")
		}
		if err != nil {
			return err
		}
		if err := repo.checkMemberLimits(ctx, t, r, u); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `UPDATE invites SET uses = uses + 1 WHERE id = $1`, i.ID); err != nil {
			return err
		}
		return InsertMember(ctx, t, i.Room, u, u, domain.RegularMember, i.ID, now)
	})
	return room, err
}
