package chat

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	s.roomRoutes(api)
	s.lookRoutes(api)
	s.memberRoutes(api)
	s.inviteRoutes(api)
	s.requestRoutes(api)
	s.messageRoutes(api)
	s.reactionRoutes(api)
	s.pinRoutes(api)
	s.pollRoutes(api)
	s.forwardRoutes(api)
	s.threadRoutes(api)
}

func op(id, method, path, tag, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary,
		Security: httpx.Bearer}
}

func status(o huma.Operation, code int) huma.Operation {
	o.DefaultStatus = code
	return o
}

// InRoom is the input of operations on a room. It is exported because the decoder sets only
// exported fields.
type InRoom struct {
	Room string `path:"room" maxLength:"64" doc:"room id"`
}

// Paged is the input of lists.
type Paged struct {
	Q      string `query:"q" maxLength:"64" doc:"part of a name"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type body[T any] struct{ Body T }

func answer[D, V any](v D, err error, view func(D) V) (*body[V], error) {
	if err != nil {
		return nil, err
	}
	return &body[V]{view(v)}, nil
}

func (s *Service) roomRoutes(api huma.API) {
	const tag = "rooms"
	httpx.Register(api, op("list-rooms", "GET", "/rooms", tag, "The rooms that you are in"), s.listRooms)
	httpx.Register(api, status(op("create-room", "POST", "/rooms", tag, "Make a room"), 201), s.postRoom)
	httpx.Register(api, op("list-public-rooms", "GET", "/rooms/public", tag, "Rooms that anyone may join"), s.listPublic)
	httpx.Register(api, op("open-direct", "POST", "/direct", tag, "Open a direct conversation, or find the one there is"),
		s.postDirect)
	httpx.Register(api, op("list-shared-rooms", "GET", "/users/{user}/rooms", tag,
		"Which of your rooms somebody is in, too; without direct conversations"), s.listShared)
	httpx.Register(api, op("get-room", "GET", "/rooms/{room}", tag,
		"One room; of a public one that you are not in, what the directory tells"), s.getRoom)
	httpx.Register(api, op("update-room", "PATCH", "/rooms/{room}", tag,
		"Rename, retitle, open, close or archive a room, or change its look"), s.patchRoom)
	httpx.Register(api, status(op("delete-room", "DELETE", "/rooms/{room}", tag,
		"Delete a room with all that was said in it"), 204), s.deleteRoom)
	httpx.Register(api, op("join-room", "POST", "/rooms/{room}/join", tag, "Join a public room"), s.postJoin)
	httpx.Register(api, status(op("leave-room", "POST", "/rooms/{room}/leave", tag, "Leave a room"), 204), s.postLeave)
	httpx.Register(api, op("hand-over-room", "POST", "/rooms/{room}/owner", tag, "Make somebody else the owner"),
		s.postOwner)
}

type roomList struct {
	Items []wire.RoomState `json:"items" nullable:"false"`
}

func (s *Service) listRooms(ctx context.Context, _ *struct{}) (*body[roomList], error) {
	states, err := s.Store.RoomStates(ctx, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	out := &body[roomList]{roomList{[]wire.RoomState{}}}
	for _, st := range states {
		out.Body.Items = append(out.Body.Items, wire.FromRoomState(st))
	}
	return out, nil
}

type sharedRooms struct {
	Items []string `json:"items" nullable:"false" doc:"ids; those of the latest messages first"`
}

func (s *Service) listShared(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id; of somebody who is not there, you share no room"`
}) (*body[sharedRooms], error) {
	ids, err := s.Store.SharedRooms(ctx, httpx.Principal(ctx).ID, in.User)
	if err != nil {
		return nil, err
	}
	return &body[sharedRooms]{sharedRooms{append([]string{}, ids...)}}, nil
}

