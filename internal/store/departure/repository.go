// Package departure has the transactions that concern several packages of the store: a member who
// leaves a room takes their devices along, and a deleted account leaves all rooms. It has no SQL;
// each package deletes its own rows within the transaction.
package departure

import "github.com/unhidra/unhidra/internal/store"

// A Repository ends memberships and accounts.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }
