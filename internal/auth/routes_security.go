package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/totp"
)

// own is an operation on the caller's own account.
func own(id, method, path, summary string) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"security"}, Security: httpx.Bearer,
		Summary: summary}
}

func gone(o huma.Operation) huma.Operation {
	o.DefaultStatus = 204
	return o
}

// early marks what somebody may do who must add a second factor first.
func early(o huma.Operation) huma.Operation {
	o.Metadata = httpx.ForLimited()
	return o
}

func (s *Service) securityRoutes(api huma.API) {
	httpx.Register(api, early(own("step-up", "POST", "/me/step-up",
		"Prove anew who you are; opens what is dangerous for five minutes")), s.postStepUp)
	httpx.Register(api, own("change-password", "POST", "/me/password", "Change your password; ends every other session"),
		s.postPassword)
	httpx.Register(api, own("change-email", "PUT", "/me/email", "Change your e-mail address"), s.putEmail)
	httpx.Register(api, own("list-sessions", "GET", "/me/sessions", "Where you are signed in"), s.getSessions)
	httpx.Register(api, gone(own("end-session", "DELETE", "/me/sessions/{session}", "End a session of yours")),
		s.deleteSession)
	httpx.Register(api, gone(own("end-sessions", "DELETE", "/me/sessions", "End all your sessions but this one")),
		s.deleteSessions)
	httpx.Register(api, early(own("list-factors", "GET", "/me/factors", "Your second factors")), s.getFactors)
	httpx.Register(api, early(own("enrol-totp", "POST", "/me/totp", "Begin to add an authenticator app")), s.postTOTP)
	httpx.Register(api, early(own("confirm-totp", "POST", "/me/totp/confirm", "End it with a code of the app")),
		s.confirmTOTP)
	httpx.Register(api, gone(own("remove-totp", "DELETE", "/me/totp", "Remove the authenticator app")), s.deleteTOTP)
	httpx.Register(api, own("new-recovery-codes", "POST", "/me/recovery-codes",
		"Get recovery codes in place of those you have"), s.postCodes)
	httpx.Register(api, gone(own("forget-browser", "DELETE", "/me/remembered/{browser}",
		"Have a browser asked for the second factor again")), s.deleteBrowser)
	export := own("export-me", "GET", "/me/export",
		"Everything that the server has about you, and all that you wrote, a JSON object to a line")
	export.Responses = map[string]*huma.Response{"200": {
		Description: "account, then messages, reactions, votes, what you keep for yourself and all else, then how many of each",
		Content:     map[string]*huma.MediaType{"application/x-ndjson": {}}}}
	httpx.Register(api, export, s.getExport)
	httpx.Register(api, gone(own("delete-me", "DELETE", "/me", "Delete your account; what you said stays, under no name")),
		s.deleteMe)
}

func (s *Service) postStepUp(ctx context.Context, in *struct {
	Body struct {
		Password string          `json:"password,omitempty"`
		Code     string          `json:"code,omitempty" doc:"of the authenticator app, or a recovery code, if you have one"`
		Ticket   string          `json:"ticket,omitempty" doc:"of a passkey's challenge"`
		Passkey  json.RawMessage `json:"passkey,omitempty" doc:"the browser's PublicKeyCredential as JSON"`
		Client   string          `json:"client,omitempty" enum:"web,native"`
	}
}) (*signedOutput, error) {
	b := in.Body
	v, err := s.StepUp(ctx, httpx.Principal(ctx), b.Password, Answer{Code: b.Code, Passkey: b.Passkey}, b.Ticket,
		client(ctx))
	return s.answer(v, b.Client == "web", err)
}

func (s *Service) postPassword(ctx context.Context, in *struct {
	Body struct {
		Current string `json:"current_password"`
		New     string `json:"password"`
		Client  string `json:"client,omitempty" enum:"web,native"`
	}
}) (*signedOutput, error) {
	v, err := s.ChangePassword(ctx, httpx.Principal(ctx), in.Body.Current, in.Body.New, client(ctx))
	return s.answer(v, in.Body.Client == "web", err)
}

type emailOutput struct {
	Body struct {
		Pending bool `json:"pending" doc:"a mail with a link went to the new address"`
	}
}

func (s *Service) putEmail(ctx context.Context, in *struct {
	Body struct {
		Email string `json:"email" maxLength:"254"`
	}
}) (*emailOutput, error) {
	if err := s.ChangeEmail(ctx, httpx.Principal(ctx), in.Body.Email, client(ctx)); err != nil {
		return nil, err
	}
	out := &emailOutput{}
	out.Body.Pending = true
	return out, nil
}

// session is a sign-in as its owner sees it.
type session struct {
	ID      string    `json:"id"`
	Device  string    `json:"device" example:"Firefox on Linux"`
	IP      string    `json:"ip"`
	Created time.Time `json:"created_at"`
	Seen    time.Time `json:"last_seen_at"`
	Expires time.Time `json:"expires_at"`
	Factors []string  `json:"factors" doc:"how it was begun (RFC 8176)"`
	Current bool      `json:"current" doc:"the one that asks"`
}

type list[T any] struct {
	Body struct {
		Items []T `json:"items" nullable:"false"`
	}
}

func (s *Service) getSessions(ctx context.Context, _ *struct{}) (*list[session], error) {
	return s.sessionsOf(ctx, httpx.Principal(ctx))
}

