// Package feedlog has the SQL of the feed of events: every committed event of every
// room, in an order that keeps that of each room; how far each consumer has come; and
// what was set aside.
//
// On SQLite the order is that of the positions in the log, which one writer assigns. After the
// newest rows are deleted, their positions are assigned again: a trigger then increments the version
// of all positions (table feed_places) and moves the cursors back.
//
// On PostgreSQL positions commit out of order. So each statement that appends adds a row with its
// positions (by a trigger, also for programs of the version before), and Next numbers these rows once
// they are committed. Whoever appends to a room has locked it: of two rows of one room the later has
// the higher id, and nobody sees it without the earlier. So numbers in the order of ids keep the order
// of each room.
package feedlog

import (
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository is the feed of events. It implements feed.Source, feed.Cursors and
// feed.Asides.
type Repository struct{ db *store.DB }

var (
	_ feed.Source[domain.Event]      = (*Repository)(nil)
	_ feed.Cursors                   = (*Repository)(nil)
	_ feed.DeadLetters[domain.Event] = (*Repository)(nil)
)

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
