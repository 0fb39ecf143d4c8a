// Package devices has the SQL of devices and their keys.
package devices

import "github.com/unhidra/unhidra/internal/store"

// A Repository stores devices and their keys.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
