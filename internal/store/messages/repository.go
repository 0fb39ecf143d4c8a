// Package messages has the SQL of messages on their way into the log of a room, by the
// batch, of their changes, of read marks, and of what is forgotten for its age.
package messages

import "github.com/unhidra/unhidra/internal/store"

// A Repository keeps messages.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

var _ store.BatchWriter = (*Repository)(nil)
