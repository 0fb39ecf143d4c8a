package devices

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// NodeLives stores that a node lives. known is false if it was not known, or taken for dead: its links
// are not in the store then.
func (repo *Repository) NodeLives(ctx context.Context, node string, now time.Time) (known bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE device_nodes SET alive_at = $2 WHERE node = $1 AND alive_at <> 0`, node,
			store.Millis(now))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if known = n > 0; err != nil || known {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO device_nodes (node, alive_at) VALUES ($1, $2)
			ON CONFLICT (node) DO UPDATE SET alive_at = excluded.alive_at`, node, store.Millis(now))
		return err
	})
	return known, err
}

// DeadNode ends the links of one node that did not say since a time that it lives, as EndNode does. It
// returns the name of the node; empty: there is none.
func (repo *Repository) DeadNode(ctx context.Context, since, now, due time.Time) (node string, err error) {
	const dead = `SELECT node FROM device_nodes WHERE alive_at < $1 ORDER BY node LIMIT 1`
	err = repo.db.QueryRowContext(ctx, dead, store.Millis(since)).Scan(&node)
	if errors.Is(err, sql.ErrNoRows) {
		node, err = repo.unknownNode(ctx)
	}
	for ended, still := 0, node != ""; err == nil && still; {
		err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			res, err := t.ExecContext(ctx, `UPDATE device_nodes SET alive_at = 0 WHERE node = $1 AND alive_at < $2`, node,
				store.Millis(since))
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 { // it lives again, or another node was quicker
				node, still = "", false
				return err
			}
			if ended, err = endSome(ctx, t, node, now, due); err != nil || ended == dueMost {
				return err
			}
			still = false
			_, err = t.ExecContext(ctx, `DELETE FROM device_nodes WHERE node = $1`, node)
			return err
		})
	}
	return node, err
}

// unknownNode notes as dead a node that has links and is not known, and returns its name: it was taken for dead,
// stored links nevertheless, and died before it could tell of all of them again. Empty: there is none.
func (repo *Repository) unknownNode(ctx context.Context) (node string, err error) {
	err = repo.db.QueryRowContext(ctx, `WITH RECURSIVE n (node) AS (SELECT min(node) FROM device_links
		UNION ALL SELECT (SELECT min(l.node) FROM device_links l WHERE l.node > n.node) FROM n WHERE n.node IS NOT NULL)
		SELECT node FROM n WHERE node IS NOT NULL AND node NOT IN (SELECT node FROM device_nodes) LIMIT 1`).Scan(&node)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return node, repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO device_nodes (node, alive_at) VALUES ($1, 0) ON CONFLICT (node) DO NOTHING`,
			node)
		return err
	})
}

// EndNode ends all links of a node. Devices without another one are offline when they are due.
func (repo *Repository) EndNode(ctx context.Context, node string, now, due time.Time) (err error) {
	for ended := dueMost; err == nil && ended == dueMost; {
		err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			var err error
			ended, err = endSome(ctx, t, node, now, due)
			return err
		})
	}
	return err
}

// endSome ends the links that at most dueMost devices have with a node, and returns how many devices these
// were.
func endSome(ctx context.Context, t *store.Tx, node string, now, due time.Time) (ended int, err error) {
	rows, err := t.QueryContext(ctx, `SELECT DISTINCT device_id FROM device_links WHERE node = $1
		ORDER BY device_id LIMIT $2`, node, dueMost)
	if err != nil {
		return 0, err
	}
	devices, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return 0, err
	}
	for some := range store.Chunks(devices) {
		if err := lockStates(ctx, t, some); err != nil {
			return 0, err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM device_links WHERE node = $1 AND device_id IN (`+
			store.Placeholders(2, len(some))+`)`, append([]any{node}, store.Args(some)...)...)
		if err != nil {
			return 0, err
		}
		changes := make([]domain.LinkChange, len(some))
		for i, id := range some {
			changes[i] = domain.LinkChange{DeviceLink: domain.DeviceLink{Device: id}, Ended: now, Due: due, Reason: "restart"}
		}
		if _, err := unlinked(ctx, t, changes); err != nil {
			return 0, err
		}
	}
	return len(devices), nil
}