type newRoomInput struct {
	Body struct {
		Kind    string   `json:"kind" enum:"public,private"`
		Name    string   `json:"name" example:"Workshop"`
		Topic   string   `json:"topic,omitempty"`
		Members []string `json:"members,omitempty" maxItems:"100" doc:"user ids, besides yourself"`
	}
}

func (s *Service) postRoom(ctx context.Context, in *newRoomInput) (*body[wire.RoomState], error) {
	n := domain.NewRoom{Kind: domain.RoomKind(in.Body.Kind), Name: in.Body.Name, Topic: in.Body.Topic,
		Members: in.Body.Members}
	st, err := s.CreateRoom(ctx, httpx.Principal(ctx), n)
	return answer(st, err, wire.FromRoomState)
}

func (s *Service) postDirect(ctx context.Context, in *struct {
	Body struct {
		Users []string `json:"users" minItems:"1" maxItems:"9" doc:"user ids, besides yourself"`
	}
}) (*body[wire.RoomState], error) {
	p := httpx.Principal(ctx)
	n := domain.NewRoom{Kind: domain.DirectRoom}
	for _, id := range in.Body.Users {
		if id != p.ID {
			n.Members = append(n.Members, id)
		}
	}
	st, err := s.CreateRoom(ctx, p, n)
	return answer(st, err, wire.FromRoomState)
}

// publicRoom is a room in the directory.
type publicRoom struct {
	wire.Room
	Joined bool          `json:"joined" doc:"you are in it"`
	Last   *wire.Message `json:"last,omitempty" doc:"its latest message, as anyone may read who joins; long ones are cut"`
}

func (s *Service) listPublic(ctx context.Context, in *Paged) (*body[httpx.Page[publicRoom]], error) {
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	rooms, joined, err := s.Store.PublicRooms(ctx, httpx.Principal(ctx).ID, strings.TrimSpace(in.Q), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rooms))
	for i, r := range rooms {
		ids[i] = r.ID
	}
	last, err := s.Store.LastMessages(ctx, httpx.Principal(ctx).ID, ids)
	if err != nil {
		return nil, err
	}
	return &body[httpx.Page[publicRoom]]{httpx.PageOf(rooms, in.Limit, func(r domain.Room) string { return r.ID },
		func(r domain.Room) publicRoom {
			v := publicRoom{Room: wire.FromRoom(r), Joined: joined[r.ID]}
			if m, ok := last[r.ID]; ok {
				words := wire.FromMessage(m)
				v.Last = &words
			}
			return v
		})}, nil
}

func (s *Service) getRoom(ctx context.Context, in *InRoom) (*body[wire.RoomState], error) {
	p := httpx.Principal(ctx)
	r, _, err := s.authorize(ctx, p, in.Room, domain.ReadRoom)
	if domain.CodeOf(err) == domain.CodeNotAMember {
		return answer(domain.RoomState{Room: r}, nil, wire.FromRoomState) // what the directory shows
	}
	if err != nil {
		return nil, err
	}
	st, err := s.Store.RoomState(ctx, p.ID, in.Room)
	return answer(st, err, wire.FromRoomState)
}

type roomChangeInput struct {
	InRoom
	Body struct {
		Name     *string `json:"name,omitempty"`
		Topic    *string `json:"topic,omitempty"`
		Kind     *string `json:"kind,omitempty" enum:"public,private"`
		Archived *bool   `json:"archived,omitempty"`
		Previews *bool   `json:"previews,omitempty" doc:"whether pages that messages link to are shown with a preview"`

		Hides *bool `json:"hides_history,omitempty" doc:"whether those who join from now on do not see what was written before; for private rooms"`

		Screening *wire.Screening `json:"screening,omitempty" doc:"from which scores on the server flags messages for moderators; not in direct conversations"`

		Look *lookInput `json:"look,omitempty" doc:"by what the room is told from others; not of direct conversations"`

		Retention *wire.KeepOf `json:"retention,omitempty" doc:"how long messages are kept; for the owner, within the server's rules"`
	}
}

