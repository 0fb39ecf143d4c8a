// Package audit has the SQL of the audit log and of the positions of its receivers.
package audit

import "github.com/unhidra/unhidra/internal/store"

// A Repository stores the audit log.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
