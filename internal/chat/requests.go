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

// Requests stores requests to join rooms.
type Requests interface {
	RoomRequests(ctx context.Context, user, room string) ([]domain.RoomRequest, error)
	AcceptRequest(ctx context.Context, user, room string, now time.Time) error
	DeclineRequest(ctx context.Context, user, room string, alsoBlock bool) (blocked string, err error)
	BlockedUsers(ctx context.Context, user string) ([]domain.UserRef, error)
	Block(ctx context.Context, user, other string) (changed bool, err error)
	Unblock(ctx context.Context, user, other string) (changed bool, err error)
	RequestPolicy(ctx context.Context, user string) (domain.RequestPolicy, error)
	SetRequestPolicy(ctx context.Context, user string, a domain.RequestPolicy) error
}

func (s *Service) requestRoutes(api huma.API) {
	const tag = "requests"
	httpx.Register(api, op("list-requests", "GET", "/requests", tag,
		"Rooms that strangers want you in, and who must ask you"), s.listRequests)
	httpx.Register(api, op("accept-request", "POST", "/requests/{room}/accept", tag, "Be in the room"), s.acceptRequest)
	httpx.Register(api, status(op("decline-request", "POST", "/requests/{room}/decline", tag,
		"Do not; who asked is not told"), http.StatusNoContent), s.declineRequest)
	httpx.Register(api, status(op("set-requests", "PUT", "/me/requests", tag, "Choose who must ask you"),
		http.StatusNoContent), s.putAskedBy)
	httpx.Register(api, op("list-blocked", "GET", "/me/blocked", tag, "Those whom you have blocked, by username"),
		s.listBlocked)
	httpx.Register(api, status(op("block", "PUT", "/me/blocked/{user}", tag,
		"Hear of somebody no longer, who is not told; repeating it changes nothing"), http.StatusNoContent), s.putBlocked)
	httpx.Register(api, status(op("unblock", "DELETE", "/me/blocked/{user}", tag,
		"Hear of somebody again; repeating it changes nothing"), http.StatusNoContent), s.deleteBlocked)
}

type requestList struct {
	Items   []wire.RoomRequest `json:"items" nullable:"false"`
	AskedBy string             `json:"asked_by" enum:"nobody,strangers,everyone" doc:"who must ask before you are in a room: those who are in no room with you, or everyone"`
}

func (s *Service) listRequests(ctx context.Context, _ *struct{}) (*body[requestList], error) {
	p := httpx.Principal(ctx)
	found, err := s.Store.RoomRequests(ctx, p.ID, "")
	if err != nil {
		return nil, err
	}
	asking, err := s.Store.RequestPolicy(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := &body[requestList]{requestList{[]wire.RoomRequest{}, string(asking)}}
	for _, q := range found {
		out.Body.Items = append(out.Body.Items, wire.FromRoomRequest(q))
	}
	return out, nil
}

func (s *Service) acceptRequest(ctx context.Context, in *InRoom) (*body[wire.RoomState], error) {
	p := httpx.Principal(ctx)
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	if err := s.Store.AcceptRequest(ctx, p.ID, in.Room, s.Now()); err != nil {
		return nil, err
	}
	s.publishToUser(ctx, p.ID, wire.TypeAnswered, wire.InRoom{Room: in.Room})
	st, err := s.Store.RoomState(ctx, p.ID, in.Room)
	return answer(st, err, wire.FromRoomState)
}

func (s *Service) declineRequest(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Block bool `json:"block,omitempty" doc:"block who asked, too"`
	}
}) (*struct{}, error) {
	p := httpx.Principal(ctx)
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	blocked, err := s.Store.DeclineRequest(ctx, p.ID, in.Room, in.Body.Block)
	if err != nil {
		return nil, err
	}
	if blocked != "" {
		s.publishToUser(ctx, p.ID, wire.TypeBlocked, wire.Blocking{User: blocked, Blocked: true})
	}
	s.publishToUser(ctx, p.ID, wire.TypeAnswered, wire.InRoom{Room: in.Room})
	return nil, nil
}

func (s *Service) putAskedBy(ctx context.Context, in *struct {
	Body struct {
		AskedBy string `json:"asked_by" enum:"nobody,strangers,everyone"`
	}
}) (*struct{}, error) {
	return nil, s.Store.SetRequestPolicy(ctx, httpx.Principal(ctx).ID, domain.RequestPolicy(in.Body.AskedBy))
}

type userList struct {
	Items []wire.User `json:"items" nullable:"false"`
}

func (s *Service) listBlocked(ctx context.Context, _ *struct{}) (*body[userList], error) {
	found, err := s.Store.BlockedUsers(ctx, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	out := &body[userList]{userList{[]wire.User{}}}
	for _, u := range found {
		out.Body.Items = append(out.Body.Items, wire.FromUser(u))
	}
	return out, nil
}

// aUser names a user.
type aUser struct {
	User string `path:"user" maxLength:"64" doc:"id or username"`
}

func (s *Service) putBlocked(ctx context.Context, in *aUser) (*struct{}, error) {
	return nil, s.setBlocked(ctx, in.User, true, s.Store.Block)
}

func (s *Service) deleteBlocked(ctx context.Context, in *aUser) (*struct{}, error) {
	return nil, s.setBlocked(ctx, in.User, false, s.Store.Unblock)
}

// setBlocked has set block somebody or not any longer, and tells all devices of the user.
func (s *Service) setBlocked(
	ctx context.Context, name string, to bool, set func(ctx context.Context, user, other string) (bool, error),
) error {
	p := httpx.Principal(ctx)
	other, err := s.userID(ctx, name)
	if err != nil {
		return err
	}
	changed, err := set(ctx, p.ID, other)
	if changed && err == nil {
		s.publishToUser(ctx, p.ID, wire.TypeBlocked, wire.Blocking{User: other, Blocked: to})
	}
	return err
}

// publishRequest notifies those of users who have a request for room, except those who have blocked
// its sender.
func (s *Service) publishRequest(ctx context.Context, room string, users ...string) {
	for _, user := range users {
		found, err := s.Store.RoomRequests(ctx, user, room)
		if err != nil {
			s.Log.WarnContext(ctx, "tell somebody of a request", "room", room, "user", user, "err", err)
		}
		for _, q := range found {
			s.publishToUser(ctx, user, wire.TypeRequested, wire.FromRoomRequest(q))
		}
	}
}
