package firmware

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// OTA stores devices that know only other protocols for updates, and finds what they run.
type OTA struct{ db *store.DB }

// NewOTA returns the repository on db.
func NewOTA(db *store.DB) *OTA { return &OTA{db} }

// otaJoined is the product of somebody else that a device d has joined.
const otaJoined = ` LEFT JOIN firmware_joins j ON j.device_id = d.id AND j.agreed_by = d.owner_id `

// Device returns what the owner of a device has said of it. What a former owner said is void, and so is what was said
// of a product of somebody else that the device has left.
func (repo *OTA) Device(ctx context.Context, device string) (o domain.OTADevice, err error) {
	var attributes string
	var created int64
	err = repo.db.QueryRowContext(ctx, `SELECT o.device_id, o.owner_id, o.product_id, o.chip, o.revision, o.link,
		o.attributes, o.canceled, o.created_at FROM device_ota o
		JOIN devices d ON d.id = o.device_id AND d.owner_id = o.owner_id`+otaJoined+`
		JOIN firmware_products p ON p.id = o.product_id AND (p.owner_id = o.owner_id OR p.id = j.product_id)
		WHERE o.device_id = $1`, device).Scan(&o.Device, &o.Owner, &o.Product, &o.Chip, &o.Revision, &o.Link,
		&attributes, &o.Canceled, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return o, domain.ErrNoOTA()
	}
	if err != nil {
		return o, err
	}
	o.Created = store.Time(created)
	return o, json.Unmarshal([]byte(attributes), &o.Attributes)
}

// PutDevice stores what o.Owner says of a device of theirs, for a product of theirs or one that the device has joined.
// A link that there is stays, unless it is a former owner's, or renewed.
func (repo *OTA) PutDevice(ctx context.Context, o domain.OTADevice, renew bool, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var mine bool
		err := t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM firmware_products p, devices d`+otaJoined+`WHERE d.id = $1
			AND d.owner_id = $2 AND d.revoked_at = 0 AND p.id = $3 AND (p.owner_id = $2 OR p.id = j.product_id))`, o.Device,
			o.Owner, o.Product).Scan(&mine)
		if err == nil && !mine {
			err = domain.ErrNoProduct()
		}
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO device_ota
			(device_id, owner_id, product_id, chip, revision, link, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (device_id) DO UPDATE SET owner_id = excluded.owner_id, product_id = excluded.product_id,
			chip = excluded.chip, revision = excluded.revision,
			link = CASE WHEN device_ota.owner_id = excluded.owner_id AND NOT $8 THEN device_ota.link ELSE excluded.link END,
			attributes = CASE WHEN device_ota.owner_id = excluded.owner_id THEN device_ota.attributes ELSE '{}' END`,
			o.Device, o.Owner, o.Product, o.Chip, o.Revision, o.Link, store.Millis(now), renew)
		return err
	})
}

// DeleteDevice forgets what the owner has said of a device: it gets no updates any more, and its link ends.
func (repo *OTA) DeleteDevice(ctx context.Context, owner, device string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM device_ota WHERE device_id = $1 AND owner_id = $2`, device, owner)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.ErrNoOTA())
		}
		return nil
	})
}

// Runs returns the release of a product with a version, or else the newest with an image of an MD5. known is false if
// there is none.
func (repo *OTA) Runs(
	ctx context.Context, product, version, md5 string,
) (r domain.Release, known bool, err error) {
	var id string
	err = repo.db.QueryRowContext(ctx, `SELECT id FROM firmware_releases WHERE product_id = $1 AND version = $2`, product,
		version).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) && md5 != "" {
		err = repo.db.QueryRowContext(ctx, `SELECT r.id FROM firmware_images i JOIN firmware_releases r ON r.id = i.release_id
			WHERE r.product_id = $1 AND i.md5 = $2 ORDER BY r.code DESC LIMIT 1`, product, md5).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	if err == nil {
		r, err = releaseOf(ctx, repo.db, id, "")
	}
	return r, err == nil, err
}

// SetAttributes stores what a device says of itself.
func (repo *OTA) SetAttributes(ctx context.Context, device string, attributes map[string]string) error {
	text, err := json.Marshal(attributes)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE device_ota SET attributes = $2 WHERE device_id = $1`, device, string(text))
		return err
	})
}

// SetCanceled stores that a device has confirmed that an action was canceled.
func (repo *OTA) SetCanceled(ctx context.Context, device, action string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE device_ota SET canceled = $2 WHERE device_id = $1`, device, action)
		return err
	})
}

// SetSums stores hashes of an image that was uploaded before the server computed them.
func (repo *OTA) SetSums(ctx context.Context, hash, md5, sha1 string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE firmware_images SET md5 = $2, sha1 = $3 WHERE sha256 = $1`, hash, md5, sha1)
		return err
	})
}
