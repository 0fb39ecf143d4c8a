package devices

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// Transfers stores which devices are offered to whom.
type Transfers struct{ db *store.DB }

// NewTransfers returns the repository on db.
func NewTransfers(db *store.DB) *Transfers { return &Transfers{db} }

func transfers(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.DeviceTransfer, error) {
	rows, err := q.QueryContext(ctx, `SELECT t.device_id, u.display_name, d.type, t.at, t.expires_at, t.hidden,
		f.id, f.kind, f.username, f.display_name, f.avatar, o.id, o.kind, o.username, o.display_name, o.avatar
		FROM device_transfers t JOIN devices d ON d.id = t.device_id JOIN users u ON u.id = t.device_id
		JOIN users f ON f.id = t.from_user JOIN users o ON o.id = t.to_user WHERE d.revoked_at = 0 AND `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (v domain.DeviceTransfer, err error) {
		var at, expires int64
		var from, to accounts.RefRow
		err = rows.Scan(slices.Concat([]any{&v.Device, &v.Name, &v.Type, &at, &expires, &v.Hidden}, from.Dest(),
			to.Dest())...)
		v.From, v.To, v.At, v.Expires = from.Ref(), to.Ref(), store.Time(at), store.Time(expires)
		v.State = domain.TransferOffered
		return v, err
	})
}

// Offer offers a device of its owner to another user, in place of an offer before, which it returns if it was to
// somebody else. An offer to the same user again begins anew.
func (repo *Transfers) Offer(
	ctx context.Context, owner, device, to string, now time.Time,
) (v domain.DeviceTransfer, before *domain.DeviceTransfer, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		before = nil
		d, err := ownDevice(ctx, t, owner, device)
		if err != nil {
			return err
		}
		if err := movable(d); err != nil {
			return err
		}
		u, err := mayTake(ctx, t, owner, to)
		if err != nil {
			return err
		}
		earlier, err := transfers(ctx, t, `t.device_id = $1`, device)
		if err != nil {
			return err
		}
		if len(earlier) > 0 && earlier[0].To.ID != to && earlier[0].Expires.After(now) {
			before = &earlier[0]
			before.State = domain.TransferWithdrawn
		}
		v = domain.DeviceTransfer{Device: d.ID, Name: d.Name, Type: d.Type, From: d.Owner, To: u, At: now,
			Expires: now.Add(domain.TransferExpiry), State: domain.TransferOffered}
		return insertTransfer(ctx, t, &v)
	})
	return v, before, err
}

// mayTake returns the user to whom owner offers a device.
func mayTake(ctx context.Context, t *store.Tx, owner, to string) (domain.UserRef, error) {
	users, err := accounts.Refs(ctx, t, []string{to})
	u, there := users[to]
	switch {
	case err != nil:
		return u, err
	case !there || u.Kind == domain.KindDevice:
		return u, domain.InvalidField("/user", "there is no such user")
	case to == owner:
		return u, domain.InvalidField("/user", "the device is theirs already")
	}
	var guest bool
	err = t.QueryRowContext(ctx, `SELECT role = 'guest' FROM users WHERE id = $1`, to).Scan(&guest)
	if err == nil && guest {
		err = domain.InvalidField("/user", "a guest of the server cannot own devices")
	}
	return u, err
}

