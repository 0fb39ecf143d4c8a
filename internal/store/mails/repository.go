// Package mails has the SQL of the mail queue.
package mails

import "github.com/unhidra/unhidra/internal/store"

// A Repository stores the mail queue.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
