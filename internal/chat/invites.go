package chat

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) inviteRoutes(api huma.API) {
	const tag = "invitations"
	httpx.Register(api, op("list-invites", "GET", "/rooms/{room}/invites", tag, "The links into a room"), s.listInvites)
	httpx.Register(api, status(op("create-invite", "POST", "/rooms/{room}/invites", tag, "Make a link into a room"), 201),
		s.postInvite)
	httpx.Register(api, status(op("revoke-invite", "DELETE", "/rooms/{room}/invites/{invite}", tag, "Make a link useless"),
		204), s.deleteInvite)
	httpx.Register(api, op("get-invite", "GET", "/invites/{code}", tag, "Where a link leads"), s.getInvite)
	httpx.Register(api, op("accept-invite", "POST", "/invites/{code}/accept", tag, "Join by a link"), s.acceptInvite)
}

type inviteList struct {
	Items []wire.Invite `json:"items" nullable:"false"`
}

func (s *Service) listInvites(ctx context.Context, in *InRoom) (*body[inviteList], error) {
	if _, _, err := s.authorize(ctx, httpx.Principal(ctx), in.Room, domain.ManageInvites); err != nil {
		return nil, err
	}
	invites, err := s.Store.Invites(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	out := &body[inviteList]{inviteList{[]wire.Invite{}}}
	for _, i := range invites {
		out.Body.Items = append(out.Body.Items, wire.FromInvite(i))
	}
	return out, nil
}

type newInviteInput struct {
	InRoom
	Body struct {
		ExpiresIn int `json:"expires_in,omitempty" minimum:"0" maximum:"31536000" doc:"seconds; absent: never"`
		MaxUses   int `json:"max_uses,omitempty" minimum:"0" maximum:"100000" doc:"absent: no limit"`
	}
}

func (s *Service) postInvite(ctx context.Context, in *newInviteInput) (*body[wire.Invite], error) {
	p := httpx.Principal(ctx)
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	now := s.Now()
	i := domain.Invite{
		ID: domain.NewID(domain.InvitePrefix), Room: in.Room, Code: newCode(), CreatedBy: p.ID, CreatedAt: now,
		MaxUses: in.Body.MaxUses,
	}
	if in.Body.ExpiresIn > 0 {
		i.Expires = now.Add(time.Duration(in.Body.ExpiresIn) * time.Second)
	}
	err := s.Store.CreateInvite(ctx, p.ID, i, hashCode(i.Code), now)
	return answer(i, err, wire.FromInvite)
}

func (s *Service) deleteInvite(ctx context.Context, in *struct {
	InRoom
	Invite string `path:"invite" maxLength:"64"`
}) (*struct{}, error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	return nil, s.Store.RevokeInvite(ctx, httpx.Principal(ctx).ID, in.Room, in.Invite, s.Now())
}

type byCode struct {
	Code string `path:"code" maxLength:"64" doc:"the secret part of the link"`
}

// preview is what a link shows about its room before joining.
type preview struct {
	Room    previewRoom `json:"room"`
	Expires *time.Time  `json:"expires,omitempty"`
	Member  bool        `json:"member" doc:"you are in the room already"`
}

type previewRoom struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Topic   string `json:"topic,omitempty"`
	Kind    string `json:"kind"`
	Members int    `json:"members"`

	Look *wire.RoomLook `json:"look,omitempty"`
}

func (s *Service) getInvite(ctx context.Context, in *byCode) (*body[preview], error) {
	i, r, err := s.Store.InviteByHash(ctx, httpx.Principal(ctx).ID, hashCode(in.Code), s.Now())
	if err != nil {
		return nil, err
	}
	_, m, err := s.Store.RoomAndMember(ctx, r.ID, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	return &body[preview]{preview{
		Room: previewRoom{ID: r.ID, Name: r.Name, Topic: r.Topic, Kind: string(r.Kind), Members: r.Members,
			Look: wire.FromRoomLook(r.Look)},
		Expires: wire.FromInvite(i).Expires, Member: m.Role != domain.NonMember,
	}}, nil
}

func (s *Service) acceptInvite(ctx context.Context, in *byCode) (*body[wire.RoomState], error) {
	p := httpx.Principal(ctx)
	room, err := s.Store.JoinByInvite(ctx, p.ID, hashCode(in.Code), s.Now())
	if err != nil {
		return nil, err
	}
	st, err := s.Store.RoomState(ctx, p.ID, room)
	return answer(st, err, wire.FromRoomState)
}