// lookInput is a change of a look; its picture is sent to /rooms/{room}/avatar.
type lookInput struct {
	Colour *string `json:"colour,omitempty" enum:"red,orange,amber,green,teal,cyan,blue,violet,pink,grey," doc:"empty: one by the room's id"`
	Emoji  *string `json:"emoji,omitempty" maxLength:"64" doc:"it takes the picture away; empty: none"`
}

func (s *Service) patchRoom(ctx context.Context, in *roomChangeInput) (*body[wire.Event], error) {
	p := httpx.Principal(ctx)
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	c := domain.RoomChange{Name: in.Body.Name, Topic: in.Body.Topic, Archived: in.Body.Archived,
		Previews: in.Body.Previews, Hides: in.Body.Hides, Screening: (*domain.Screening)(in.Body.Screening)}
	if k := in.Body.Retention; k != nil {
		c.Keep = &domain.RoomRetention{Own: !k.Server, Retention: domain.Retention(k.Keep)}
		if k.Server {
			c.Keep.Retention = domain.Retention{}
		}
	}
	if l := in.Body.Look; l != nil && *l != (lookInput{}) {
		look, err := domain.CheckLook(domain.LookChange{Colour: l.Colour, Emoji: l.Emoji})
		if err != nil {
			return nil, err
		}
		c.Look = &look
	}
	if c == (domain.RoomChange{}) && in.Body.Kind == nil {
		return nil, domain.Invalid.Errorf(domain.CodeNothingToChange,
			"say what to change: name, topic, kind, archived, previews, hides_history, screening, look or retention")
	}
	if p.Kind == domain.KindBot && (c != (domain.RoomChange{Topic: c.Topic}) || in.Body.Kind != nil) {
		return nil, domain.Forbidden.Errorf(domain.CodeBotScope, "of a room, a bot changes the topic alone")
	}
	var err error
	if c.Name != nil {
		if c.Name, err = s.checkName(ctx, p.ID, in.Room, *c.Name); err != nil {
			return nil, err
		}
	}
	if c.Topic != nil {
		if *c.Topic, err = domain.CheckProse("/topic", *c.Topic, domain.MaxTopic); err != nil {
			return nil, err
		}
	}
	if c.Previews != nil && *c.Previews && !s.Previews {
		return nil, domain.Conflict.Errorf(domain.CodePreviewsOff,
			"this server shows no previews of links; its operator can switch them on with UNHIDRA_LINK_PREVIEWS")
	}
	if c.Screening != nil {
		if err := c.Screening.Check(); err != nil {
			return nil, err
		}
		if *c.Screening != (domain.Screening{}) {
			if err := s.OnScreening(ctx); err != nil {
				return nil, err
			}
		}
	}
	if in.Body.Kind != nil {
		kind := domain.RoomKind(*in.Body.Kind)
		c.Kind = &kind
	}
	if c.Keep != nil {
		rules, err := s.Retention(ctx)
		if err != nil {
			return nil, err
		}
		if err := rules.Check(*c.Keep); err != nil {
			return nil, err
		}
	}
	e, err := s.Store.UpdateRoom(ctx, p.ID, in.Room, c, s.Now())
	if err == nil {
		s.recordChange(ctx, p, in.Room, c)
	}
	return answer(e, err, wire.FromEvent)
}

// checkName returns a room's new name in its stored form. A name that the room has already is not
// checked.
func (s *Service) checkName(ctx context.Context, user, room, name string) (*string, error) {
	kept, err := names.Check("/name", name, domain.MaxRoomName, true)
	if err != nil {
		if r, _, failed := s.Store.RoomAndMember(ctx, room, user); failed == nil && r.Name == name {
			return &name, nil
		}
	}
	return &kept, err
}

