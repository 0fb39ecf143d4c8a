// Package rooms has the SQL of rooms: members and their roles, bans, mutes, invite links and
// requests.
package rooms

import (
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository stores rooms, members, bans, mutes, invite links and requests.
type Repository struct {
	db     *store.DB
	limits domain.RoomLimits
}

// New returns the repository on db, which enforces bounds.
func New(db *store.DB, bounds domain.RoomLimits) *Repository { return &Repository{db, bounds} }
