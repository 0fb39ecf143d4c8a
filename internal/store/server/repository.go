// Package server has the SQL of what a server keeps for itself: settings that
// administrators changed, certificates and their locks, CAPTCHAs that were used.
package server

import "github.com/unhidra/unhidra/internal/store"

// A Repository keeps settings, certificates and CAPTCHAs.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
