package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/unhidra/unhidra/internal/captcha"
)

// Registration describes a new account.
type Registration struct {
	Username    string `json:"username"`
	DisplayName string `json:"display_name,omitempty"`
	Email       string `json:"email,omitempty"`
	Password    string `json:"password"`
	SetupToken  string `json:"setup_token,omitempty"` // from the setup link that the server prints at its first start
	Invite      string `json:"invite,omitempty"`      // from the link of an invitation to the server
}

// signInAnswer is the response to every request that signs in.
type signInAnswer struct {
	State   string    `json:"state"`
	Ticket  string    `json:"ticket"`
	Methods []string  `json:"methods"` // available second factors
	Access  string    `json:"access_token"`
	Expires time.Time `json:"expires"`
	Life    int64     `json:"expires_in"` // lifetime in seconds, which does not depend on this machine's clock
	Refresh string    `json:"refresh_token"`
	Limited bool      `json:"limited"` // a second factor must be added before anything else
	Me      *Me       `json:"me"`
}

// tokens returns the tokens of the new session.
func (s *signInAnswer) tokens() Tokens {
	t := Tokens{Access: s.Access, Expires: s.Expires, Refresh: s.Refresh}
	if s.Life > 0 {
		t.Expires = time.Now().Add(time.Duration(s.Life) * time.Second)
	}
	return t
}

// Register creates an account and signs in. If the e-mail address must be verified first, the
// error's code is CodeEmailNotVerified. If the server requires a proof of work, Register solves it.
func (c *Client) Register(ctx context.Context, r Registration) error {
	in := struct {
		Registration
		Captcha string `json:"captcha,omitempty"`
		Client  string `json:"client"`
	}{r, "", "native"}
	return c.paid(ctx, "register", &in.Captcha, func() error { return c.sign(ctx, "/auth/register", in) })
}

// SignIn begins a session. login is a username or an e-mail address. If a second factor is
// required, the error's code is CodeSecondFactor; continue with Factor.
func (c *Client) SignIn(ctx context.Context, login, password string) error {
	in := struct {
		Login    string `json:"login"`
		Password string `json:"password"`
		Captcha  string `json:"captcha,omitempty"`
		Client   string `json:"client"`
	}{login, password, "", "native"}
	return c.paid(ctx, "sign_in", &in.Captcha, func() error { return c.sign(ctx, "/auth/sign-in", in) })
}

// Factor continues a sign-in that requires a second factor, with a code of an authenticator app or
// a recovery code.
func (c *Client) Factor(ctx context.Context, code string) error {
	c.mu.Lock()
	ticket := c.ticket
	c.mu.Unlock()
	return c.sign(ctx, "/auth/sign-in/factor", map[string]string{"ticket": ticket, "code": code, "client": "native"})
}

// SignOut ends the session.
func (c *Client) SignOut(ctx context.Context) error {
	err := c.Do(ctx, http.MethodPost, "/auth/sign-out", map[string]string{"refresh_token": c.Tokens().Refresh}, nil)
	c.SetTokens(Tokens{})
	return err
}

// paid calls do. If the server requires a proof of work, paid solves it and calls do again.
func (c *Client) paid(ctx context.Context, action string, proof *string, do func() error) error {
	err := do()
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeCaptchaRequired {
		return err
	}
	var asked struct {
		Kind      string            `json:"kind"`
		Challenge captcha.Challenge `json:"challenge"`
		Config    json.RawMessage   `json:"config"` // of the provider
	}
	if err := c.call(ctx, http.MethodGet, "/auth/captcha?action="+action, "", nil, &asked); err != nil {
		return err
	}
	if asked.Kind != captcha.KindPoW {
		return err // only a person can solve it, in the web client
	}
	solved, err := asked.Challenge.Solve()
	if err != nil {
		return err
	}
	if *proof, err = solved.Encode(); err != nil {
		return err
	}
	return do()
}

func (c *Client) sign(ctx context.Context, path string, in any) error {
	var s signInAnswer
	if err := c.call(ctx, http.MethodPost, path, "", in, &s); err != nil {
		return err
	}
	switch s.State {
	case "complete":
		c.SetTokens(s.tokens())
		return nil
	case "second_factor":
		c.mu.Lock()
		c.ticket = s.Ticket
		c.mu.Unlock()
		return &Error{Kind: "unauthorized", Code: CodeSecondFactor,
			Detail: "a code of your authenticator app, or a recovery code, is needed as well"}
	case "verify_email":
		return &Error{Kind: "unauthorized", Code: CodeEmailNotVerified,
			Detail: "open the link in the mail that was sent to you, then sign in"}
	}
	return &Error{Kind: "unauthorized",
		Detail: "this account asks for another step that this client does not know; sign in with the web client"}
}

// expiry returns when token expires by the clock of this machine, which may differ from the
// server's. For a token that did not come with a sign-in it returns said, the server's time.
func (c *Client) expiry(token string, said time.Time) time.Time {
	if t := c.Tokens(); t.Access == token && !t.Expires.IsZero() {
		return t.Expires
	}
	return said
}

const refreshMargin = 30 * time.Second // a token is renewed this long before it expires

// token returns an access token. If bad is not empty, the server has refused that one, so token
// returns another. It renews the token shortly before it expires, in one caller at a time, because
// a refresh token is valid once.
func (c *Client) token(ctx context.Context, bad string) (string, error) {
	if c.Source != nil {
		return c.Source(ctx, bad != "")
	}
	for {
		c.mu.Lock()
		t := c.tokens
		fresh := t.Access != bad && (t.Expires.IsZero() || time.Until(t.Expires) > refreshMargin)
		if fresh || t.Refresh == "" {
			c.mu.Unlock()
			if t.Access == bad && bad != "" {
				return "", &Error{Kind: "unauthorized", Code: CodeSignedOut, Detail: "the session has ended; sign in again",
					Status: http.StatusUnauthorized}
			}
			return t.Access, nil
		}
		if wait := c.refreshing; wait != nil {
			c.mu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		done := make(chan struct{})
		c.refreshing = done
		c.mu.Unlock()
		// The refresh must complete even if this caller gives up: the token is used up, and using
		// it again ends the session.
		err := c.sign(context.WithoutCancel(ctx), "/auth/refresh", map[string]string{"refresh_token": t.Refresh})
		c.mu.Lock()
		c.refreshing = nil
		c.mu.Unlock()
		close(done)
		if err != nil {
			return "", err
		}
	}
}
