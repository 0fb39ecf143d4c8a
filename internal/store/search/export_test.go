package search

import "context"

// What the test of the indexer on SQLite takes apart.
var Index = index

// NextLot returns what would be indexed next.
func NextLot(ctx context.Context, repo *Repository) (lot, error) { return repo.nextLot(ctx) }

// IndexLot indexes it.
func IndexLot(ctx context.Context, repo *Repository) (more bool, err error) {
	return repo.indexLot(ctx)
}
