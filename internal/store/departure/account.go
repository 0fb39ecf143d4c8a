package departure

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/store/messages"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// DeleteUser ends an account: its name, profile, secrets, sessions and
// memberships are gone. What it said stays in its rooms, under no name. Rooms
// that it owns are handed over first: conflict.
func (repo *Repository) DeleteUser(ctx context.Context, user string, now time.Time) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := accounts.KeepAdmin(ctx, t, user); err != nil {
			return err
		}
		joined, err := rooms.RoomIDs(ctx, t, user)
		if err != nil {
			return err
		}
		for _, room := range joined {
			if _, err := leave(ctx, t, user, room, now); err != nil {
				return err
			}
		}
		return eraseUser(ctx, t, user, now)
	})
}

// eraseUser has each part leave of a user what their messages point to.
func eraseUser(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	for _, part := range []func(context.Context, *store.Tx, string) error{rooms.EraseUser, messages.EraseUser} {
		if err := part(ctx, t, user); err != nil {
			return err
		}
	}
	if err := devices.EraseUser(ctx, t, user, now); err != nil {
		return err
	}
	return accounts.Erase(ctx, t, user, now)
}
