package rooms

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// Moderate runs fn in a transaction after checking that actor may do p to the member user.
func Moderate(
	ctx context.Context, db *store.DB, actor, room, user string, p domain.Permission, role domain.RoomRole, now time.Time,
	fn func(ctx context.Context, t *store.Tx, m, other domain.Member) error,
) error {
	return db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, err := LockAndAuthorize(ctx, t, room, actor, p, now)
		if err != nil {
			return err
		}
		other, err := MemberOf(ctx, t, room, user)
		if err != nil {
			return err
		}
		if other.Role == domain.NonMember {
			return domain.NotFound.Errorf(domain.CodeNotAMember, "this person is not a member of the room")
		}
		if err := domain.AllowOn(r, m, other, p, role, now); err != nil {
			return err
		}
		return fn(ctx, t, m, other)
	})
}

// Mute forbids user to write until a time. The zero time ends a mute. It applies to the user's
// devices and bots in the room as well, and outlasts leaving and coming back.
func (repo *Repository) Mute(
	ctx context.Context, actor, room, user string, until, now time.Time,
) (e domain.Event, err error) {
	now, until = store.Trim(now), store.Trim(until)
	err = Moderate(ctx, repo.db, actor, room, user, domain.MuteMember, "", now,
		func(ctx context.Context, t *store.Tx, m, other domain.Member) error {
			own, err := OwnIn(ctx, t, room, user)
			if err != nil {
				return err
			}
			if e, err = mute(ctx, t, room, m.User, other.User, until, now); err != nil {
				return err
			}
			for _, d := range own {
				if _, err := mute(ctx, t, room, m.User, d, until, now); err != nil {
					return err
				}
			}
			return nil
		})
	return e, err
}

func mute(
	ctx context.Context, t *store.Tx, room string, actor, user domain.UserRef, until, now time.Time,
) (domain.Event, error) {
	var payload domain.MemberMutedPayload
	keep, args := `DELETE FROM mutes WHERE room_id = $1 AND user_id = $2`, []any{room, user.ID}
	if !until.IsZero() {
		payload.Until = &until
		keep = `INSERT INTO mutes (room_id, user_id, until) VALUES ($1, $2, $3) ON CONFLICT (room_id, user_id) DO UPDATE
			SET until = excluded.until`
		args = append(args, store.Millis(until))
	}
	if _, err := t.ExecContext(ctx, keep, args...); err != nil {
		return domain.Event{}, err
	}
	t.Invalidate()
	_, err := t.ExecContext(ctx, `UPDATE members SET muted_until = $3 WHERE room_id = $1 AND user_id = $2`, room, user.ID,
		store.Millis(until))
	if err != nil {
		return domain.Event{}, err
	}
	e := domain.Event{Room: room, Type: domain.MemberMuted, Actor: actor, Subject: &user, At: now, Payload: payload}
	err = roomlog.Append(ctx, t, &e, nil)
	return e, err
}

// SetRole gives another member a role below the actor's own.
func (repo *Repository) SetRole(
	ctx context.Context, actor, room, user string, role domain.RoomRole, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = Moderate(ctx, repo.db, actor, room, user, domain.SetRole, role, now,
		func(ctx context.Context, t *store.Tx, m, other domain.Member) error {
			e, err = setRole(ctx, t, room, m.User, other.User, role, now)
			return err
		})
	return e, err
}

func setRole(
	ctx context.Context, t *store.Tx, room string, actor, user domain.UserRef, role domain.RoomRole, now time.Time,
) (domain.Event, error) {
	t.Invalidate()
	_, err := t.ExecContext(ctx, `UPDATE members SET role = $3 WHERE room_id = $1 AND user_id = $2`, room, user.ID, role)
	if err != nil {
		return domain.Event{}, err
	}
	e := domain.Event{Room: room, Type: domain.MemberRole, Actor: actor, Subject: &user, At: now,
		Payload: domain.MemberRolePayload{Role: role}}
	err = roomlog.Append(ctx, t, &e, nil)
	return e, err
}

// TransferOwnership makes another member the owner, and the actor an admin.
func (repo *Repository) TransferOwnership(
	ctx context.Context, actor, room, user string, now time.Time,
) (events []domain.Event, err error) {
	now = store.Trim(now)
	err = Moderate(ctx, repo.db, actor, room, user, domain.TransferOwnership, "", now,
		func(ctx context.Context, t *store.Tx, m, other domain.Member) error {
			if other.User.Kind != domain.KindUser {
				return domain.Conflict.Errorf(domain.CodeDeviceOwner, "only a person can own a room; transfer it to one")
			}
			if other.Guest {
				return domain.Conflict.Errorf(domain.CodeNotForGuests, "a guest cannot own a room; transfer it to somebody else")
			}
			up, err := setRole(ctx, t, room, m.User, other.User, domain.Owner, now)
			if err != nil {
				return err
			}
			down, err := setRole(ctx, t, room, m.User, m.User, domain.Admin, now)
			events = []domain.Event{up, down}
			return err
		})
	return events, err
}

// Unban lifts a ban. It does not make user a member again.
func (repo *Repository) Unban(
	ctx context.Context, actor, room, user string, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := LockAndAuthorize(ctx, t, room, actor, domain.BanMember, now)
		if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM bans WHERE room_id = $1 AND user_id = $2`, room, user)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf(domain.CodeNotBanned,
				"this person is not banned from the room"))
		}
		u, err := accounts.Ref(ctx, t, user)
		if err != nil {
			return err
		}
		e = domain.Event{Room: room, Type: domain.MemberUnbanned, Actor: m.User, Subject: &u, At: now}
		return roomlog.Append(ctx, t, &e, nil)
	})
	return e, err
}

// Bans lists who is banned from room, by username, after a given one.
func (repo *Repository) Bans(ctx context.Context, room, after string, limit int) ([]domain.Ban, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT b.room_id, b.by_user, b.reason, b.at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM bans b JOIN users u ON u.id = b.user_id WHERE b.room_id = $1 AND u.username > $2 ORDER BY u.username
		LIMIT $3`, room, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (b domain.Ban, err error) {
		var when int64
		var u accounts.RefRow
		err = rows.Scan(append([]any{&b.Room, &b.By, &b.Reason, &when}, u.Dest()...)...)
		b.At, b.User = store.Time(when), u.Ref()
		return b, err
	})
}

// AddBan bans user from room.
func AddBan(
	ctx context.Context, t *store.Tx, room string, user domain.UserRef, by, reason string, now time.Time,
) error {
	res, err := t.ExecContext(ctx,
		`INSERT INTO bans (room_id, user_id, by_user, reason, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		room, user.ID, by, reason, store.Millis(now))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, domain.Conflict.Errorf(domain.CodeAlreadyBanned,
			"%s is already banned from this room", user.DisplayName))
	}
	return nil
}
