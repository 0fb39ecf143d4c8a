package departure

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/alarms"
	"github.com/unhidra/unhidra/internal/store/bots"
	"github.com/unhidra/unhidra/internal/store/commands"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/store/firmware"
	"github.com/unhidra/unhidra/internal/store/messages"
	"github.com/unhidra/unhidra/internal/store/moderation"
	"github.com/unhidra/unhidra/internal/store/notifications"
	"github.com/unhidra/unhidra/internal/store/personal"
	"github.com/unhidra/unhidra/internal/store/rollouts"
	"github.com/unhidra/unhidra/internal/store/rooms"
	"github.com/unhidra/unhidra/internal/store/usergroups"
)

// DeleteUser deletes an account: its name, profile, secrets, sessions, memberships and bots. Its messages
// stay, without a name. It fails with conflict while the user owns rooms with other members: those
// must be transferred first.
func (repo *Repository) DeleteUser(ctx context.Context, user string, now time.Time) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := accounts.KeepAdmin(ctx, t, user); err != nil {
			return err
		}
		return deleteUser(ctx, t, user, now)
	})
}

// DeleteBot deletes a bot of owner as DeleteUser deletes a person.
func (repo *Repository) DeleteBot(ctx context.Context, owner, bot string, now time.Time) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := bots.Own(ctx, t, owner, bot); err != nil {
			return err
		}
		return deleteUser(ctx, t, bot, now)
	})
}

// deleteUser deletes a user with their bots.
func deleteUser(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	if err := deleteBots(ctx, t, user, now); err != nil {
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
	if err := eraseUser(ctx, t, user, now); err != nil {
		return err
	}
	// One may have been made meanwhile. From here on none is: the account is locked, and disabled.
	return deleteBots(ctx, t, user, now)
}

func deleteBots(ctx context.Context, t *store.Tx, owner string, now time.Time) error {
	own, err := bots.Of(ctx, t, owner)
	if err != nil {
		return err
	}
	for _, bot := range own {
		if err := deleteUser(ctx, t, bot, now); err != nil {
			return err
		}
	}
	return nil
}

// eraseUser erases a user in every package that stores something about them.
func eraseUser(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	for _, part := range []func(context.Context, *store.Tx, string) error{rooms.EraseUser, messages.EraseUser,
		moderation.EraseUser, personal.EraseUser, usergroups.EraseUser, bots.Erase} {
		if err := part(ctx, t, user); err != nil {
			return err
		}
	}
	if err := alarms.EraseDevicesOf(ctx, t, user); err != nil {
		return err
	}
	if err := commands.EraseDevicesOf(ctx, t, user); err != nil {
		return err
	}
	if err := rollouts.EraseUser(ctx, t, user); err != nil {
		return err
	}
	if err := notifications.EraseUser(ctx, t, user); err != nil {
		return err
	}
	if err := files.EraseUser(ctx, t, user, now); err != nil {
		return err
	}
	if err := firmware.EraseUser(ctx, t, user, now); err != nil {
		return err
	}
	if err := devices.EraseUser(ctx, t, user, now); err != nil {
		return err
	}
	return accounts.Erase(ctx, t, user, now)
}
