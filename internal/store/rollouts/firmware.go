package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const deviceColumns = `f.device_id, d.owner_id, f.report, f.reported_at, f.nonce_at, f.since, f.crashes,
	f.connects, f.flapped_at, COALESCE(s.online, FALSE), COALESCE(s.session, 0), d.type, d.tags,
	COALESCE(j.product_id, ''), COALESCE(j.product, ''),
	COALESCE(j.publisher_id, ''), COALESCE(j.ask, FALSE)`

// withJoin adds the product of somebody else that the owner of a device d has joined. What a former owner has said
// does not count.
const withJoin = ` LEFT JOIN firmware_joins j ON j.device_id = d.id AND j.agreed_by = d.owner_id `

// publisher is the user whose rollouts reach a device d that reports f, as domain.DeviceFirmware.Publisher.
const publisher = `CASE WHEN j.product = f.product THEN j.publisher_id ELSE d.owner_id END`

const deviceTables = ` FROM device_firmware f JOIN devices d ON d.id = f.device_id
	LEFT JOIN device_states s ON s.device_id = f.device_id` + withJoin

func scanDevice(rows *sql.Rows) (d domain.DeviceFirmware, err error) {
	var report, connects, tags string
	var at, nonce, since, flapped int64
	j := &d.Joined
	err = rows.Scan(&d.Device, &d.Owner, &report, &at, &nonce, &since, &d.Crashes, &connects, &flapped, &d.Online,
		&d.Session, &d.Type, &tags, &j.Product, &j.Name, &j.Publisher, &j.Ask)
	if err != nil {
		return d, err
	}
	d.At, d.NonceAt, d.Since, d.Tags = store.Time(at), store.Time(nonce), store.Time(since), strings.Fields(tags)
	err = errors.Join(json.Unmarshal([]byte(report), &d.Report), json.Unmarshal([]byte(connects), &d.Rate))
	d.Rate.Flapped = store.Time(flapped)
	if d.Shared() {
		d.Type, d.Tags = "", nil // its owner's words
	}
	return d, err
}

func devicesWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.DeviceFirmware, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+deviceColumns+deviceTables+`WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanDevice)
}

// Firmware returns what a device last said of its firmware. known is false if it never did.
func (repo *Repository) Firmware(
	ctx context.Context, device string,
) (d domain.DeviceFirmware, known bool, err error) {
	return firmware(ctx, repo.db, device)
}

func firmware(ctx context.Context, q store.Queryer, device string) (d domain.DeviceFirmware, known bool, err error) {
	found, err := devicesWhere(ctx, q, `f.device_id = $1`, device)
	if err != nil || len(found) == 0 {
		return d, false, err
	}
	return found[0], true, nil
}

// product returns the devices that a rollout could reach, as they report its product, and that may connect, by id:
// after the id after.
func product(
	ctx context.Context, q store.Queryer, r domain.Rollout, after string, present bool, limit int,
) ([]domain.DeviceFirmware, error) {
	return devicesWhere(ctx, q, `f.product = $1 AND `+publisher+` = $2 AND f.device_id > $3 AND d.revoked_at = 0
		AND ($4 = FALSE OR s.online) ORDER BY f.device_id LIMIT $5`, r.Name, r.Owner, after, present, limit)
}

// took reports whether a device has taken an offer since it told a nonce: then it tells another one, and has not
// started anew.
func took(ctx context.Context, t *store.Tx, device string, since time.Time) (is bool, err error) {
	err = t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM rollout_updates WHERE device_id = $1 AND offered_at >= $2
		AND state NOT IN ('consent', 'deferred', 'offered'))`, device, store.Millis(since)).Scan(&is)
	return is, err
}

// put stores what a device says. It returns what is known of it then, and whether it has started anew since it
// last said something.
func put(
	ctx context.Context, t *store.Tx, y rules, device string, f domain.FirmwareReport, now time.Time,
) (d domain.DeviceFirmware, started bool, err error) {
	before, known, err := firmware(ctx, t, device)
	if err != nil {
		return d, false, err
	}
	d = before
	started = !known || before.Report.Nonce != f.Nonce
	if started {
		d.NonceAt = now
	}
	if !known { // how often it connected before says nothing of when
		err := t.QueryRowContext(ctx, `SELECT COALESCE(MAX(session), 0) FROM device_states WHERE device_id = $1`, device).
			Scan(&d.Session)
		if err != nil {
			return d, false, err
		}
	}
	d.Rate = y.Connected(d.Rate, d.Session, now)
	if !known || before.Report.SHA256 != f.SHA256 || before.Report.Product != f.Product {
		d.Since, d.Crashes, d.Rate.Lately, d.Rate.Flapped = now, 0, 0, time.Time{}
	} else if started && f.ResetReason.Crashed() && !f.SlotState.TakenBack() {
		took, err := took(ctx, t, device, before.NonceAt)
		if err != nil {
			return d, false, err
		}
		if !took {
			d.Crashes++
		}
	}
	report, err := json.Marshal(f)
	if err != nil {
		return d, false, err
	}
	connects, err := json.Marshal(d.Rate)
	if err != nil {
		return d, false, err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO device_firmware (device_id, product, sha256, report, reported_at, nonce_at,
		since, crashes, connects, flapped_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (device_id) DO UPDATE SET product = excluded.product, sha256 = excluded.sha256,
		report = excluded.report, reported_at = excluded.reported_at, nonce_at = excluded.nonce_at,
		since = excluded.since, crashes = excluded.crashes, connects = excluded.connects,
		flapped_at = excluded.flapped_at`, device, f.Product, f.SHA256,
		string(report), store.Millis(now), store.Millis(d.NonceAt), store.Millis(d.Since), d.Crashes,
		string(connects), store.Millis(d.Rate.Flapped))
	if err != nil {
		return d, false, err
	}
	if known && before.Report.Product == f.Product { // else who publishes may be another, and what is known to them
		d.Report, d.At = f, now
		return d, started, nil
	}
	d, _, err = firmware(ctx, t, device)
	return d, started, err
}
