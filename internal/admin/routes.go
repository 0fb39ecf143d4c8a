package admin

import (
	"context"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/admin" + path, Tags: []string{"admin"},
			Security: httpx.Bearer, Summary: summary}
	}
	gone := func(o huma.Operation) huma.Operation {
		o.DefaultStatus = 204
		return o
	}
	httpx.Register(api, op("admin-list-users", "GET", "/users", "Accounts, by name or e-mail address"), s.listUsers)
	httpx.Register(api, op("admin-get-user", "GET", "/users/{user}", "One account, with its sessions and second factors"),
		s.getUser)
	httpx.Register(api, op("admin-update-user", "PATCH", "/users/{user}",
		"Change a role, make somebody a guest for a time, or keep somebody out"), s.patchUser)
	httpx.Register(api, gone(op("admin-delete-user", "DELETE", "/users/{user}",
		"Delete an account; what it said stays, under no name")), s.deleteUser)
	httpx.Register(api, gone(op("admin-end-sessions", "DELETE", "/users/{user}/sessions", "Sign somebody out everywhere")),
		s.deleteSessions)
	httpx.Register(api, gone(op("admin-end-session", "DELETE", "/users/{user}/sessions/{session}",
		"Sign somebody out of one browser or program")), s.deleteSession)
	httpx.Register(api, gone(op("admin-reset-factors", "DELETE", "/users/{user}/factors",
		"Take somebody's second factors away")), s.deleteFactors)
	httpx.Register(api, op("admin-reset-password", "POST", "/users/{user}/password",
		"Sign somebody out, void their password and have them choose another"), s.postPassword)
	httpx.Register(api, op("admin-list-invites", "GET", "/invites", "Invitations to the server that are still good"),
		s.listInvites)
	httpx.Register(api, op("admin-create-invite", "POST", "/invites", "Invite somebody to the server"), s.postInvite)
	httpx.Register(api, gone(op("admin-delete-invite", "DELETE", "/invites/{invite}", "End an invitation to the server")),
		s.deleteInvite)
	httpx.Register(api, op("admin-list-rooms", "GET", "/rooms", "Rooms, without direct conversations"), s.listRooms)
	httpx.Register(api, gone(op("admin-update-room", "PATCH", "/rooms/{room}", "Archive a room, or reopen it")),
		s.patchRoom)
	httpx.Register(api, gone(op("admin-delete-room", "DELETE", "/rooms/{room}",
		"Delete a room with all that was said in it")), s.deleteRoom)
	httpx.Register(api, gone(op("admin-hold-room", "PUT", "/rooms/{room}/hold",
		"Put a legal hold on a room, or end it: nothing of the room goes, and what is deleted is kept for the record")),
		s.putHold)
	httpx.Register(api, op("admin-get-room-use", "GET", "/rooms/{room}/use", "How much of a room is kept"), s.getRoomUse)
	httpx.Register(api, op("admin-get-health", "GET", "/health", "How the server stands"), s.getHealth)
	httpx.Register(api, op("admin-get-settings", "GET", "/settings", "What can be changed while the server runs"),
		s.getSettings)
	httpx.Register(api, op("admin-set-settings", "PATCH", "/settings", "Change it; every server follows within seconds"),
		s.patchSettings)
}

func by(ctx context.Context) By {
	return By{httpx.Principal(ctx), httpx.ClientAddr(ctx), httpx.UserAgent(ctx), httpx.RequestID(ctx)}
}

// Account is a user as administrators see them.
type Account struct {
	wire.Profile
	Email    string     `json:"email,omitempty"`
	Role     string     `json:"role" enum:"user,admin,guest"`
	Disabled bool       `json:"disabled"`
	Until    *time.Time `json:"guest_until,omitempty" doc:"of a guest: when the access ends, or has ended"`
	Pending  bool       `json:"pending" doc:"the e-mail address is not proven yet"`
	Seen     *time.Time `json:"last_seen_at,omitempty"`
}

func view(u domain.User) Account {
	a := Account{Profile: wire.FromProfile(u), Email: u.Email, Role: string(u.Role), Disabled: u.Disabled,
		Pending: u.Pending}
	if !u.LastSeenAt.IsZero() {
		a.Seen = &u.LastSeenAt
	}
	if !u.GuestUntil.IsZero() {
		a.Until = &u.GuestUntil
	}
	return a
}

type accountOutput struct{ Body Account }

