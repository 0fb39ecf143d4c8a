// Package server has the SQL of the server's own data: settings changed by administrators,
// certificates and their locks, and used CAPTCHAs.
package server

import "github.com/unhidra/unhidra/internal/store"

// A Repository stores settings, certificates and used CAPTCHAs.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
