package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

const (
	joinProduct  = `p.id, p.name, p.title, p.open, p.code, u.id, u.kind, u.username, u.display_name, u.avatar`
	joinProducts = ` FROM firmware_products p JOIN users u ON u.id = p.owner_id `
	joinWhich    = `(p.id = $1 AND $1 <> '' AND p.open OR p.code = $2 AND $2 <> '')`
)

func scanJoinable(row interface{ Scan(...any) error }, more ...any) (p domain.Product, err error) {
	var owner accounts.RefRow
	dest := append([]any{&p.ID, &p.Name, &p.Title, &p.Open, &p.Code}, owner.Dest()...)
	err = row.Scan(append(dest, more...)...)
	p.Owner = owner.Ref()
	return p, err
}

// Joinable returns the product that a code is of, or that has an id and is open. Another one is not there.
func (repo *Repository) Joinable(ctx context.Context, id, code string) (domain.Product, error) {
	return joinable(ctx, repo.db, id, code, "")
}

func joinable(ctx context.Context, q store.Queryer, id, code, lock string) (domain.Product, error) {
	p, err := scanJoinable(q.QueryRowContext(ctx, `SELECT `+joinProduct+joinProducts+`WHERE `+joinWhich+lock, id, code))
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNoProduct()
	}
	return p, err
}

// Join stores that j.By, who owns a device, has said yes to a product: that of a code, or an open one by its id. Of the
// product that the device has joined already only Ask changes. Another one, and the device's open updates by it, end.
func (repo *Repository) Join(
	ctx context.Context, j domain.FirmwareJoin, code string, now time.Time,
) (joined domain.FirmwareJoin, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lockDevice(ctx, t, j.Device, j.By); err != nil {
			return err
		}
		had, err := joinOf(ctx, t, j.Device)
		if err != nil && domain.CodeOf(err) != domain.CodeNotJoined {
			return err
		}
		if err == nil && code == "" && had.Product.ID == j.Product.ID {
			joined = had
			joined.Ask = j.Ask
			_, err := t.ExecContext(ctx, `UPDATE firmware_joins SET ask = $2 WHERE device_id = $1`, j.Device, j.Ask)
			return err
		}
		p, err := joinable(ctx, t, j.Product.ID, code, shareLock(t))
		if err != nil {
			return err
		}
		if p.Owner.ID == j.By {
			return domain.InvalidField("/product", "this product is yours: your devices have its firmware without joining")
		}
		joined = domain.FirmwareJoin{Device: j.Device, Product: p, By: j.By, Ask: j.Ask, At: now}
		return join(ctx, t, joined, had, now)
	})
	return joined, err
}

// shareLock has a product stay as it is until the end of a transaction.
func shareLock(t *store.Tx) string {
	if t.ForUpdate() == "" {
		return ""
	}
	return ` FOR SHARE OF p`
}

// lockDevice locks a device of an owner that may connect.
func lockDevice(ctx context.Context, t *store.Tx, device, owner string) error {
	var id string
	err := t.QueryRowContext(ctx, `SELECT id FROM devices WHERE id = $1 AND owner_id = $2
		AND revoked_at = 0`+t.ForUpdate(), device, owner).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device of yours")
	}
	return err
}

// join stores a join. had is the one before; the zero value: none. Complete rollouts look at the device.
func join(ctx context.Context, t *store.Tx, j, had domain.FirmwareJoin, now time.Time) error {
	if had.Product.ID == j.Product.ID {
		j.At = had.At
	} else if had.Product.ID != "" {
		if _, err := withdraw(ctx, t, j.Device, had.Product.ID, now); err != nil {
			return err
		}
	}
	p := j.Product
	_, err := t.ExecContext(ctx, `INSERT INTO firmware_joins (device_id, product_id, product, publisher_id, agreed_by, ask,
		joined_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (device_id) DO UPDATE SET product_id = excluded.product_id,
		product = excluded.product, publisher_id = excluded.publisher_id, agreed_by = excluded.agreed_by, ask = excluded.ask,
		joined_at = excluded.joined_at`, j.Device, p.ID, p.Name, p.Owner.ID, j.By, j.Ask, store.Millis(j.At))
	if err != nil {
		return err
	}
	return wake(ctx, t, domain.Rollout{Owner: p.Owner.ID, Name: p.Name}, 0)
}

