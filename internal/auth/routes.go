package auth

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/wire"
)

type meOutput struct{ Body wire.Me }

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	tag := []string{"accounts"}
	s.signInRoutes(api)
	s.linkRoutes(api)
	s.securityRoutes(api)
	s.passkeyRoutes(api)
	s.providerRoutes(api)
	httpx.Register(api, huma.Operation{OperationID: "get-me", Method: "GET", Path: "/me", Tags: tag,
		Security: httpx.Bearer, Metadata: httpx.ForLimited(), Summary: "Your own account"}, s.getMe)
	httpx.Register(api, huma.Operation{OperationID: "update-me", Method: "PATCH", Path: "/me", Tags: tag,
		Security: httpx.Bearer, Summary: "Change your profile"}, s.patchMe)
	httpx.Register(api, huma.Operation{OperationID: "set-status", Method: "PUT", Path: "/me/status", Tags: tag,
		Security: httpx.Bearer, Summary: "Say what you are doing"}, s.putStatus)
	httpx.Register(api, huma.Operation{OperationID: "set-avatar", Method: "PUT", Path: "/me/avatar", Tags: tag,
		Security: httpx.Bearer, Summary: "Give yourself a picture", MaxBodyBytes: picture.MaxBytes + 1}, s.putAvatar)
	httpx.Register(api, huma.Operation{OperationID: "delete-avatar", Method: "DELETE", Path: "/me/avatar", Tags: tag,
		Security: httpx.Bearer, Summary: "Take your picture away"}, s.deleteAvatar)
	httpx.Register(api, huma.Operation{OperationID: "get-avatar", Method: "GET", Path: "/avatars/{hash}", Tags: tag,
		Summary: "A picture, which never changes"}, s.getAvatar)
	httpx.Register(api, huma.Operation{OperationID: "list-users", Method: "GET", Path: "/users", Tags: tag,
		Security: httpx.Bearer, Summary: "Find people by name, or several by id"}, s.listUsers)
	httpx.Register(api, huma.Operation{OperationID: "get-user", Method: "GET", Path: "/users/{user}", Tags: tag,
		Security: httpx.Bearer, Summary: "One person, by id or username"}, s.getUser)
}

func (s *Service) getMe(ctx context.Context, _ *struct{}) (*meOutput, error) {
	return meOf(s.me(ctx, httpx.Principal(ctx)))
}

func meOf(u domain.User, err error) (*meOutput, error) {
	if err != nil {
		return nil, err
	}
	return &meOutput{wire.FromMe(u)}, nil
}

type profileInput struct {
	Body struct {
		DisplayName *string `json:"display_name,omitempty"`
		About       *string `json:"about,omitempty"`
		Locale      *string `json:"locale,omitempty" doc:"BCP 47 language tag"`
		TimeZone    *string `json:"time_zone,omitempty" doc:"IANA name"`
	}
}

func (s *Service) patchMe(ctx context.Context, in *profileInput) (*meOutput, error) {
	b := in.Body
	return meOf(s.UpdateProfile(ctx, httpx.Principal(ctx).ID,
		domain.Profile{DisplayName: b.DisplayName, About: b.About, Locale: b.Locale, TimeZone: b.TimeZone}))
}

func (s *Service) putStatus(ctx context.Context, in *struct{ Body wire.Status }) (*meOutput, error) {
	st := domain.Status{Mode: domain.Availability(in.Body.Mode), Text: in.Body.Text, Emoji: in.Body.Emoji}
	if in.Body.Expires != nil {
		st.Expires = *in.Body.Expires
	}
	return meOf(s.SetStatus(ctx, httpx.Principal(ctx).ID, st))
}

type avatarInput struct {
	RawBody []byte `contentType:"image/*"`
}

func (s *Service) putAvatar(ctx context.Context, in *avatarInput) (*meOutput, error) {
	return meOf(s.SetAvatar(ctx, httpx.Principal(ctx).ID, in.RawBody))
}

