package departure

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/hooks"
	"github.com/unhidra/unhidra/internal/store/notifications"
	"github.com/unhidra/unhidra/internal/store/personal"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// dropOwn removes the devices and bots of a former member from the room, and of who is banned the webhooks
// too; of others it switches the outgoing ones and the slash commands off. e is the event of the member's own
// departure.
func dropOwn(ctx context.Context, t *store.Tx, e domain.Event) error {
	own, err := rooms.OwnIn(ctx, t, e.Room, e.Subject.ID)
	if err != nil {
		return err
	}
	for _, d := range own {
		gone := domain.Event{Room: e.Room, Type: domain.MemberKicked, Actor: e.Actor, Subject: &d, At: e.At,
			Payload: domain.MemberKickedPayload{}}
		if e.Type == domain.MemberLeft {
			gone.Type, gone.Actor, gone.Payload = domain.MemberLeft, d, nil
		}
		if err := removeMembers(ctx, t, &gone); err != nil {
			return err
		}
	}
	if e.Type != domain.MemberBanned {
		return hooks.SwitchOffOf(ctx, t, e.Room, e.Subject.ID)
	}
	return dropHooks(ctx, t, e)
}

// dropHooks removes the webhooks that a banned user has made for the room: they know the addresses. The webhooks of
// those who leave or are kicked stay, because others rely on them.
func dropHooks(ctx context.Context, t *store.Tx, e domain.Event) error {
	made, err := hooks.MadeBy(ctx, t, e.Room, e.Subject.ID)
	if err != nil {
		return err
	}
	for _, h := range made {
		gone := domain.Event{Room: e.Room, Type: domain.MemberKicked, Actor: e.Actor, Subject: &h, At: e.At,
			Payload: domain.MemberKickedPayload{}}
		if err := removeMembers(ctx, t, &gone); err != nil {
			return err
		}
	}
	return nil
}

// removeMembers ends a membership and appends e to the log. It removes the member's devices and bots too,
// so that nobody reads on through them.
func removeMembers(ctx context.Context, t *store.Tx, e *domain.Event) error {
	if err := rooms.RemoveMember(ctx, t, e); err != nil {
		return err
	}
	if err := notifications.EraseMember(ctx, t, e.Subject.ID, e.Room); err != nil {
		return err
	}
	if err := personal.EraseMember(ctx, t, e.Subject.ID, e.Room); err != nil {
		return err
	}
	return dropOwn(ctx, t, *e)
}

// Leave ends the user's own membership. The owner must transfer the room first, unless nobody else
// is a member: then the room is archived.
func (repo *Repository) Leave(ctx context.Context, user, room string, now time.Time) (e domain.Event, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		e, err = leave(ctx, t, user, room, store.Trim(now))
		return err
	})
	return e, err
}

func leave(ctx context.Context, t *store.Tx, user, room string, now time.Time) (e domain.Event, err error) {
	r, m, err := rooms.LockAndAuthorize(ctx, t, room, user, domain.LeaveRoom, now)
	if err != nil {
		return e, err
	}
	own, err := rooms.OwnIn(ctx, t, room, user)
	if err != nil {
		return e, err
	}
	hooked, err := hooks.InRoom(ctx, t, room)
	if err != nil {
		return e, err
	}
	others := r.Members - 1 - len(own) - len(hooked)
	if m.Role == domain.Owner && others > 0 {
		return e, domain.Conflict.Errorf(domain.CodeLastOwner,
			"you own this room; transfer it to someone before you leave")
	}
	e = domain.Event{Room: room, Type: domain.MemberLeft, Actor: m.User, Subject: &m.User, At: now}
	if err := removeMembers(ctx, t, &e); err != nil || others > 0 {
		return e, err
	}
	if err := hooks.LeaveEmpty(ctx, t, e); err != nil {
		return e, err
	}
	return e, rooms.ArchiveEmpty(ctx, t, room)
}

// Kick ends the membership of another user.
func (repo *Repository) Kick(
	ctx context.Context, actor, room, user, reason string, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = rooms.Moderate(ctx, repo.db, actor, room, user, domain.KickMember, "", now,
		func(ctx context.Context, t *store.Tx, m, other domain.Member) error {
			e = domain.Event{Room: room, Type: domain.MemberKicked, Actor: m.User, Subject: &other.User, At: now,
				Payload: domain.MemberKickedPayload{Reason: reason}}
			return removeMembers(ctx, t, &e)
		})
	return e, err
}

// Ban bans user from room. If user is a member, it ends the membership, and the event has the role
// they had. It removes their devices and bots, and keeps their bots out.
func (repo *Repository) Ban(
	ctx context.Context, actor, room, user, reason string, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.BanMember, now)
		if err != nil {
			return err
		}
		other, err := rooms.MemberOf(ctx, t, room, user)
		if err != nil {
			return err
		}
		if err := domain.AllowOn(r, m, other, domain.BanMember, "", now); err != nil {
			return err
		}
		u, err := accounts.Ref(ctx, t, user)
		if err == nil && other.Role == domain.NonMember {
			err = rooms.AuthorizeAdd(ctx, t, m, u)
		}
		if err != nil {
			return err
		}
		if err := rooms.AddBan(ctx, t, room, u, actor, reason, now); err != nil {
			return err
		}
		e = domain.Event{Room: room, Type: domain.MemberBanned, Actor: m.User, Subject: &u, At: now,
			Payload: domain.MemberBannedPayload{Reason: reason, Role: other.Role}}
		if other.Role == domain.NonMember {
			// Somebody else may have added their bots.
			if err := roomlog.Append(ctx, t, &e, nil); err != nil {
				return err
			}
			return dropOwn(ctx, t, e)
		}
		return removeMembers(ctx, t, &e)
	})
	return e, err
}
