package departure

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/alarms"
	"github.com/unhidra/unhidra/internal/store/commands"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/store/mqtt"
	"github.com/unhidra/unhidra/internal/store/rollouts"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Transfer gives a device to another owner, with those that it speaks for: to, whom it is offered to, or, if it is not,
// because an administrator says so. It stays in rooms where the new owner may add people and devices, and leaves the
// others. Its open commands are cancelled, and what the former owner has said of it is forgotten. limit is how many
// devices the new owner may have; 0: no limit.
func (repo *Repository) Transfer(
	ctx context.Context, device, to string, offered bool, limit int, now time.Time,
) (h domain.Handover, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		h = domain.Handover{}
		if h.DeviceTransfer, err = devices.TransferOf(ctx, t, device, to, offered, now); err != nil {
			return err
		}
		// Rooms are locked before users and devices, as by whoever adds a device to a room.
		if _, err := staysIn(ctx, t, device, to, now); err != nil {
			return err
		}
		if h.Devices, err = devices.LockTransfer(ctx, t, h.DeviceTransfer, offered, limit, now); err != nil {
			return err
		}
		h.State = domain.TransferDone
		for _, id := range h.Devices {
			if err := handOver(ctx, t, id, &h, now); err != nil {
				return err
			}
		}
		return nil
	})
	return h, err
}

// staysIn locks the rooms of a device, and returns those in which it stays with a new owner.
func staysIn(ctx context.Context, t *store.Tx, device, to string, now time.Time) (stay []string, err error) {
	joined, err := rooms.RoomIDs(ctx, t, device)
	if err != nil {
		return nil, err
	}
	for _, id := range joined {
		room, err := rooms.ByID(ctx, t, id, t.ForUpdate())
		if err != nil {
			return nil, err
		}
		m, err := rooms.MemberOf(ctx, t, id, to)
		if err != nil {
			return nil, err
		}
		if domain.Allow(room, m, domain.InviteMember, now) == nil {
			stay = append(stay, id)
		}
	}
	return stay, nil
}

// handOver gives one device, which is locked, to its new owner.
func handOver(ctx context.Context, t *store.Tx, device string, h *domain.Handover, now time.Time) error {
	stay, err := staysIn(ctx, t, device, h.To.ID, now)
	if err != nil {
		return err
	}
	cancelled, err := commands.CancelOpen(ctx, t, device, h.From.ID, now)
	if err != nil {
		return err
	}
	h.Cancelled = append(h.Cancelled, cancelled...)
	if err := alarms.Handover(ctx, t, device, h.To.ID, stay, now); err != nil {
		return err
	}
	ref, err := accounts.Ref(ctx, t, device)
	if err != nil {
		return err
	}
	joined, err := rooms.RoomIDs(ctx, t, device)
	if err != nil {
		return err
	}
	for _, room := range joined {
		if slices.Contains(stay, room) {
			continue
		}
		e := domain.Event{Room: room, Type: domain.MemberLeft, Actor: ref, Subject: &ref, At: now}
		if err := removeMembers(ctx, t, &e); err != nil {
			return err
		}
		h.Left = append(h.Left, room)
	}
	if err := rollouts.Handover(ctx, t, device, now); err != nil {
		return err
	}
	if err := mqtt.Leave(ctx, t, device); err != nil {
		return err
	}
	return devices.ChangeOwner(ctx, t, device, h.To.ID, now)
}