func (s *Service) listUsers(ctx context.Context, in *struct {
	Q      string `query:"q" maxLength:"64" doc:"beginning of a name or of an e-mail address"`
	Role   string `query:"role" enum:"user,admin,guest," doc:"only those who have this one"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body httpx.Page[Account] }, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	users, err := s.Store.Accounts(ctx, in.Q, domain.SystemRole(in.Role), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[Account] }{httpx.PageOf(users, in.Limit,
		func(u domain.User) string { return u.Username }, view)}, nil
}

type signIn struct {
	ID      string    `json:"id"`
	Device  string    `json:"device" doc:"browser and system, as far as they say" example:"Firefox on Linux"`
	IP      string    `json:"ip"`
	Created time.Time `json:"created_at"`
	Seen    time.Time `json:"last_seen_at"`
}

type detailOutput struct {
	Body struct {
		Account
		TOTP          bool     `json:"totp"`
		Passkeys      int      `json:"passkeys"`
		RecoveryCodes int      `json:"recovery_codes"`
		Sessions      []signIn `json:"sessions" nullable:"false"`
	}
}

func (s *Service) getUser(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id"`
}) (*detailOutput, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	u, err := s.user(ctx, in.User)
	if err != nil {
		return nil, err
	}
	has, err := s.Store.Factors(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	sessions, err := s.Store.Sessions(ctx, u.ID, s.Now())
	if err != nil {
		return nil, err
	}
	out := &detailOutput{}
	b := &out.Body
	b.Account, b.TOTP, b.Passkeys, b.RecoveryCodes, b.Sessions = view(u), has.TOTP, has.Passkeys, has.RecoveryCodes,
		[]signIn{}
	for _, v := range sessions {
		b.Sessions = append(b.Sessions, signIn{v.ID, domain.DeviceLabel(v.UserAgent), v.IP, v.CreatedAt, v.LastSeen})
	}
	return out, nil
}

func (s *Service) patchUser(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id"`
	Body struct {
		Role     *string    `json:"role,omitempty" enum:"user,admin"`
		Disabled *bool      `json:"disabled,omitempty"`
		Until    *time.Time `json:"guest_until,omitempty" doc:"they are a guest until then, at most 365 days from now; a time that has passed ends their access at once"`
	}
}) (*accountOutput, error) {
	var u domain.User
	var err error
	switch b := in.Body; {
	case b.Until != nil && b.Role == nil && b.Disabled == nil:
		u, err = s.SetGuest(ctx, by(ctx), in.User, *b.Until)
	case b.Role != nil && b.Disabled == nil && b.Until == nil:
		u, err = s.SetRole(ctx, by(ctx), in.User, domain.SystemRole(*b.Role))
	case b.Disabled != nil && b.Role == nil && b.Until == nil:
		u, err = s.SetDisabled(ctx, by(ctx), in.User, *b.Disabled)
	default:
		err = domain.Invalid.Errorf(domain.CodeOneChange, "name one change: role, guest_until or disabled")
	}
	if err != nil {
		return nil, err
	}
	return &accountOutput{view(u)}, nil
}

func (s *Service) deleteUser(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id"`
}) (*struct{}, error) {
	return nil, s.Delete(ctx, by(ctx), in.User)
}

func (s *Service) deleteSessions(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id"`
}) (*struct{}, error) {
	return nil, s.EndSessions(ctx, by(ctx), in.User)
}

func (s *Service) deleteSession(ctx context.Context, in *struct {
	User    string `path:"user" maxLength:"64" doc:"id"`
	Session string `path:"session" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.EndSession(ctx, by(ctx), in.User, in.Session)
}

func (s *Service) deleteFactors(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id"`
}) (*struct{}, error) {
	return nil, s.ResetFactors(ctx, by(ctx), in.User)
}

type resetOutput struct {
	Body struct {
		Mailed bool   `json:"mailed" doc:"a mail with the link is on its way"`
		Link   string `json:"link,omitempty" doc:"good once, for an hour; to be passed on where no mail can be sent"`
	}
}

func (s *Service) postPassword(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id"`
}) (*resetOutput, error) {
	out := &resetOutput{}
	var err error
	out.Body.Link, out.Body.Mailed, err = s.ResetPassword(ctx, by(ctx), in.User)
	return out, err
}

type serverInvite struct {
	ID      string    `json:"id"`
	Note    string    `json:"note,omitempty"`
	Link    string    `json:"link,omitempty" doc:"shown once, when it is made"`
	Created time.Time `json:"created_at"`
	Expires time.Time `json:"expires_at"`
	MaxUses int       `json:"max_uses"`
	Uses    int       `json:"uses"`
	Guest   int       `json:"guest_days,omitempty" doc:"who comes by it is a guest, for so many days; absent: a regular user"`
	Rooms   []string  `json:"rooms,omitempty" doc:"ids of rooms that they are added to"`
}

