package auth

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/httpx"
)

func (s *Service) passkeyRoutes(api huma.API) {
	tag := []string{"accounts"}
	httpx.Register(api, huma.Operation{OperationID: "begin-passkey-sign-in", Method: "POST", Path: "/auth/passkey",
		Tags: tag, Summary: "Begin to sign in with a passkey alone"}, s.postPasskeySignIn)
	httpx.Register(api, huma.Operation{OperationID: "passkey-sign-in", Method: "POST", Path: "/auth/passkey/finish",
		Tags: tag, Summary: "Sign in with a passkey alone"}, s.finishPasskeySignIn)
	httpx.Register(api, huma.Operation{OperationID: "begin-passkey-factor", Method: "POST", Path: "/auth/sign-in/passkey",
		Tags: tag, Summary: "Ask for a passkey as the second factor of a sign-in"}, s.postPasskeyFactor)
	httpx.Register(api, early(own("begin-passkey-step-up", "POST", "/me/step-up/passkey",
		"Ask for a passkey to prove anew who you are")), s.postPasskeyStepUp)
	httpx.Register(api, early(own("begin-passkey", "POST", "/me/passkeys", "Begin to add a passkey")), s.postPasskey)
	httpx.Register(api, early(own("add-passkey", "POST", "/me/passkeys/finish", "Add a passkey that the browser made")),
		s.finishPasskey)
	httpx.Register(api, gone(own("rename-passkey", "PATCH", "/me/passkeys/{passkey}", "Rename a passkey")), s.patchPasskey)
	httpx.Register(api, gone(own("remove-passkey", "DELETE", "/me/passkeys/{passkey}", "Remove a passkey")),
		s.deletePasskey)
}

// ceremony is a question for a browser's authenticator.
type ceremony struct {
	Body struct {
		Ticket  string          `json:"ticket" doc:"goes with the answer; good for five minutes, once"`
		Options json.RawMessage `json:"options" doc:"for navigator.credentials"`
		Origins []string        `json:"origins" nullable:"false" doc:"of pages that may use passkeys; send people to the first one from others"`
	}
}

func (s *Service) asked(c factor.Ceremony, err error) (*ceremony, error) {
	if err != nil {
		return nil, err
	}
	out := &ceremony{}
	out.Body.Ticket, out.Body.Options, out.Body.Origins = c.Ticket, c.Options, s.Factors.Passkeys.Origins()
	return out, nil
}

func (s *Service) postPasskeySignIn(ctx context.Context, _ *struct{}) (*ceremony, error) {
	return s.asked(s.BeginPasskeySignIn(ctx, client(ctx)))
}

func (s *Service) finishPasskeySignIn(ctx context.Context, in *struct {
	Body struct {
		Ticket  string          `json:"ticket"`
		Passkey json.RawMessage `json:"passkey" doc:"the browser's PublicKeyCredential as JSON"`
		Client  string          `json:"client,omitempty" enum:"web,native"`
	}
}) (*signedOutput, error) {
	v, err := s.PasskeySignIn(ctx, in.Body.Ticket, in.Body.Passkey, client(ctx))
	return s.answer(v, in.Body.Client == "web", err)
}

func (s *Service) postPasskeyFactor(ctx context.Context, in *struct {
	Body struct {
		Ticket string `json:"ticket"`
	}
}) (*ceremony, error) {
	return s.asked(s.BeginPasskeyFactor(ctx, in.Body.Ticket))
}

func (s *Service) postPasskeyStepUp(ctx context.Context, _ *struct{}) (*ceremony, error) {
	return s.asked(s.BeginPasskeyStepUp(ctx, httpx.Principal(ctx)))
}

func (s *Service) postPasskey(ctx context.Context, _ *struct{}) (*ceremony, error) {
	return s.asked(s.BeginPasskey(ctx, httpx.Principal(ctx)))
}

func (s *Service) finishPasskey(ctx context.Context, in *struct {
	Body struct {
		Ticket  string          `json:"ticket"`
		Name    string          `json:"name" example:"phone"`
		Passkey json.RawMessage `json:"passkey" doc:"the browser's PublicKeyCredential as JSON"`
		Client  string          `json:"client,omitempty" enum:"web,native"`
	}
}) (*addedOutput, error) {
	b := in.Body
	codes, v, err := s.AddPasskey(ctx, httpx.Principal(ctx), b.Ticket, b.Name, b.Passkey, client(ctx))
	return s.added(codes, v, b.Client == "web", err)
}

func (s *Service) patchPasskey(ctx context.Context, in *struct {
	Passkey string `path:"passkey" maxLength:"1400"`
	Body    struct {
		Name string `json:"name"`
	}
}) (*struct{}, error) {
	return nil, s.RenamePasskey(ctx, httpx.Principal(ctx), in.Passkey, in.Body.Name)
}

func (s *Service) deletePasskey(ctx context.Context, in *struct {
	Passkey string `path:"passkey" maxLength:"1400"`
}) (*struct{}, error) {
	return nil, s.RemovePasskey(ctx, httpx.Principal(ctx), in.Passkey, client(ctx))
}
