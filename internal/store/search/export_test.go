package search

import "context"

// What the test of the indexer on SQLite takes apart.
var Index = index

// NextBatch returns what would be indexed next.
func NextBatch(ctx context.Context, repo *Repository) (batch, error) { return nextBatch(ctx, repo.db) }

// IndexBatch indexes it.
func IndexBatch(ctx context.Context, repo *Repository) (more bool, err error) {
	return repo.backend.next(ctx, repo.db)
}