// Leave ends that a device of an owner has joined a product, and its open updates by it.
func (repo *Repository) Leave(
	ctx context.Context, device, owner string, now time.Time,
) (left domain.FirmwareJoin, ended []domain.Update, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lockDevice(ctx, t, device, owner); err != nil {
			return err
		}
		if left, err = joinOf(ctx, t, device); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM firmware_joins WHERE device_id = $1`, device); err != nil {
			return err
		}
		ended, err = withdraw(ctx, t, device, left.Product.ID, now)
		return err
	})
	return left, ended, err
}

const awayAtOnce = 100 // devices that are sent away in one transaction

// SendAway ends that devices have joined a product of an owner, some at a time, and their open updates by it. It
// returns how many; more says that there may be others.
func (repo *Repository) SendAway(
	ctx context.Context, product, owner string, now time.Time,
) (n int, ended []domain.Update, more bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		n, ended = 0, nil
		var id string
		err := t.QueryRowContext(ctx, `SELECT id FROM firmware_products WHERE id = $1 AND owner_id = $2`, product,
			owner).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			err = domain.ErrNoProduct()
		}
		if err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT device_id FROM firmware_joins WHERE product_id = $1 ORDER BY device_id
			LIMIT $2`+t.ForUpdate(), product, awayAtOnce)
		if err != nil {
			return err
		}
		devices, err := store.Collect(rows, func(rows *sql.Rows) (d string, err error) { return d, rows.Scan(&d) })
		if err != nil {
			return err
		}
		for _, d := range devices {
			if _, err := t.ExecContext(ctx, `DELETE FROM firmware_joins WHERE device_id = $1`, d); err != nil {
				return err
			}
			gone, err := withdraw(ctx, t, d, product, now)
			if err != nil {
				return err
			}
			ended = append(ended, gone...)
		}
		n, more = len(devices), len(devices) == awayAtOnce
		return nil
	})
	return n, ended, more, err
}

// JoinOf returns the product of somebody else that a device has joined.
func (repo *Repository) JoinOf(ctx context.Context, device string) (domain.FirmwareJoin, error) {
	return joinOf(ctx, repo.db, device)
}

func joinOf(ctx context.Context, q store.Queryer, device string) (j domain.FirmwareJoin, err error) {
	var at int64
	row := q.QueryRowContext(ctx, `SELECT `+joinProduct+`, d.id, d.owner_id, j.ask, j.joined_at FROM devices d`+withJoin+
		`JOIN firmware_products p ON p.id = j.product_id JOIN users u ON u.id = p.owner_id WHERE d.id = $1`, device)
	j.Product, err = scanJoinable(row, &j.Device, &j.By, &j.Ask, &at)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNotJoined()
	}
	j.At = store.Time(at)
	return j, err
}

// Publisher returns the user whose rollouts reach a device that reports a product.
func (repo *Repository) Publisher(ctx context.Context, device, product string) (id string, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT CASE WHEN j.product = $2 THEN j.publisher_id ELSE d.owner_id END
		FROM devices d`+withJoin+`WHERE d.id = $1`, device, product).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device")
	}
	return id, err
}

// MayTake reports whether a device takes the firmware of a product: it is of the product's owner, or has joined it.
func (repo *Repository) MayTake(ctx context.Context, device, product string) (may bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM firmware_products p, devices d`+withJoin+`
		WHERE p.id = $2 AND d.id = $1 AND (d.owner_id = p.owner_id OR j.product_id = p.id))`, device, product).Scan(&may)
	return may, err
}

// FleetGroups returns what the devices run that take the firmware of a product, and may connect, by image: the most
// first, and no more than limit.
func (repo *Repository) FleetGroups(
	ctx context.Context, owner, product string, limit int,
) ([]domain.FleetGroup, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT count(*), SUM(CASE WHEN d.owner_id = $2 THEN 0 ELSE 1 END),
		max(f.report) FROM device_firmware f JOIN devices d ON d.id = f.device_id`+withJoin+`WHERE f.product = $1
		AND `+publisher+` = $2 AND d.revoked_at = 0 GROUP BY f.sha256
		ORDER BY 1 DESC, f.sha256 LIMIT $3`, product, owner, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (g domain.FleetGroup, err error) {
		var one string
		if err = rows.Scan(&g.Devices, &g.Shared, &one); err != nil {
			return g, err
		}
		var f domain.FirmwareReport
		err = json.Unmarshal([]byte(one), &f)
		g.Version, g.Chip = f.Version, f.Chip
		return g, err
	})
}