func (s *Service) sessionsOf(ctx context.Context, p domain.Principal) (*list[session], error) {
	found, err := s.List(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := &list[session]{}
	out.Body.Items = []session{}
	for _, v := range found {
		out.Body.Items = append(out.Body.Items, session{v.ID, domain.DeviceLabel(v.UserAgent), v.IP, v.CreatedAt, v.LastSeen,
			earlier(v.Idle, v.Expires), v.AMR, v.ID == p.SessionID})
	}
	return out, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (s *Service) deleteSession(ctx context.Context, in *struct {
	Session string `path:"session" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.EndSession(ctx, httpx.Principal(ctx), in.Session, client(ctx))
}

func (s *Service) deleteSessions(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.EndOthers(ctx, httpx.Principal(ctx), client(ctx))
}

type factorsOutput struct {
	Body struct {
		TOTP          *time.Time   `json:"totp,omitempty" doc:"since when there is an authenticator app"`
		Passkeys      []passkeyKey `json:"passkeys" nullable:"false"`
		RecoveryCodes int          `json:"recovery_codes" doc:"that are left"`
		Remembered    []browser    `json:"remembered" nullable:"false" doc:"browsers that are not asked"`
		Required      bool         `json:"required" doc:"the server asks for a second factor"`
	}
}

type passkeyKey struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Created time.Time  `json:"created_at"`
	Used    *time.Time `json:"used_at,omitempty"`
}

type browser struct {
	ID      string    `json:"id"`
	Device  string    `json:"device"`
	IP      string    `json:"ip"`
	Used    time.Time `json:"used_at"`
	Expires time.Time `json:"expires_at"`
}

func (s *Service) getFactors(ctx context.Context, _ *struct{}) (*factorsOutput, error) {
	return s.factorsOf(ctx, httpx.Principal(ctx))
}

func (s *Service) factorsOf(ctx context.Context, p domain.Principal) (*factorsOutput, error) {
	has, err := s.Owned(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := &factorsOutput{}
	b := &out.Body
	b.RecoveryCodes, b.Required = has.RecoveryCodes, s.rules.Load().SecondFactor.Asks(p.Role)
	if has.TOTP {
		b.TOTP = &has.TOTPSince
	}
	b.Passkeys = []passkeyKey{}
	for _, k := range has.Keys {
		v := passkeyKey{ID: k.ID, Name: k.Name, Created: k.CreatedAt}
		if !k.UsedAt.IsZero() {
			v.Used = &k.UsedAt
		}
		b.Passkeys = append(b.Passkeys, v)
	}
	b.Remembered = []browser{}
	for _, v := range has.Browsers {
		b.Remembered = append(b.Remembered, browser{v.ID, domain.DeviceLabel(v.UserAgent), v.IP, v.UsedAt, v.Expires})
	}
	return out, nil
}

type enrolOutput struct {
	Body struct {
		Secret  string       `json:"secret" doc:"for an app without a camera"`
		URI     string       `json:"uri" doc:"otpauth://"`
		Picture totp.Picture `json:"picture" doc:"QR code: the path of an SVG of this size"`
	}
}

func (s *Service) postTOTP(ctx context.Context, _ *struct{}) (*enrolOutput, error) {
	e, err := s.EnrolTOTP(ctx, httpx.Principal(ctx))
	if err != nil {
		return nil, err
	}
	out := &enrolOutput{}
	out.Body.Secret, out.Body.URI, out.Body.Picture = e.Secret, e.URI, e.Picture
	return out, nil
}

// addedOutput is what follows a new second factor.
type addedOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Step
		Codes []string `json:"recovery_codes,omitempty" doc:"shown this once"`
	}
}

func (s *Service) added(codes []string, v Signed, web bool, err error) (*addedOutput, error) {
	a, err := s.answer(v, web, err)
	if err != nil {
		return nil, err
	}
	out := &addedOutput{SetCookie: a.SetCookie}
	out.Body.Step, out.Body.Codes = a.Body, codes
	return out, nil
}

func (s *Service) confirmTOTP(ctx context.Context, in *struct {
	Body struct {
		Code   string `json:"code" maxLength:"16"`
		Client string `json:"client,omitempty" enum:"web,native"`
	}
}) (*addedOutput, error) {
	codes, v, err := s.ConfirmTOTP(ctx, httpx.Principal(ctx), in.Body.Code, client(ctx))
	return s.added(codes, v, in.Body.Client == "web", err)
}

func (s *Service) deleteTOTP(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.RemoveTOTP(ctx, httpx.Principal(ctx), client(ctx))
}

type codesOutput struct {
	Body struct {
		Codes []string `json:"recovery_codes" doc:"shown this once"`
	}
}

func (s *Service) postCodes(ctx context.Context, _ *struct{}) (*codesOutput, error) {
	codes, err := s.NewRecoveryCodes(ctx, httpx.Principal(ctx), client(ctx))
	if err != nil {
		return nil, err
	}
	out := &codesOutput{}
	out.Body.Codes = codes
	return out, nil
}

func (s *Service) deleteBrowser(ctx context.Context, in *struct {
	Browser string `path:"browser" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.ForgetBrowser(ctx, httpx.Principal(ctx), in.Browser, client(ctx))
}

func (s *Service) getExport(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	account, err := s.exported(ctx, httpx.Principal(ctx), client(ctx))
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/x-ndjson")
		hc.SetHeader("Content-Disposition", `attachment; filename="unhidra.jsonl"`)
		if err := s.writeExport(ctx, hc.BodyWriter(), account); err != nil {
			s.Log.WarnContext(ctx, "an export broke off", "user", account.Me.ID, "err", err)
		}
	}}, nil
}

func (s *Service) deleteMe(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
	return nil, s.Delete(ctx, httpx.Principal(ctx), client(ctx))
}
