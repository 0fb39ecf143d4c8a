// Package mails has the SQL of the queue of mails.
package mails

import "github.com/unhidra/unhidra/internal/store"

// A Repository keeps the queue of mails.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
