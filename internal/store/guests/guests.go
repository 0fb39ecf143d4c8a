// Package guests has the SQL of guests where accounts and rooms cross: how they come, and who may become one.
package guests

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Repository stores guests.
type Repository struct {
	db    *store.DB
	rooms *rooms.Repository
}

// New returns the repository on db.
func New(db *store.DB, r *rooms.Repository) *Repository { return &Repository{db, r} }

// Register creates an account as accounts.CreateUser does, and returns it. Who comes by an invitation with rooms is
// added to them: at once, or when they have proven their address.
func (repo *Repository) Register(
	ctx context.Context, u domain.User, password string, by domain.Signup, now time.Time,
) (made domain.User, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var i domain.SignupInvite
		if made, i, err = accounts.SignUp(ctx, t, u, password, by, now); err != nil || len(i.Rooms) == 0 {
			return err
		}
		if !made.Pending {
			return repo.join(ctx, t, i, made, now)
		}
		_, err := t.ExecContext(ctx, `UPDATE users SET guest_invite = $2 WHERE id = $1`, made.ID, i.ID)
		return err
	})
	return made, accounts.NameTaken(err)
}

// VerifyEmail opens an account as accounts.VerifyEmail does. Who came by an invitation with rooms is added to them,
// unless it was ended.
func (repo *Repository) VerifyEmail(ctx context.Context, hash []byte, now time.Time) (u domain.User, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = accounts.Verify(ctx, t, hash, now); err != nil {
			return err
		}
		i, err := accounts.TakeInvite(ctx, t, u.ID)
		if err != nil {
			return err
		}
		return repo.join(ctx, t, i, u, now)
	})
	return u, err
}

func (repo *Repository) join(
	ctx context.Context, t *store.Tx, i domain.SignupInvite, u domain.User, now time.Time,
) error {
	for _, room := range i.Rooms {
		if err := repo.rooms.AddInvited(ctx, t, i.CreatedBy, room, u.Ref(), now); err != nil {
			return err
		}
	}
	return nil
}

// MayInvite returns an error if user may not add people to one of the rooms of ids.
func (repo *Repository) MayInvite(ctx context.Context, user string, ids []string, now time.Time) error {
	for _, id := range ids {
		r, m, err := repo.rooms.RoomAndMember(ctx, id, user)
		if err == nil {
			err = domain.Allow(r, m, domain.InviteMember, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// SetGuest makes a user a guest until a time, extends that, or ends it. It fails with conflict for the last
// administrator, and for somebody who owns rooms, devices, bots or products: guests have none.
func (repo *Repository) SetGuest(
	ctx context.Context, user string, until, now time.Time,
) (u domain.User, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = accounts.SetGuest(ctx, t, user, store.Trim(until), now); err != nil {
			return err
		}
		var rooms, devices, bots, products int
		if err := t.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 AND m.role = 'owner'
				AND r.kind <> 'gone'),
			(SELECT count(*) FROM devices d JOIN users u ON u.id = d.id WHERE d.owner_id = $1 AND NOT u.disabled),
			(SELECT count(*) FROM bots b JOIN users u ON u.id = b.id WHERE b.owner_id = $1 AND NOT u.disabled),
			(SELECT count(*) FROM firmware_products WHERE owner_id = $1)`, user).Scan(&rooms, &devices, &bots,
			&products); err != nil {
			return err
		}
		if rooms+devices+bots+products == 0 {
			return nil
		}
		return domain.Conflict.Errorf(domain.CodeStillOwns,
			"%s has %d rooms, %d devices, %d bots and %d products of firmware; a guest has none: have them hand these over or "+
				"delete them first", u.Username, rooms, devices, bots, products)
	})
	return u, err
}
