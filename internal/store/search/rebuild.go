package search

import (
	"context"
	"time"
)

// When the form of the index changes, the messages that are there already are
// indexed anew, the newest first, in small steps beside everything else. Until that
// has come to the first message, search says that it is not complete.

const (
	rebuildBatch = 200
	rebuildPause = 3 // the rest after a step, in lengths of the step
)

// Indexed reports whether every message of the log from before is in the index. What
// is appended is in it a moment later in any case.
func (repo *Repository) Indexed(ctx context.Context) (all bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT format >= $1 AND todo = 0 FROM search_build`, indexFormat).Scan(&all)
	return all, err
}

// rebuild takes the steps that beginRebuild left to do. On PostgreSQL it also does
// again what older servers write meanwhile.
func (x *indexer) rebuild(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		more, err := x.repo.rebuildStep(ctx)
		rest := rebuildPause * time.Since(began)
		switch {
		case err != nil && ctx.Err() == nil:
			x.log.ErrorContext(ctx, "index earlier messages anew", "err", err)
			fallthrough
		case !more:
			rest = pollEvery * indexInterval
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}

func (repo *Repository) rebuildStep(ctx context.Context) (more bool, err error) {
	var todo int64
	if err := repo.db.QueryRowContext(ctx, `SELECT todo FROM search_build`).Scan(&todo); err != nil {
		return false, err
	}
	return repo.backend.rebuild(ctx, repo.db, todo)
}
