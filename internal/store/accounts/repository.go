// Package accounts has the SQL of accounts: users with their profiles, avatars and roles,
// invitations to the server, and tickets (links sent by e-mail); sessions, flows (sign-ins in
// progress) and failed attempts; second factors, passkeys, identities at providers and remembered
// browsers. They are one package because incrementing the epoch of a user ends what depends on it
// in the same transaction.
package accounts

import "github.com/unhidra/unhidra/internal/store"

// A Repository stores users, tickets and invitations to the server.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// Sessions stores sessions, flows and failed attempts.
type Sessions struct{ db *store.DB }

// NewSessions returns the repository of sessions on db.
func NewSessions(db *store.DB) *Sessions { return &Sessions{db} }

// Factors stores second factors, identities at providers and remembered browsers.
type Factors struct{ db *store.DB }

// NewFactors returns the repository of factors on db.
func NewFactors(db *store.DB) *Factors { return &Factors{db} }