func viewInvite(i domain.SignupInvite, link string) serverInvite {
	return serverInvite{i.ID, i.Note, link, i.CreatedAt, i.Expires, i.MaxUses, i.Uses, i.GuestDays, i.Rooms}
}

func (s *Service) listInvites(ctx context.Context, _ *struct{}) (*struct {
	Body struct {
		Items []serverInvite `json:"items" nullable:"false"`
	}
}, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	found, err := s.Store.SignupInvites(ctx, s.Now())
	if err != nil {
		return nil, err
	}
	out := &struct {
		Body struct {
			Items []serverInvite `json:"items" nullable:"false"`
		}
	}{}
	out.Body.Items = []serverInvite{}
	for _, i := range found {
		out.Body.Items = append(out.Body.Items, viewInvite(i, ""))
	}
	return out, nil
}

func (s *Service) postInvite(ctx context.Context, in *struct {
	Body struct {
		Note    string `json:"note,omitempty" doc:"whom it is for"`
		Days    int    `json:"days,omitempty" minimum:"1" maximum:"90" default:"7"`
		MaxUses int    `json:"max_uses,omitempty" minimum:"1" maximum:"1000" default:"1"`

		Guest int      `json:"guest_days,omitempty" minimum:"1" maximum:"365" doc:"who comes by it is a guest, for so many days; absent: a regular user"`
		Rooms []string `json:"rooms,omitempty" maxItems:"20" doc:"ids of rooms that they are added to, all of which you may add people to"`
	}
}) (*struct{ Body serverInvite }, error) {
	b := in.Body
	i, link, err := s.Invite(ctx, by(ctx), domain.SignupInvite{Note: b.Note, MaxUses: b.MaxUses, GuestDays: b.Guest,
		Rooms: b.Rooms}, time.Duration(b.Days)*24*time.Hour)
	if err != nil {
		return nil, err
	}
	return &struct{ Body serverInvite }{viewInvite(i, link)}, nil
}

func (s *Service) deleteInvite(ctx context.Context, in *struct {
	Invite string `path:"invite" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.Uninvite(ctx, by(ctx), in.Invite)
}

type settingsOutput struct {
	Body map[string]string
}

func (s *Service) getSettings(ctx context.Context, _ *struct{}) (*settingsOutput, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	v, err := s.Settings(ctx)
	return &settingsOutput{v}, err
}

func (s *Service) patchSettings(ctx context.Context, in *struct {
	Body struct {
		Registration *string `json:"registration,omitempty" enum:"open,invite,closed"`
		SecondFactor *string `json:"second_factor,omitempty" enum:"none,admins,everyone" doc:"who must have one"`
		CustomEmoji  *string `json:"custom_emoji,omitempty" enum:"everyone,admins" doc:"who may add emoji to the server; everyone: but guests"`
		Days         *int    `json:"retention_days,omitempty" minimum:"0" maximum:"36500" doc:"messages of rooms that chose nothing are kept for so many days; 0: for good"`
		Lines        *int    `json:"retention_lines,omitempty" minimum:"0" maximum:"100000000" doc:"and so many of them; 0: all"`
		MinDays      *int    `json:"retention_min_days,omitempty" minimum:"0" maximum:"36500" doc:"no room may let messages go earlier; 0: no such bound"`
		MaxDays      *int    `json:"retention_max_days,omitempty" minimum:"0" maximum:"36500" doc:"no room may keep messages longer; 0: no such bound"`
	}
}) (*settingsOutput, error) {
	for name, v := range map[string]*string{"registration": in.Body.Registration, "second_factor": in.Body.SecondFactor,
		"custom_emoji": in.Body.CustomEmoji} {
		if v == nil {
			continue
		}
		if !slices.Contains(values()[name], *v) {
			return nil, domain.InvalidField("/"+name, "%q is none of %v", *v, values()[name])
		}
		if err := s.Set(ctx, by(ctx), name, *v); err != nil {
			return nil, err
		}
	}
	b := in.Body
	if err := s.setNumbers(ctx, by(ctx), map[string]*int{
		"retention_days": b.Days, "retention_lines": b.Lines, "retention_min_days": b.MinDays,
		"retention_max_days": b.MaxDays,
	}); err != nil {
		return nil, err
	}
	return s.getSettings(ctx, nil)
}
