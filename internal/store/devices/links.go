package devices

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Link stores that links of a node's devices are open or have ended, in the order of each device. It
// returns the devices that came or went thereby, and the keys that are in use from several addresses. A
// change that is stored already changes nothing.
func (repo *Repository) Link(
	ctx context.Context, node string, changes []domain.LinkChange,
) (came []domain.DeviceStatus, rivals []domain.LinkRivals, err error) {
	sorted := slices.SortedStableFunc(slices.Values(changes), func(a, b domain.LinkChange) int {
		return cmp.Compare(a.Device, b.Device) // so that two nodes lock devices in the same order
	})
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		came, rivals = nil, nil
		for _, turn := range turns(sorted) {
			for some := range store.Chunks(turn) {
				c, r, err := link(ctx, t, node, some)
				if err != nil {
					return err
				}
				came, rivals = append(came, c...), append(rivals, r...)
			}
		}
		return nil
	})
	return came, rivals, err
}

// turns parts changes, which are sorted by device: each turn has at most one of a device.
func turns(sorted []domain.LinkChange) (turns [][]domain.LinkChange) {
	n := 0
	for i, c := range sorted {
		if n++; i == 0 || sorted[i-1].Device != c.Device {
			n = 0
		}
		if n == len(turns) {
			turns = append(turns, nil)
		}
		turns[n] = append(turns[n], c)
	}
	return turns
}

// link stores changes of different devices.
func link(
	ctx context.Context, t *store.Tx, node string, changes []domain.LinkChange,
) (came []domain.DeviceStatus, rivals []domain.LinkRivals, err error) {
	devices := make([]string, len(changes))
	var opened []domain.DeviceLink
	var ended []domain.LinkChange
	for i, c := range changes {
		if devices[i] = c.Device; c.Ended.IsZero() {
			opened = append(opened, c.DeviceLink)
		} else {
			ended = append(ended, c)
		}
	}
	if err := lockStates(ctx, t, devices); err != nil {
		return nil, nil, err
	}
	here, rivals, err := openLinks(ctx, t, node, opened)
	if err != nil {
		return nil, nil, err
	}
	gone, err := endLinks(ctx, t, ended)
	if err != nil {
		return nil, nil, err
	}
	came, err = statusesOf(ctx, t, append(here, gone...))
	return came, rivals, err
}

// lockStates makes the states of devices, and locks them until the commit: two nodes must not both take
// the link of the other for one that stays.
func lockStates(ctx context.Context, t *store.Tx, devices []string) error {
	args := make([]any, 0, 6*len(devices))
	for _, d := range devices {
		args = append(args, d, 0, false, 0, 0, "")
	}
	_, err := t.ExecContext(ctx, `INSERT INTO device_states (device_id, session, online, since, due, reason)
		VALUES `+t.ValuesList(len(devices), 6)+` ON CONFLICT (device_id) DO UPDATE SET session = device_states.session`,
		args...)
	return err
}

// openLinks returns the devices that were offline before, and the other addresses of keys.
func openLinks(
	ctx context.Context, t *store.Tx, node string, links []domain.DeviceLink,
) (came []string, rivals []domain.LinkRivals, err error) {
	if links, err = addLinks(ctx, t, node, links); err != nil || len(links) == 0 {
		return nil, nil, err
	}
	devices, ids := make([]string, len(links)), make([]string, len(links))
	for i, l := range links {
		devices[i], ids[i] = l.Device, l.ID
	}
	devices, ids = store.PadToPowerOfTwo(devices), store.PadToPowerOfTwo(ids)
	in := `(` + store.Placeholders(1, len(devices)) + `)`
	rows, err := t.QueryContext(ctx, `SELECT device_id FROM device_states WHERE device_id IN `+in+` AND NOT online
		ORDER BY device_id`, store.Args(devices)...)
	if err != nil {
		return nil, nil, err
	}
	if came, err = store.Collect(rows, store.ScanString); err != nil {
		return nil, nil, err
	}
	for _, do := range []struct {
		statement string
		with      []string
	}{
		{`UPDATE device_states SET since = l.opened_at FROM device_links l WHERE l.id IN ` + in + `
			AND device_states.device_id = l.device_id AND NOT device_states.online`, ids},
		{`UPDATE device_states SET session = session + 1, online = TRUE, due = 0, reason = '' WHERE device_id IN ` + in,
			devices},
		{`UPDATE devices SET away_until = 0, away_reason = '' WHERE id IN ` + in + ` AND away_until <> 0`, devices},
	} {
		if _, err := t.ExecContext(ctx, do.statement, store.Args(do.with)...); err != nil {
			return nil, nil, err
		}
	}
	rivals, err = linkRivals(ctx, t, links)
	return came, rivals, err
}

