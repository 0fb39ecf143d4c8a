package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) signInRoutes(api huma.API) {
	tag := []string{"accounts"}
	httpx.Register(api, huma.Operation{OperationID: "get-server", Method: "GET", Path: "/server", Tags: tag,
		Summary: "What this server is"}, s.getServer)
	httpx.Register(api, huma.Operation{OperationID: "get-captcha", Method: "GET", Path: "/auth/captcha", Tags: tag,
		Summary: "A challenge that tells people from programs", Errors: []int{http.StatusTooManyRequests}}, s.getCaptcha)
	httpx.Register(api, huma.Operation{OperationID: "register", Method: "POST", Path: "/auth/register", Tags: tag,
		Summary: "Make an account", DefaultStatus: 201}, s.register)
	httpx.Register(api, huma.Operation{OperationID: "sign-in", Method: "POST", Path: "/auth/sign-in", Tags: tag,
		Summary: "Sign in with a password"}, s.signIn)
	httpx.Register(api, huma.Operation{OperationID: "sign-in-factor", Method: "POST", Path: "/auth/sign-in/factor",
		Tags: tag, Summary: "Go on with a second factor"}, s.signInFactor)
	httpx.Register(api, huma.Operation{OperationID: "refresh", Method: "POST", Path: "/auth/refresh", Tags: tag,
		Summary: "Exchange a refresh token, which is good once"}, s.refresh)
	httpx.Register(api, huma.Operation{OperationID: "sign-out", Method: "POST", Path: "/auth/sign-out", Tags: tag,
		Summary: "End the session", DefaultStatus: 204}, s.signOut)
}

type serverOutput struct {
	Body struct {
		Name         string `json:"name"`
		Version      string `json:"version"`
		URL          string `json:"url" doc:"where people reach it; where this is https, a page that was opened by plain http cannot sign in"`
		Registration string `json:"registration" enum:"open,invite,closed"`
		Setup        bool   `json:"setup_required" doc:"there is no administrator yet"`
		PasswordMin  int    `json:"password_min" doc:"characters"`
		Mail         bool   `json:"mail" doc:"a new account's address is proven by mail, and a forgotten password is replaced by one"`
		Captcha      string `json:"captcha,omitempty" doc:"kind of CAPTCHA that is asked for; absent: none"`
		Passkeys     bool   `json:"passkeys" doc:"one can sign in with a passkey"`
		Previews     bool   `json:"link_previews" doc:"rooms may show previews of links"`

		MQTT *MQTT `json:"mqtt,omitempty" doc:"where devices connect by MQTT; absent: nowhere"`

		Providers []providerView `json:"providers,omitempty" doc:"OpenID providers that one can sign in with"`
	}
}

type providerView struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

func (s *Service) getServer(ctx context.Context, _ *struct{}) (*serverOutput, error) {
	has, err := s.Store.HasAdmin(ctx)
	if err != nil {
		return nil, err
	}
	out := &serverOutput{}
	b := &out.Body
	b.Name, b.Version, b.URL, b.Setup, b.PasswordMin = s.Name, s.Version, s.URL, !has, s.PasswordMin
	b.MQTT, b.Previews = s.MQTT, s.Previews
	b.Registration, b.Mail, b.Passkeys = s.rules.Load().Registration, s.Mail != nil, s.Factors.Passkeys != nil
	for _, p := range s.Factors.Providers {
		b.Providers = append(b.Providers, providerView{p.ID, p.Label})
	}
	if s.Human != nil {
		b.Captcha = s.Human.Kind()
	}
	return out, nil
}

type captchaInput struct {
	Action string `query:"action" required:"true" enum:"register,reset,sign_in"`
}

type captchaOutput struct {
	Body struct {
		Kind      string         `json:"kind" doc:"none, pow, or the provider"`
		Challenge any            `json:"challenge,omitempty" doc:"pow: what to solve, as ALTCHA has it"`
		Config    map[string]any `json:"config,omitempty" doc:"a provider's site key"`
	}
}

func (s *Service) getCaptcha(ctx context.Context, in *captchaInput) (*captchaOutput, error) {
	out := &captchaOutput{}
	if out.Body.Kind = "none"; s.Human == nil {
		return out, nil
	}
	c := client(ctx)
	if err := s.lockout.Within(ctx, s.puzzles, "captcha", c); err != nil {
		return nil, err
	}
	out.Body.Kind, out.Body.Config = s.Human.Kind(), s.Human.ClientConfig(in.Action)
	var err error
	if out.Body.Challenge, err = s.Human.Challenge(ctx, in.Action, c.Addr); domain.KindOf(err) == domain.NotFound {
		err = nil
	}
	return out, err
}

func client(ctx context.Context) Client {
	return Client{Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Cookies: httpx.Cookies(ctx)}
}

func clientWith(ctx context.Context, captcha string) Client {
	c := client(ctx)
	c.Captcha = captcha
	return c
}

type registerInput struct {
	Body struct {
		Username    string `json:"username" example:"ann" doc:"2 to 32 of a-z, 0-9, dot, dash, underscore"`
		DisplayName string `json:"display_name,omitempty" example:"Ann"`
		Email       string `json:"email,omitempty" example:"ann@example.org" doc:"needed where the server sends mail"`
		Password    string `json:"password" example:"an old song about rain"`
		SetupToken  string `json:"setup_token,omitempty" doc:"of the first administrator's link"`
		Invite      string `json:"invite,omitempty" doc:"code of an invitation to the server"`
		Captcha     string `json:"captcha,omitempty" doc:"answer to a challenge, where the server asks for one"`
		Client      string `json:"client,omitempty" enum:"web,native" doc:"web: the refresh token comes as a cookie"`
	}
}

