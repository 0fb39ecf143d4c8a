package devices

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// Claims stores the tokens by which devices get their own keys.
type Claims struct{ db *store.DB }

// NewClaims returns the repository on db.
func NewClaims(db *store.DB) *Claims { return &Claims{db} }

// PutClaim gives a device of owner a claim, in place of that before.
func (repo *Claims) PutClaim(ctx context.Context, owner string, c domain.DeviceClaim) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		d, err := ownDevice(ctx, t, owner, c.Device)
		switch {
		case err != nil:
			return err
		case !d.RevokedAt.IsZero():
			return errDeviceRevoked()
		case d.Bridge != "":
			return domain.InvalidField("{device}", "this device has no key: its bridge speaks for it")
		}
		_, err = t.ExecContext(ctx, `INSERT INTO device_claims (device_id, hash, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (device_id) DO UPDATE SET hash = excluded.hash, claimant = NULL, expires_at = excluded.expires_at`,
			c.Device, c.Hash, store.Millis(c.Expires))
		return err
	})
}

// Claim uses the claim with a hash for claimant: it ends all keys of the device but certificates, and gives it k, whose
// device it sets. The same claimant may repeat it; each time the key before ends. A refusal has the device, if there
// is one, and changes nothing.
func (repo *Claims) Claim(
	ctx context.Context, hash, claimant []byte, k domain.DeviceKey, secret domain.DeviceSecret, now time.Time,
) (d domain.Device, why domain.ClaimRefusal, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		d, why, err = claimed(ctx, t, hash, claimant, now)
		if err != nil || why != "" {
			return err
		}
		for _, old := range d.Keys {
			if old.Ended(now) || old.Certificate() {
				continue
			}
			if err := revokeKeys(ctx, t, `id = $3`, "claimed", now, old.ID); err != nil {
				return err
			}
		}
		k.Device = d.ID
		if err := insertDeviceKey(ctx, t, k, secret); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE device_claims SET claimant = $2 WHERE device_id = $1`, d.ID, claimant)
		return err
	})
	return d, why, err
}

// claimed locks and returns the device, as it was before, that a claim is of.
func claimed(
	ctx context.Context, t *store.Tx, hash, claimant []byte, now time.Time,
) (d domain.Device, why domain.ClaimRefusal, err error) {
	var device, owner string
	err = t.QueryRowContext(ctx, `SELECT c.device_id, d.owner_id FROM device_claims c JOIN devices d ON d.id = c.device_id
		WHERE c.hash = $1`, hash).Scan(&device, &owner)
	if errors.Is(err, sql.ErrNoRows) {
		return d, domain.ClaimUnknown, nil
	}
	if err != nil {
		return d, "", err
	}
	if d, err = ownDevice(ctx, t, owner, device); domain.KindOf(err) == domain.NotFound {
		return d, domain.ClaimUnknown, nil // it changes hands
	}
	if err != nil {
		return d, "", err
	}
	// Again, as another claim may have been made, or this one used, before the device was locked.
	var c domain.DeviceClaim
	var expires int64
	err = t.QueryRowContext(ctx, `SELECT claimant, expires_at FROM device_claims WHERE hash = $1 AND device_id = $2`, hash,
		device).Scan(&c.Claimant, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return d, domain.ClaimUnknown, nil
	}
	if err != nil {
		return d, "", err
	}
	c.Expires = store.Time(expires)
	users, err := accounts.ByIDs(ctx, t, []string{owner})
	if err != nil {
		return d, "", err
	}
	if why = c.Refuses(hmac.Equal(c.Claimant, claimant), now); why != "" {
		return d, why, nil
	}
	if d.Ended(now) || !d.Suspended.IsZero() || len(users) == 0 || users[0].Disabled {
		return d, domain.ClaimBarred, nil
	}
	return d, "", nil
}