func (s *Service) deleteAvatar(ctx context.Context, _ *struct{}) (*meOutput, error) {
	return meOf(s.SetAvatar(ctx, httpx.Principal(ctx).ID, nil))
}

type pictureOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (s *Service) getAvatar(ctx context.Context, in *struct {
	Hash string `path:"hash" maxLength:"64"`
}) (*pictureOutput, error) {
	p, err := s.picture(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	return &pictureOutput{p.Type, "public, max-age=31536000, immutable", p.Data}, nil
}

type usersOutput struct{ Body httpx.Page[wire.Profile] }

type usersInput struct {
	Q      string   `query:"q" maxLength:"64" doc:"beginning of a name"`
	IDs    []string `query:"ids" maxItems:"100" doc:"ids, comma separated; then nothing else counts"`
	Shared bool     `query:"shared" doc:"only people of rooms that you are in, you among them"`
	Cursor string   `query:"cursor"`
	Limit  int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *Service) listUsers(ctx context.Context, in *usersInput) (*usersOutput, error) {
	out := &usersOutput{}
	out.Body.Items = []wire.Profile{}
	if len(in.IDs) > 0 {
		users, err := s.Store.UsersByID(ctx, in.IDs)
		if err == nil {
			users, err = s.visible(ctx, httpx.Principal(ctx), users)
		}
		for _, u := range users {
			out.Body.Items = append(out.Body.Items, wire.FromProfile(u))
		}
		return out, err
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	users, err := s.Store.SearchUsers(ctx, strings.TrimPrefix(strings.TrimSpace(in.Q), "@"),
		httpx.Principal(ctx).Circle(in.Shared), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out.Body = httpx.PageOf(users, in.Limit, func(u domain.User) string { return u.Username }, wire.FromProfile)
	return out, nil
}

func (s *Service) getUser(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id or username"`
}) (*struct{ Body wire.Profile }, error) {
	u, err := s.user(ctx, in.User)
	if err != nil {
		return nil, err
	}
	seen, err := s.visible(ctx, httpx.Principal(ctx), []domain.User{u})
	if err == nil && len(seen) == 0 {
		err = errNoUser()
	}
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.Profile }{wire.FromProfile(u)}, nil
}

// visible returns those of users whom p may look at. Nobody sees an account whose
// address is not proven yet. One that is disabled is seen by who shares a room with
// it, and by administrators; so is a webhook, and so is a device, and by its owner. A guest sees who shares a room.
func (s *Service) visible(ctx context.Context, p domain.Principal, users []domain.User) ([]domain.User, error) {
	users = slices.DeleteFunc(users, func(u domain.User) bool { return u.Pending })
	if p.IsAdmin() {
		return users, nil
	}
	var disabled, devices []string
	for _, u := range users {
		switch {
		case u.ID == p.ID:
		case u.Kind == domain.KindDevice:
			devices = append(devices, u.ID)
		case u.Disabled, u.Ref().IsHook(), p.IsGuest():
			disabled = append(disabled, u.ID)
		}
	}
	var seen, shared []string
	var err error
	if len(devices) != 0 {
		seen, err = s.Store.SeenBy(ctx, p.ID, devices)
	}
	if err == nil && len(disabled) != 0 {
		shared, err = s.Store.SharesRoom(ctx, p.ID, disabled)
	}
	if err != nil {
		return nil, err
	}
	hidden := append(devices, disabled...)
	return slices.DeleteFunc(users, func(u domain.User) bool {
		return slices.Contains(hidden, u.ID) && !slices.Contains(seen, u.ID) && !slices.Contains(shared, u.ID)
	}), nil
}

func errNoUser() error { return domain.NotFound.Errorf(domain.CodeNoUser, "there is no such user") }

// user returns somebody by id or username.
func (s *Service) user(ctx context.Context, name string) (domain.User, error) {
	if !domain.ValidID(domain.UserPrefix, name) {
		return s.Store.UserByUsername(ctx, strings.TrimPrefix(name, "@"))
	}
	users, err := s.Store.UsersByID(ctx, []string{name})
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, errNoUser()
	}
	return users[0], nil
}
