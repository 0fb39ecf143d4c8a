// Package roomlog has the SQL of the log of a room: events are appended to it and read
// back, each with its message as it is now.
package roomlog

import "github.com/unhidra/unhidra/internal/store"

// A Repository keeps the logs of rooms.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
