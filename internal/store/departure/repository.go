// Package departure is where transactions cross the parts of the store: whoever leaves a
// room takes their devices along, and an account that is deleted leaves all of them. It
// has no SQL; each part takes away what is its own, in one transaction.
package departure

import "github.com/unhidra/unhidra/internal/store"

// A Repository keeps what goes with its owner.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