func insertTransfer(ctx context.Context, t *store.Tx, v *domain.DeviceTransfer) error {
	var waiting int
	err := t.QueryRowContext(ctx, `SELECT count(*), EXISTS (SELECT 1 FROM blocks WHERE user_id = $1 AND other_id = $2)
		FROM device_transfers WHERE to_user = $1 AND expires_at > $3 AND device_id <> $4`, v.To.ID, v.From.ID,
		store.Millis(v.At), v.Device).Scan(&waiting, &v.Hidden)
	if err == nil && waiting >= domain.MaxTransfers {
		err = domain.Conflict.Errorf(domain.CodeTooManyRequests, "%s has too many offers to answer", v.To.DisplayName)
	}
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO device_transfers (device_id, from_user, to_user, at, expires_at, hidden)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device_id) DO UPDATE SET from_user = excluded.from_user,
		to_user = excluded.to_user, at = excluded.at, expires_at = excluded.expires_at, hidden = excluded.hidden`,
		v.Device, v.From.ID, v.To.ID, store.Millis(v.At), store.Millis(v.Expires), v.Hidden)
	return err
}

// movable says why a device cannot change hands, if it cannot.
func movable(d domain.Device) error {
	switch {
	case !d.RevokedAt.IsZero():
		return errDeviceRevoked()
	case d.Bridge != "":
		return domain.InvalidField("{device}", "another device speaks for this one; hand that over, and both change hands")
	case d.Access == domain.AccessController:
		return domain.InvalidField("{device}",
			"its key sees all of its owner's devices; let the other person register a controller of their own")
	}
	return nil
}

// EndOffer ends the offer of a device: its owner withdraws it, or whom it is offered to declines.
func (repo *Transfers) EndOffer(
	ctx context.Context, device, actor string, now time.Time,
) (v domain.DeviceTransfer, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// Whoever accepts it locks the device, too.
		if _, err := t.ExecContext(ctx, `SELECT 1 FROM devices WHERE id = $1`+t.ForUpdate(), device); err != nil {
			return err
		}
		found, err := transfers(ctx, t, `t.device_id = $1 AND t.expires_at > $2 AND (t.from_user = $3
			OR t.to_user = $3 AND NOT t.hidden)`, device, store.Millis(now), actor)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return domain.ErrNoTransfer()
		}
		v = found[0]
		if v.State = domain.TransferWithdrawn; v.To.ID == actor {
			v.State = domain.TransferDeclined
		}
		_, err = t.ExecContext(ctx, `DELETE FROM device_transfers WHERE device_id = $1`, device)
		return err
	})
	return v, err
}

// Offers returns the offers to a user and those that they have made, the latest first.
func (repo *Transfers) Offers(ctx context.Context, user string, now time.Time) ([]domain.DeviceTransfer, error) {
	return transfers(ctx, repo.db, `t.expires_at > $2 AND (t.from_user = $1 OR t.to_user = $1 AND NOT t.hidden)
		ORDER BY t.at DESC, t.device_id`, user, store.Millis(now))
}

// TransferOf returns the transfer by which a device is to change hands to user, without locks: what is offered to
// them, or, if by an administrator, what is not.
func TransferOf(
	ctx context.Context, t *store.Tx, device, user string, offered bool, now time.Time,
) (v domain.DeviceTransfer, err error) {
	if offered {
		found, err := transfers(ctx, t, `t.device_id = $1 AND t.to_user = $2 AND NOT t.hidden AND t.expires_at > $3`,
			device, user, store.Millis(now))
		if err == nil && len(found) == 0 {
			err = domain.ErrNoTransfer()
		}
		if err != nil {
			return v, err
		}
		return found[0], nil
	}
	d, err := oneDevice(ctx, t, device)
	if err != nil {
		return v, err
	}
	v = domain.DeviceTransfer{Device: d.ID, Name: d.Name, Type: d.Type, From: d.Owner, At: now}
	v.To, err = mayTake(ctx, t, d.Owner.ID, user)
	return v, err
}

// LockTransfer locks both users and the device, and holds that the device may change hands still. It returns the
// device, and those that it speaks for. limit is how many devices the new owner may have; 0: no limit.
func LockTransfer(
	ctx context.Context, t *store.Tx, v domain.DeviceTransfer, offered bool, limit int, now time.Time,
) ([]string, error) {
	users := []string{v.From.ID, v.To.ID}
	slices.Sort(users) // so that two transfers do not wait for each other
	for _, user := range users {
		n, err := lockOwner(ctx, t, user, now)
		if user == v.From.ID && !offered && domain.KindOf(err) == domain.NotFound {
			continue // an administrator moves a device of a disabled account
		}
		if err != nil {
			return nil, err
		}
		if user == v.To.ID && limit > 0 && n >= limit {
			return nil, errTooManyDevices(n)
		}
	}
	d, err := ownDevice(ctx, t, v.From.ID, v.Device)
	if err == nil {
		err = movable(d)
	}
	if err == nil && offered { // it may have been withdrawn meanwhile
		_, err = TransferOf(ctx, t, v.Device, v.To.ID, true, now)
	}
	if err != nil {
		return nil, err
	}
	rows, err := t.QueryContext(ctx, `SELECT id FROM devices WHERE id = $1 OR bridge_id = $1 ORDER BY id`+t.ForUpdate(),
		v.Device)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// ChangeOwner gives a device, which is locked, to another owner. What the former owner has said of it, set on it and
// seen of its addresses is forgotten; its keys stay.
func ChangeOwner(ctx context.Context, t *store.Tx, device, to string, now time.Time) error {
	t.Invalidate()
	_, err := t.ExecContext(ctx, `UPDATE devices SET owner_id = $2, notes = '', tags = '', serial = '', template = '',
		transferred_at = $3 WHERE id = $1`, device, to, store.Millis(now))
	if err != nil {
		return err
	}
	for _, table := range []string{"device_transfers", "device_claims", "device_group_members", "device_connections",
		"device_log"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE device_id = $1`, device); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, `UPDATE device_keys SET last_ip = '' WHERE device_id = $1`, device); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE device_states SET doubled_at = 0, doubled = '' WHERE device_id = $1`, device)
	if err != nil {
		return err
	}
	return takeBackSettings(ctx, t, device, now)
}

// takeBackSettings takes back all that is to be set on a device, with the next version, so that the device is told.
func takeBackSettings(ctx context.Context, t *store.Tx, device string, now time.Time) error {
	s, err := shadow(ctx, t, device)
	if err != nil || s.Version == 0 && len(s.Reported) == 0 {
		return err
	}
	if s, err = lockShadow(ctx, t, device); err != nil {
		return err
	}
	s.Version, s.ChangedAt = s.Version+1, now
	s.Desired, s.Reported, s.Errors = map[string]any{}, map[string]any{}, map[string]string{}
	s.Own, s.Defaults = map[string]any{}, map[string]any{}
	return putShadow(ctx, t, s)
}