// recordChange records in the audit log what a room chose that affects more than itself: how long it keeps what others
// wrote, what new members see of it, whether the server loads pages for it, and how it looks beside others.
func (s *Service) recordChange(ctx context.Context, p domain.Principal, room string, c domain.RoomChange) {
	if s.Audit == nil {
		return
	}
	record := func(kind domain.AuditType, details map[string]string) {
		s.Audit.Record(ctx, domain.AuditEvent{
			Type: kind, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
			Target:  domain.AuditTarget{Kind: "room", ID: room},
			Session: p.SessionID, Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
			Details: details,
		})
	}
	if k := c.Keep; k != nil {
		record(domain.AuditRoomRetention, map[string]string{"own": strconv.FormatBool(k.Own), "days": strconv.Itoa(k.Days),
			"lines": strconv.Itoa(k.Lines)})
	}
	if c.Hides != nil {
		record(domain.AuditRoomHistory, map[string]string{"hidden": strconv.FormatBool(*c.Hides)})
	}
	if c.Previews != nil {
		record(domain.AuditRoomPreviews, map[string]string{"on": strconv.FormatBool(*c.Previews)})
	}
	if c.Screening != nil {
		record(domain.AuditRoomScreening, map[string]string{"rough_language": strconv.Itoa(c.Screening.Rough),
			"spam": strconv.Itoa(c.Screening.Spam)})
	}
	if c.Look != nil {
		record(domain.AuditRoomLook, lookDetails(*c.Look))
	}
}

func (s *Service) deleteRoom(ctx context.Context, in *InRoom) (*struct{}, error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	members, err := s.Store.DeleteRoom(ctx, httpx.Principal(ctx).ID, in.Room, s.Now())
	if err != nil {
		return nil, err
	}
	s.publishDeleted(ctx, members, in.Room)
	return nil, nil
}

func (s *Service) publishDeleted(ctx context.Context, members []string, room string) {
	if s.OnRoomDeleted != nil {
		s.OnRoomDeleted()
	}
	for _, m := range members {
		s.publishToUser(ctx, m, wire.TypeRoomLeft, wire.Left{Room: room, Reason: "deleted"})
	}
}

// RemoveRoom deletes a room for an administrator, who need not be a member, and notifies its
// members.
func (s *Service) RemoveRoom(ctx context.Context, room string) error {
	members, err := s.Store.RemoveRoom(ctx, room)
	if err != nil {
		return err
	}
	s.publishDeleted(ctx, members, room)
	return nil
}

func (s *Service) postJoin(ctx context.Context, in *InRoom) (*body[wire.RoomState], error) {
	p := httpx.Principal(ctx)
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	if _, err := s.Store.Join(ctx, p.ID, in.Room, s.Now()); err != nil &&
		domain.CodeOf(err) != domain.CodeAlreadyMember {
		return nil, err
	}
	st, err := s.Store.RoomState(ctx, p.ID, in.Room)
	return answer(st, err, wire.FromRoomState)
}

func (s *Service) postLeave(ctx context.Context, in *InRoom) (*struct{}, error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	_, err := s.Store.Leave(ctx, httpx.Principal(ctx).ID, in.Room, s.Now())
	return nil, err
}

type whoInput struct {
	InRoom
	Body struct {
		User string `json:"user" doc:"id or username"`
	}
}

func (s *Service) postOwner(ctx context.Context, in *whoInput) (*body[wire.RoomState], error) {
	p := httpx.Principal(ctx)
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	user, err := s.userID(ctx, in.Body.User)
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.TransferOwnership(ctx, p.ID, in.Room, user, s.Now()); err != nil {
		return nil, err
	}
	st, err := s.Store.RoomState(ctx, p.ID, in.Room)
	return answer(st, err, wire.FromRoomState)
}

// userID returns the id of a user by id or username.
func (s *Service) userID(ctx context.Context, name string) (string, error) {
	if domain.ValidID(domain.UserPrefix, name) {
		return name, nil
	}
	u, err := s.Store.UserByUsername(ctx, strings.TrimPrefix(name, "@"))
	return u.ID, err
}

func timeOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
