package store

import (
	"context"

	"github.com/unhidra/unhidra/internal/obs"
)

// A Lane commits items in batches of its own, so that a burst of them holds up no other write. It is of
// PostgreSQL: on SQLite, all writes of a file are one after the other.
type Lane struct {
	name   string
	writer *writer
}

// NewLane opens a lane, which ends when db is closed. A process opens one of a name at most, since each
// keeps two connections once it is used.
func (db *DB) NewLane(name string) *Lane {
	l := &Lane{name: name, writer: newWriter(db)}
	db.mu.Lock()
	defer db.mu.Unlock()
	db.lanes = append(db.lanes, l)
	return l
}

// WriteItem is DB.WriteItem in the lane.
func (l *Lane) WriteItem(ctx context.Context, b BatchWriter, item *Item) error {
	return l.writer.submit(ctx, &job{Item: item, batchWriter: b})
}

// Queues are the queue of the lane, for the metrics.
func (l *Lane) Queues() []obs.Queue {
	return []obs.Queue{{
		Name: l.name, Limit: queueLength, Depth: func() int { return len(l.writer.jobs) },
		Full: l.writer.load.refused.Load,
	}}
}