// addLinks returns those of links that were not stored.
func addLinks(
	ctx context.Context, t *store.Tx, node string, links []domain.DeviceLink,
) (added []domain.DeviceLink, err error) {
	if len(links) == 0 {
		return nil, nil
	}
	padded := store.PadToPowerOfTwo(links)
	args := make([]any, 0, 6*len(padded))
	for _, l := range padded {
		args = append(args, l.ID, l.Device, node, l.Key, l.Addr, store.Millis(l.Opened))
	}
	rows, err := t.QueryContext(ctx, `INSERT INTO device_links (id, device_id, node, key_id, addr, opened_at)
		VALUES `+t.ValuesList(len(padded), 6)+` ON CONFLICT (id) DO NOTHING RETURNING id`, args...)
	if err != nil {
		return nil, err
	}
	ids, err := store.Collect(rows, store.ScanString)
	for _, l := range links {
		if slices.Contains(ids, l.ID) {
			added = append(added, l)
		}
	}
	return added, err
}

// linkRivals returns the links whose keys have links from other addresses.
func linkRivals(ctx context.Context, t *store.Tx, links []domain.DeviceLink) (rivals []domain.LinkRivals, err error) {
	devices := make([]string, len(links))
	for i, l := range links {
		devices[i] = l.Device
	}
	devices = store.PadToPowerOfTwo(devices)
	rows, err := t.QueryContext(ctx, `SELECT DISTINCT device_id, key_id, addr FROM device_links
		WHERE device_id IN (`+store.Placeholders(1, len(devices))+`) ORDER BY device_id, addr`, store.Args(devices)...)
	if err != nil {
		return nil, err
	}
	all, err := store.Collect(rows, func(rows *sql.Rows) (l domain.DeviceLink, err error) {
		err = rows.Scan(&l.Device, &l.Key, &l.Addr)
		return l, err
	})
	for _, l := range links {
		r := domain.LinkRivals{DeviceLink: l}
		for _, other := range all {
			if other.Device == l.Device && other.Key == l.Key && other.Addr != l.Addr {
				r.Others = append(r.Others, other.Addr)
			}
		}
		if len(r.Others) > 0 {
			rivals = append(rivals, r)
		}
	}
	return rivals, err
}

// endLinks returns the devices that are offline now: they have no link, and are not expected any more.
func endLinks(ctx context.Context, t *store.Tx, changes []domain.LinkChange) (gone []string, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	ids = store.PadToPowerOfTwo(ids)
	rows, err := t.QueryContext(ctx, `DELETE FROM device_links WHERE id IN (`+store.Placeholders(1, len(ids))+`)
		RETURNING id`, store.Args(ids)...)
	if err != nil {
		return nil, err
	}
	ended, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return nil, err
	}
	return unlinked(ctx, t, slices.DeleteFunc(slices.Clone(changes), func(c domain.LinkChange) bool {
		return !slices.Contains(ended, c.ID)
	}))
}

// unlinked settles when devices are offline, but of those that have a link.
func unlinked(ctx context.Context, t *store.Tx, changes []domain.LinkChange) (gone []string, err error) {
	if len(changes) == 0 {
		return nil, nil
	}
	asleep, err := awayUntil(ctx, t, changes)
	if err != nil {
		return nil, err
	}
	var expected, lost []any // device, due or since, reason
	for _, c := range changes {
		if c.Due.After(c.Ended) && !asleep[c.Device].After(c.Ended) {
			expected = append(expected, c.Device, strconv.FormatInt(store.Millis(c.Due), 10), c.Reason)
		} else {
			lost = append(lost, c.Device, strconv.FormatInt(store.Millis(c.Ended), 10), c.Reason)
		}
	}
	if _, err := settle(ctx, t, `due = CAST(v.at AS BIGINT)`, expected); err != nil {
		return nil, err
	}
	return settle(ctx, t, `online = FALSE, due = 0, since = CAST(v.at AS BIGINT)`, lost)
}

// settle changes the states of devices without a link, and returns these. rows has a device, a time and a
// reason for each.
func settle(ctx context.Context, t *store.Tx, set string, rows []any) (devices []string, err error) {
	if len(rows) == 0 {
		return nil, nil
	}
	changed, err := t.QueryContext(ctx, `WITH v (device_id, at, reason) AS (VALUES `+t.ValuesList(len(rows)/3, 3)+`)
		UPDATE device_states SET `+set+`, reason = v.reason FROM v WHERE device_states.device_id = v.device_id AND online
		AND NOT EXISTS (SELECT 1 FROM device_links l WHERE l.device_id = v.device_id) RETURNING device_states.device_id`,
		rows...)
	if err != nil {
		return nil, err
	}
	return store.Collect(changed, store.ScanString)
}

// awayUntil returns until when devices said that they are away.
func awayUntil(ctx context.Context, t *store.Tx, changes []domain.LinkChange) (map[string]time.Time, error) {
	devices := make([]string, len(changes))
	for i, c := range changes {
		devices[i] = c.Device
	}
	devices = store.PadToPowerOfTwo(devices)
	rows, err := t.QueryContext(ctx, `SELECT id, away_until FROM devices WHERE away_until <> 0
		AND id IN (`+store.Placeholders(1, len(devices))+`)`, store.Args(devices)...)
	if err != nil {
		return nil, err
	}
	until := make(map[string]time.Time)
	_, err = store.Collect(rows, func(rows *sql.Rows) (id string, err error) {
		var away int64
		err = rows.Scan(&id, &away)
		until[id] = store.Time(away)
		return id, err
	})
	return until, err
}
