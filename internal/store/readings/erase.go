package readings

import (
	"context"

	"github.com/unhidra/unhidra/internal/store"
)

// eraseDevice deletes everything of the device with a number from the tables that both databases
// have. Of the many chunks of a device, all are deleted in one transaction: this takes some 10 ms
// for a month.
func eraseDevice(ctx context.Context, t *store.Tx, number int64) error {
	for _, table := range []string{"reading_chunks", "reading_minutes", "reading_hours"} {
		_, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE id IN (`+stretches(table, "c.id",
			`(SELECT COALESCE(min(id), 0) >> 40 FROM `+table+`)`, `(SELECT COALESCE(max(id), 0) >> 40 FROM `+table+`)`,
			"$1")+`)`, number)
		if err != nil {
			return err
		}
	}
	for _, query := range []string{
		`DELETE FROM reading_days WHERE series IN (SELECT id FROM reading_series WHERE dev = $1)`,
		`DELETE FROM reading_series WHERE dev = $1`,
		`DELETE FROM reading_ranges WHERE dev = $1`,
		`DELETE FROM reading_devices WHERE id = $1`,
	} {
		if _, err := t.ExecContext(ctx, query, number); err != nil {
			return err
		}
	}
	return nil
}

// stretches is a query for the rows of a device in a table whose ids begin with an hour or a day,
// of those from first to last. Its arguments are SQL.
func stretches(table, columns, first, last, number string) string {
	return `WITH RECURSIVE s(n) AS (SELECT CAST(` + first + ` AS BIGINT) UNION ALL
		SELECT n + 1 FROM s WHERE n < CAST(` + last + ` AS BIGINT)) SELECT ` + columns + ` FROM s JOIN ` + table + ` c
		ON c.id BETWEEN (s.n << 40) + (CAST(` + number + ` AS BIGINT) << 8)
		AND (s.n << 40) + (CAST(` + number + ` AS BIGINT) << 8) + 255`
}

func (j *journal) erase(ctx context.Context, id string) error {
	for {
		d := j.cached(id)
		d.mu.Lock()
		if d.gone {
			d.mu.Unlock()
			continue
		}
		defer d.mu.Unlock()
		defer j.drop(d)
		if d.number == 0 {
			if err := j.load(ctx, d); err != nil || d.number == 0 {
				return err
			}
		}
		err := j.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return eraseDevice(ctx, t, d.number) })
		if err != nil {
			return err
		}
		for _, b := range d.open {
			j.closed(b)
		}
		return nil
	}
}
