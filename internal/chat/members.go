package chat

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) memberRoutes(api huma.API) {
	const tag = "members"
	httpx.Register(api, op("list-members", "GET", "/rooms/{room}/members", tag, "Who is in a room, by username"),
		s.listMembers)
	add := status(op("add-member", "POST", "/rooms/{room}/members", tag, "Bring somebody in, or have them asked"), 201)
	add.Responses = map[string]*huma.Response{"202": {Description: "They are asked first: the event is a member.asked, " +
		"which is in no log and has no number."}}
	httpx.Register(api, add, s.postMember)
	httpx.Register(api, op("update-member", "PATCH", "/rooms/{room}/members/{user}", tag, "Give a role, mute or unmute"),
		s.patchMember)
	httpx.Register(api, status(op("remove-member", "DELETE", "/rooms/{room}/members/{user}", tag, "Remove somebody"), 204),
		s.deleteMember)
	httpx.Register(api, op("list-bans", "GET", "/rooms/{room}/bans", tag, "Who is banned"), s.listBans)
	httpx.Register(api, op("ban", "PUT", "/rooms/{room}/bans/{user}", tag, "Keep somebody out"), s.putBan)
	httpx.Register(api, status(op("unban", "DELETE", "/rooms/{room}/bans/{user}", tag, "Let somebody back in"), 204),
		s.deleteBan)
}

// InRoomUser is the input of operations on a user in a room.
type InRoomUser struct {
	InRoom
	User string `path:"user" maxLength:"64" doc:"id or username"`
}

// checkedUserID checks the room's id and returns the id of the user.
func (s *Service) checkedUserID(ctx context.Context, in InRoomUser) (string, error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return "", err
	}
	return s.userID(ctx, in.User)
}

func (s *Service) listMembers(ctx context.Context, in *struct {
	InRoom
	Paged
}) (*body[httpx.Page[wire.Member]], error) {
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.authorize(ctx, httpx.Principal(ctx), in.Room, domain.ReadRoom); err != nil {
		return nil, err
	}
	members, err := s.Store.Members(ctx, in.Room, in.Q, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &body[httpx.Page[wire.Member]]{httpx.PageOf(members, in.Limit,
		func(m domain.Member) string { return m.User.Username }, wire.FromMember)}, nil
}

type addedOutput struct {
	Status int
	Body   wire.Event
}

func (s *Service) postMember(ctx context.Context, in *whoInput) (*addedOutput, error) {
	p := httpx.Principal(ctx)
	user, err := s.checkedUserID(ctx, InRoomUser{in.InRoom, in.Body.User})
	if err != nil {
		return nil, err
	}
	e, err := s.Store.AddMember(ctx, p.ID, in.Room, user, s.Now())
	if err != nil {
		return nil, err
	}
	out := &addedOutput{http.StatusCreated, wire.FromEvent(e)}
	if e.Type == domain.MemberAsked {
		out.Status = http.StatusAccepted
		s.publishRequest(ctx, in.Room, user)
	}
	return out, nil
}

type memberChangeInput struct {
	InRoomUser
	Body struct {
		Role       *string    `json:"role,omitempty" enum:"admin,moderator,member"`
		MutedUntil *time.Time `json:"muted_until,omitempty" doc:"a time that is past ends a mute"`
	}
}

func (s *Service) patchMember(ctx context.Context, in *memberChangeInput) (*body[wire.Event], error) {
	p := httpx.Principal(ctx)
	user, err := s.checkedUserID(ctx, in.InRoomUser)
	if err != nil {
		return nil, err
	}
	switch b := in.Body; {
	case b.Role != nil && b.MutedUntil != nil, b.Role == nil && b.MutedUntil == nil:
		return nil, domain.Invalid.Errorf(domain.CodeOneChange, "send either role or muted_until")
	case b.Role != nil:
		e, err := s.Store.SetRole(ctx, p.ID, in.Room, user, domain.RoomRole(*b.Role), s.Now())
		return answer(e, err, wire.FromEvent)
	default:
		until, now := timeOrZero(b.MutedUntil), s.Now()
		if !until.After(now) {
			until = time.Time{}
		}
		if err := domain.CheckEnd("/muted_until", until, now); err != nil {
			return nil, err
		}
		e, err := s.Store.Mute(ctx, p.ID, in.Room, user, until, now)
		return answer(e, err, wire.FromEvent)
	}
}

func (s *Service) deleteMember(ctx context.Context, in *struct {
	InRoomUser
	Reason string `query:"reason" maxLength:"800"`
}) (*struct{}, error) {
	user, err := s.checkedUserID(ctx, in.InRoomUser)
	if err != nil {
		return nil, err
	}
	reason, err := domain.CheckLine("/reason", in.Reason, domain.MaxReason, false)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Kick(ctx, httpx.Principal(ctx).ID, in.Room, user, reason, s.Now())
	return nil, err
}

func (s *Service) listBans(ctx context.Context, in *struct {
	InRoom
	Paged
}) (*body[httpx.Page[wire.Ban]], error) {
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, _, err := s.authorize(ctx, httpx.Principal(ctx), in.Room, domain.BanMember); err != nil {
		return nil, err
	}
	bans, err := s.Store.Bans(ctx, in.Room, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &body[httpx.Page[wire.Ban]]{httpx.PageOf(bans, in.Limit, func(b domain.Ban) string { return b.User.Username },
		wire.FromBan)}, nil
}

func (s *Service) putBan(ctx context.Context, in *struct {
	InRoomUser
	Body struct {
		Reason string `json:"reason,omitempty"`
	}
}) (*body[wire.Event], error) {
	user, err := s.checkedUserID(ctx, in.InRoomUser)
	if err != nil {
		return nil, err
	}
	reason, err := domain.CheckLine("/reason", in.Body.Reason, domain.MaxReason, false)
	if err != nil {
		return nil, err
	}
	e, err := s.Store.Ban(ctx, httpx.Principal(ctx).ID, in.Room, user, reason, s.Now())
	return answer(e, err, wire.FromEvent)
}

func (s *Service) deleteBan(ctx context.Context, in *InRoomUser) (*struct{}, error) {
	user, err := s.checkedUserID(ctx, *in)
	if err != nil {
		return nil, err
	}
	_, err = s.Store.Unban(ctx, httpx.Principal(ctx).ID, in.Room, user, s.Now())
	return nil, err
}
