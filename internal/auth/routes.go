package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

type registerInput struct {
	Body struct {
		Username    string `json:"username" example:"ann" doc:"2 to 32 of a-z, 0-9, dot, dash, underscore"`
		DisplayName string `json:"display_name,omitempty" example:"Ann"`
		Email       string `json:"email,omitempty" example:"ann@example.org"`
		Password    string `json:"password" example:"an old song about rain"`
		SetupToken  string `json:"setup_token,omitempty" doc:"of the first administrator's link"`
		Client      string `json:"client,omitempty" enum:"web,native" doc:"web: the refresh token comes as a cookie"`
	}
}

type signInInput struct {
	Body struct {
		Login    string `json:"login" example:"ann" doc:"username or e-mail address"`
		Password string `json:"password"`
		Client   string `json:"client,omitempty" enum:"web,native"`
	}
}

type refreshInput struct {
	Cookie string `header:"Cookie" hidden:"true"`
	Body   struct {
		RefreshToken string `json:"refresh_token,omitempty" doc:"native clients; the web client's is in its cookie"`
	}
}

// signed is where a sign-in stands.
type signed struct {
	State   string     `json:"state" enum:"complete" doc:"complete, or what is asked next"`
	Access  string     `json:"access_token,omitempty"`
	Expires *time.Time `json:"expires,omitempty" doc:"of the access token"`
	Refresh string     `json:"refresh_token,omitempty" doc:"good once; native clients only"`
	Me      *wire.Me   `json:"me,omitempty"`
}

type signedOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      signed
}

type meOutput struct{ Body wire.Me }

type serverOutput struct {
	Body struct {
		Name         string `json:"name"`
		Version      string `json:"version"`
		Registration string `json:"registration" enum:"open,closed"`
		Setup        bool   `json:"setup_required" doc:"there is no administrator yet"`
		PasswordMin  int    `json:"password_min" doc:"characters"`
	}
}

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	tag := []string{"accounts"}
	httpx.Register(api, huma.Operation{OperationID: "get-server", Method: "GET", Path: "/server", Tags: tag, Summary: "What this server is"}, s.getServer)
	httpx.Register(api, huma.Operation{OperationID: "register", Method: "POST", Path: "/auth/register", Tags: tag, Summary: "Make an account and sign in", DefaultStatus: 201}, s.register)
	httpx.Register(api, huma.Operation{OperationID: "sign-in", Method: "POST", Path: "/auth/sign-in", Tags: tag, Summary: "Sign in with a password"}, s.signIn)
	httpx.Register(api, huma.Operation{OperationID: "refresh", Method: "POST", Path: "/auth/refresh", Tags: tag, Summary: "Exchange a refresh token, which is good once"}, s.refresh)
	httpx.Register(api, huma.Operation{OperationID: "sign-out", Method: "POST", Path: "/auth/sign-out", Tags: tag, Summary: "End the session", DefaultStatus: 204}, s.signOut)
	httpx.Register(api, huma.Operation{OperationID: "get-me", Method: "GET", Path: "/me", Tags: tag, Security: httpx.Bearer, Summary: "Your own account"}, s.getMe)
	httpx.Register(api, huma.Operation{OperationID: "update-me", Method: "PATCH", Path: "/me", Tags: tag, Security: httpx.Bearer, Summary: "Change your profile"}, s.patchMe)
	httpx.Register(api, huma.Operation{OperationID: "set-status", Method: "PUT", Path: "/me/status", Tags: tag, Security: httpx.Bearer, Summary: "Say what you are doing"}, s.putStatus)
	httpx.Register(api, huma.Operation{OperationID: "set-avatar", Method: "PUT", Path: "/me/avatar", Tags: tag, Security: httpx.Bearer, Summary: "Give yourself a picture", MaxBodyBytes: avatarBytes + 1}, s.putAvatar)
	httpx.Register(api, huma.Operation{OperationID: "delete-avatar", Method: "DELETE", Path: "/me/avatar", Tags: tag, Security: httpx.Bearer, Summary: "Take your picture away"}, s.deleteAvatar)
	httpx.Register(api, huma.Operation{OperationID: "get-avatar", Method: "GET", Path: "/avatars/{hash}", Tags: tag, Summary: "A picture, which never changes"}, s.getAvatar)
	httpx.Register(api, huma.Operation{OperationID: "list-users", Method: "GET", Path: "/users", Tags: tag, Security: httpx.Bearer, Summary: "Find people by name, or several by id"}, s.listUsers)
	httpx.Register(api, huma.Operation{OperationID: "get-user", Method: "GET", Path: "/users/{user}", Tags: tag, Security: httpx.Bearer, Summary: "One person, by id or username"}, s.getUser)
}

func (s *Service) getServer(ctx context.Context, _ *struct{}) (*serverOutput, error) {
	has, err := s.Store.HasAdmin(ctx)
	if err != nil {
		return nil, err
	}
	out := &serverOutput{}
	out.Body.Name, out.Body.Version, out.Body.Setup, out.Body.PasswordMin = s.Name, s.Version, !has, s.PasswordMin
	out.Body.Registration = "open"
	if s.Closed {
		out.Body.Registration = "closed"
	}
	return out, nil
}