type signInInput struct {
	Body struct {
		Login    string `json:"login" example:"ann" doc:"username or e-mail address"`
		Password string `json:"password"`
		Captcha  string `json:"captcha,omitempty" doc:"answer to a challenge, after the error captcha_required"`
		Client   string `json:"client,omitempty" enum:"web,native"`
	}
}

type factorInput struct {
	Body struct {
		Ticket   string          `json:"ticket"`
		Code     string          `json:"code,omitempty" doc:"of the authenticator app, or a recovery code"`
		Passkey  json.RawMessage `json:"passkey,omitempty" doc:"the browser's PublicKeyCredential as JSON"`
		Remember bool            `json:"remember,omitempty" doc:"do not ask this browser again for 30 days"`
		Client   string          `json:"client,omitempty" enum:"web,native"`
	}
}

type refreshInput struct {
	Body struct {
		RefreshToken string `json:"refresh_token,omitempty" doc:"native clients; the web client's is in its cookie"`
	}
}

// Step is where a sign-in stands.
type Step struct {
	State   string     `json:"state" enum:"complete,second_factor,verify_email" doc:"complete, or what is asked next"`
	Ticket  string     `json:"ticket,omitempty" doc:"for the next step; good for five minutes"`
	Methods []string   `json:"methods,omitempty" doc:"second factors that there are: passkey, totp, recovery"`
	Access  string     `json:"access_token,omitempty"`
	Expires *time.Time `json:"expires,omitempty" doc:"of the access token"`
	Life    int64      `json:"expires_in,omitempty" doc:"seconds that the access token is good for, whatever the client's clock says"`
	Refresh string     `json:"refresh_token,omitempty" doc:"good once; native clients only"`
	Limited bool       `json:"limited,omitempty" doc:"a second factor must be added before anything else"`
	Me      *wire.Me   `json:"me,omitempty"`
}

type signedOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Step
}

type cookieOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (s *Service) register(ctx context.Context, in *registerInput) (*signedOutput, error) {
	b := in.Body
	v, err := s.Register(ctx, Registration{b.Username, b.DisplayName, b.Email, b.Password, b.SetupToken, b.Invite},
		clientWith(ctx, b.Captcha))
	return s.answer(v, b.Client == "web", err)
}

func (s *Service) signIn(ctx context.Context, in *signInInput) (*signedOutput, error) {
	v, err := s.SignIn(ctx, in.Body.Login, in.Body.Password, clientWith(ctx, in.Body.Captcha))
	return s.answer(v, in.Body.Client == "web", err)
}

func (s *Service) signInFactor(ctx context.Context, in *factorInput) (*signedOutput, error) {
	b := in.Body
	v, err := s.AnswerFactor(ctx, b.Ticket, Answer{Code: b.Code, Passkey: b.Passkey, Remember: b.Remember}, client(ctx))
	return s.answer(v, b.Client == "web", err)
}

func (s *Service) refresh(ctx context.Context, in *refreshInput) (*signedOutput, error) {
	secret, web := s.presented(ctx, in)
	v, err := s.Refresh(ctx, secret, client(ctx))
	return s.answer(v, web, err)
}

func (s *Service) signOut(ctx context.Context, in *refreshInput) (*cookieOutput, error) {
	secret, _ := s.presented(ctx, in)
	if secret == "" && httpx.HasToken(ctx) {
		return nil, domain.InvalidField("/refresh_token", "name the refresh token of the session that is to end")
	}
	if err := s.SignOut(ctx, secret, client(ctx)); err != nil {
		return nil, err
	}
	return &cookieOutput{[]http.Cookie{s.cookie(refreshCookie, "", -time.Second)}}, nil
}

// presented is the refresh token of a request, and whether it came as a cookie.
func (s *Service) presented(ctx context.Context, in *refreshInput) (secret string, web bool) {
	own := in.Body.RefreshToken
	return cmp.Or(own, httpx.Cookies(ctx)[s.cookieName(refreshCookie)]), own == ""
}

func (s *Service) answer(v Signed, web bool, err error) (*signedOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &signedOutput{Body: Step{State: v.State, Ticket: v.Ticket, Methods: v.Methods, Limited: v.Limited}}
	if v.State != Complete {
		return out, nil
	}
	me := wire.FromMe(v.User)
	out.Body.Access, out.Body.Expires, out.Body.Me = v.Access, &v.Expires, &me
	out.Body.Life = int64(v.Expires.Sub(s.Now()).Round(time.Second) / time.Second)
	if !web {
		out.Body.Refresh = v.Refresh
		return out, nil
	}
	out.SetCookie = []http.Cookie{s.cookie(refreshCookie, v.Refresh, s.SessionMax)}
	if v.Device.Value != "" {
		out.SetCookie = append(out.SetCookie, s.deviceOf(v.Device))
	}
	if v.Remember.Value != "" {
		out.SetCookie = append(out.SetCookie, s.cookie(v.Remember.Cookie, v.Remember.Value, v.Remember.Until.Sub(s.Now())))
	}
	return out, nil
}

const (
	refreshCookie = "unhidra" // holds the web client's refresh token
	deviceLife    = 400 * 24 * time.Hour
)

func (s *Service) deviceOf(d lockout.Device) http.Cookie {
	return s.cookie(d.Cookie, d.Value, deviceLife)
}

// cookieName is a cookie's name. On plain http, which only localhost has,
// browsers refuse the prefix that pins it to this host.
func (s *Service) cookieName(name string) string {
	if s.Secure {
		return "__Host-" + name
	}
	return name
}

func (s *Service) cookie(name, value string, life time.Duration) http.Cookie {
	return http.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: s.Secure, MaxAge: int(life / time.Second),
	}
}
