// Package accounts has the SQL of accounts: users with their profiles, pictures and
// roles, invitations to the server, the tickets of links by mail; sessions, sign-ins on
// their way and failed attempts; second factors, passkeys, accounts at providers and
// remembered browsers. They are one part: whatever raises the epoch of a user ends what
// stands on it, in the same transaction.
package accounts

import "github.com/unhidra/unhidra/internal/store"

// A Repository keeps accounts, tickets and invitations to the server.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// Sessions keeps sessions, sign-ins on their way, and failed attempts.
type Sessions struct{ db *store.DB }

// NewSessions returns the sessions on db.
func NewSessions(db *store.DB) *Sessions { return &Sessions{db} }

// Factors keeps what proves who somebody is beside a password.
type Factors struct{ db *store.DB }

// NewFactors returns the factors on db.
func NewFactors(db *store.DB) *Factors { return &Factors{db} }
