package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Tally counts the rollouts of all owners.
func (repo *Repository) Tally(ctx context.Context) (domain.RolloutTally, error) {
	n := domain.RolloutTally{Paused: map[domain.PauseKind]int{}}
	var err error
	if n.States, err = count[domain.RolloutState](ctx, repo.db,
		`SELECT state, count(*) FROM rollouts GROUP BY state`); err != nil {
		return n, err
	}
	if n.Updates, err = count[domain.UpdateState](ctx, repo.db, `SELECT u.state, count(*) FROM rollouts r
		JOIN rollout_updates u ON u.rollout_id = r.id WHERE r.state IN ('running', 'soaking', 'paused')
		GROUP BY u.state`); err != nil {
		return n, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT pause FROM rollouts WHERE state = 'paused'`)
	if err != nil {
		return n, err
	}
	paused, err := store.Collect(rows, store.ScanString)
	for _, text := range paused {
		var why domain.RolloutPause
		if err := json.Unmarshal([]byte(text), &why); err != nil {
			return n, err
		}
		n.Paused[why.Kind]++
	}
	return n, err
}

// count returns what a query of a name and a number finds.
func count[name ~string](ctx context.Context, q store.Queryer, query string) (map[name]int, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	type row struct {
		of name
		n  int
	}
	found, err := store.Collect(rows, func(rows *sql.Rows) (r row, err error) {
		err = rows.Scan(&r.of, &r.n)
		return r, err
	})
	counts := make(map[name]int, len(found))
	for _, r := range found {
		counts[r.of] = r.n
	}
	return counts, err
}
