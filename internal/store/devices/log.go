package devices

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// In the column reason, the detail follows the reason after a line feed, which neither has: a mistake is
// another one if either differs. Rows of versions before lack it.

// AddNotes adds to the logs of devices, of which each keeps the last domain.MaxDeviceLog different things.
func (repo *Repository) AddNotes(ctx context.Context, notes []domain.DeviceNote) error {
	if len(notes) == 0 {
		return nil
	}
	sorted := slices.SortedFunc(slices.Values(notes), func(a, b domain.DeviceNote) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail)) // so that two nodes lock rows in the same order
	})
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for i, n := range sorted {
			_, err := t.ExecContext(ctx, `INSERT INTO device_log
				(device_id, kind, subject, reason, detail, count, first_at, last_at)
				SELECT id, $2, $3, $4, $5, $6, $7, $8 FROM devices WHERE id = $1
				ON CONFLICT (device_id, kind, subject, reason) DO UPDATE SET
				count = device_log.count + excluded.count, last_at = excluded.last_at`,
				n.Device, n.Kind, n.Subject, strings.TrimSuffix(n.Reason+"\n"+n.Detail, "\n"), n.Detail, n.Count,
				store.Millis(n.First), store.Millis(n.Last))
			if err != nil {
				return err
			}
			if i+1 < len(sorted) && sorted[i+1].Device == n.Device {
				continue
			}
			_, err = t.ExecContext(ctx, `DELETE FROM device_log WHERE device_id = $1 AND last_at < $2`, n.Device,
				store.Millis(n.Last.Add(-domain.DeviceLogKept)))
			if err == nil {
				_, err = t.ExecContext(ctx, `DELETE FROM device_log WHERE device_id = $1 AND last_at < (SELECT last_at
					FROM device_log WHERE device_id = $1 ORDER BY last_at DESC LIMIT 1 OFFSET $2)`, n.Device, domain.MaxDeviceLog-1)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Notes returns the log of a device, what happened last first, without what was longer ago than it is kept.
func (repo *Repository) Notes(ctx context.Context, device string, now time.Time) ([]domain.DeviceNote, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT device_id, kind, subject, reason, detail, count, first_at, last_at
		FROM device_log WHERE device_id = $1 AND last_at >= $2 ORDER BY last_at DESC, kind, subject, reason LIMIT $3`,
		device, store.Millis(now.Add(-domain.DeviceLogKept)), domain.MaxDeviceLog)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (n domain.DeviceNote, err error) {
		var first, last int64
		err = rows.Scan(&n.Device, &n.Kind, &n.Subject, &n.Reason, &n.Detail, &n.Count, &first, &last)
		n.Reason, _, _ = strings.Cut(n.Reason, "\n")
		n.First, n.Last = store.Time(first), store.Time(last)
		return n, err
	})
}
