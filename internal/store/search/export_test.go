package search

import "context"

// What the tests of the indexer take apart.
var Index = index

// NextBatch returns what would be indexed next.
func NextBatch(ctx context.Context, repo *Repository) (batch, error) { return nextBatch(ctx, repo.db) }

// IndexBatch indexes it.
func IndexBatch(ctx context.Context, repo *Repository) (more bool, err error) {
	return repo.backend.next(ctx, repo.db)
}

// RebuildBatch indexes a batch of earlier messages again.
func RebuildBatch(ctx context.Context, repo *Repository) (more bool, err error) {
	return repo.rebuildStep(ctx)
}
