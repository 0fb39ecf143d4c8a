// Package rooms has the SQL of rooms: who is in them, in which role, who is banned,
// and the links that lead in.
package rooms

import (
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository keeps rooms, their members, bans, invitations and requests.
type Repository struct {
	db     *store.DB
	limits domain.RoomLimits
}

// New returns the repository on db, which holds to bounds.
func New(db *store.DB, bounds domain.RoomLimits) *Repository { return &Repository{db, bounds} }