func client(ctx context.Context) Client {
	return Client{Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx)}
}

func (s *Service) register(ctx context.Context, in *registerInput) (*signedOutput, error) {
	b := in.Body
	v, err := s.Register(ctx, Registration{b.Username, b.DisplayName, b.Email, b.Password, b.SetupToken}, client(ctx))
	if err != nil {
		return nil, err
	}
	return s.answer(v, b.Client == "web"), nil
}

func (s *Service) signIn(ctx context.Context, in *signInInput) (*signedOutput, error) {
	v, err := s.SignIn(ctx, in.Body.Login, in.Body.Password, client(ctx))
	if err != nil {
		return nil, err
	}
	return s.answer(v, in.Body.Client == "web"), nil
}

func (s *Service) refresh(ctx context.Context, in *refreshInput) (*signedOutput, error) {
	secret, web := s.presented(in)
	v, err := s.Refresh(ctx, secret)
	if err != nil {
		return nil, err
	}
	return s.answer(v, web), nil
}

func (s *Service) signOut(ctx context.Context, in *refreshInput) (*struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}, error) {
	secret, _ := s.presented(in)
	if err := s.SignOut(ctx, secret); err != nil {
		return nil, err
	}
	gone := s.cookie("")
	gone.MaxAge = -1
	return &struct {
		SetCookie []http.Cookie `header:"Set-Cookie"`
	}{[]http.Cookie{gone}}, nil
}

// presented is the refresh token of a request, and whether it came as a cookie.
func (s *Service) presented(in *refreshInput) (secret string, web bool) {
	if in.Body.RefreshToken != "" {
		return in.Body.RefreshToken, false
	}
	r := http.Request{Header: http.Header{"Cookie": {in.Cookie}}}
	c, err := r.Cookie(s.cookie("").Name)
	if err != nil {
		return "", true
	}
	return c.Value, true
}

func (s *Service) answer(v Signed, web bool) *signedOutput {
	me := wire.FromMe(v.User)
	out := &signedOutput{Body: signed{State: v.State, Access: v.Access, Expires: &v.Expires, Me: &me}}
	if web {
		out.SetCookie = []http.Cookie{s.cookie(v.Refresh)}
	} else {
		out.Body.Refresh = v.Refresh
	}
	return out
}

// cookie holds the web client's refresh token. On plain http, which only
// localhost has, browsers refuse the prefix that pins it to this host.
func (s *Service) cookie(value string) http.Cookie {
	c := http.Cookie{Name: "unhidra", Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionMax / time.Second)}
	if s.Secure {
		c.Name, c.Secure = "__Host-unhidra", true
	}
	return c
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
	return meOf(s.UpdateProfile(ctx, httpx.Principal(ctx).ID, domain.Profile{DisplayName: b.DisplayName, About: b.About, Locale: b.Locale, TimeZone: b.TimeZone}))
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
	mime, data, err := s.Store.Avatar(ctx, in.Hash)
	if err != nil {
		return nil, err
	}
	return &pictureOutput{mime, "public, max-age=31536000, immutable", data}, nil
}

type usersOutput struct{ Body httpx.Page[wire.Profile] }

type usersInput struct {
	Q      string   `query:"q" maxLength:"64" doc:"beginning of a name"`
	IDs    []string `query:"ids" maxItems:"100" doc:"ids, comma separated; then nothing else counts"`
	Cursor string   `query:"cursor"`
	Limit  int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (s *Service) listUsers(ctx context.Context, in *usersInput) (*usersOutput, error) {
	out := &usersOutput{}
	out.Body.Items = []wire.Profile{}
	if len(in.IDs) > 0 {
		users, err := s.Store.UsersByID(ctx, in.IDs)
		for _, u := range users {
			out.Body.Items = append(out.Body.Items, wire.FromProfile(u))
		}
		return out, err
	}
	var after string
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &after); err != nil {
			return nil, err
		}
	}
	users, err := s.Store.SearchUsers(ctx, strings.TrimPrefix(strings.TrimSpace(in.Q), "@"), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(users) > in.Limit {
		users = users[:in.Limit]
		out.Body.Next = httpx.EncodeCursor(users[in.Limit-1].Username)
	}
	for _, u := range users {
		out.Body.Items = append(out.Body.Items, wire.FromProfile(u))
	}
	return out, nil
}

func (s *Service) getUser(ctx context.Context, in *struct {
	User string `path:"user" maxLength:"64" doc:"id or username"`
}) (*struct{ Body wire.Profile }, error) {
	u, err := s.user(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.Profile }{wire.FromProfile(u)}, nil
}

func (s *Service) user(ctx context.Context, name string) (domain.User, error) {
	if !domain.ValidID(domain.UserPrefix, name) {
		return s.Store.UserByUsername(ctx, strings.TrimPrefix(name, "@"))
	}
	users, err := s.Store.UsersByID(ctx, []string{name})
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, domain.NotFound.Errorf("no_user", "there is no such user")
	}
	return users[0], nil
}
