package auth

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/httpx"
)

func (s *Service) linkRoutes(api huma.API) {
	tag := []string{"accounts"}
	for _, o := range []struct {
		id, path, summary string
		do                func(context.Context, *linkInput) (*cookieOutput, error)
	}{
		{"verify-email", "/auth/email/verify", "Prove a new account's address", s.postVerify},
		{"confirm-email", "/auth/email/confirm", "Prove a changed address", s.postConfirm},
		{"undo-email", "/auth/email/undo", "Go back to the address before, and end all sessions", s.postUndo},
		{"unlock", "/auth/unlock", "End a lock after failed attempts, in this browser", s.postUnlock},
	} {
		httpx.Register(api, huma.Operation{OperationID: o.id, Method: "POST", Path: o.path, Tags: tag,
			Summary: o.summary + ", by the link of a mail", DefaultStatus: 204}, o.do)
	}
	httpx.Register(api, huma.Operation{OperationID: "resend-verification", Method: "POST", Path: "/auth/email/resend",
		Tags: tag, DefaultStatus: 202,
		Summary: "Send the mail to a new account's address once more"}, s.postResend)
	httpx.Register(api, huma.Operation{OperationID: "forgot-password", Method: "POST", Path: "/auth/password/forgot",
		Tags: tag, DefaultStatus: 202,
		Summary: "Have a link mailed by which to choose another password"}, s.postForgot)
	httpx.Register(api, huma.Operation{OperationID: "reset-password", Method: "POST", Path: "/auth/password/reset",
		Tags: tag, DefaultStatus: 204,
		Summary: "Choose another password, by the link of a mail"}, s.postReset)
}

type linkInput struct {
	Body struct {
		Token string `json:"token" maxLength:"64" doc:"of the link"`
	}
}

func (s *Service) postVerify(ctx context.Context, in *linkInput) (*cookieOutput, error) {
	_, err := s.VerifyEmail(ctx, in.Body.Token, client(ctx))
	return nil, err
}

func (s *Service) postConfirm(ctx context.Context, in *linkInput) (*cookieOutput, error) {
	_, err := s.ConfirmEmail(ctx, in.Body.Token, client(ctx))
	return nil, err
}

func (s *Service) postUndo(ctx context.Context, in *linkInput) (*cookieOutput, error) {
	_, err := s.UndoEmail(ctx, in.Body.Token, client(ctx))
	return nil, err
}

func (s *Service) postUnlock(ctx context.Context, in *linkInput) (*cookieOutput, error) {
	d, err := s.Unlock(ctx, in.Body.Token, client(ctx))
	return s.known(d, err)
}

// known answers with the cookie by which a browser is known.
func (s *Service) known(d lockout.Device, err error) (*cookieOutput, error) {
	if err != nil {
		return nil, err
	}
	return &cookieOutput{[]http.Cookie{s.deviceOf(d)}}, nil
}

func (s *Service) postResend(ctx context.Context, in *struct {
	Body struct {
		Email string `json:"email" maxLength:"254"`
	}
}) (*struct{}, error) {
	return nil, s.ResendVerification(ctx, in.Body.Email, client(ctx))
}

func (s *Service) postForgot(ctx context.Context, in *struct {
	Body struct {
		Login   string `json:"login" maxLength:"254" doc:"username or e-mail address"`
		Captcha string `json:"captcha,omitempty"`
	}
}) (*struct{}, error) {
	return nil, s.ForgotPassword(ctx, in.Body.Login, clientWith(ctx, in.Body.Captcha))
}

func (s *Service) postReset(ctx context.Context, in *struct {
	Body struct {
		Token    string `json:"token" maxLength:"64" doc:"of the link"`
		Password string `json:"password"`
	}
}) (*cookieOutput, error) {
	d, err := s.ResetPassword(ctx, in.Body.Token, in.Body.Password, client(ctx))
	return s.known(d, err)
}
