package client

import (
	"context"
	"net/http"
	"time"
)

// Registration is a new account.
type Registration struct {
	Username    string `json:"username"`
	DisplayName string `json:"display_name,omitempty"`
	Email       string `json:"email,omitempty"`
	Password    string `json:"password"`
	SetupToken  string `json:"setup_token,omitempty"` // of the link that the first start prints
}

// signed is the answer to everything that signs in.
type signed struct {
	State   string    `json:"state"`
	Access  string    `json:"access_token"`
	Expires time.Time `json:"expires"`
	Refresh string    `json:"refresh_token"`
}

// Register makes an account and signs in.
func (c *Client) Register(ctx context.Context, r Registration) error {
	return c.sign(ctx, "/auth/register", struct {
		Registration
		Client string `json:"client"`
	}{r, "native"})
}

// SignIn begins a session. The login is a username or an e-mail address.
func (c *Client) SignIn(ctx context.Context, login, password string) error {
	return c.sign(ctx, "/auth/sign-in", map[string]string{"login": login, "password": password, "client": "native"})
}

// SignOut ends the session.
func (c *Client) SignOut(ctx context.Context) error {
	err := c.Do(ctx, http.MethodPost, "/auth/sign-out", nil, nil)
	c.SetTokens(Tokens{})
	return err
}

func (c *Client) sign(ctx context.Context, path string, in any) error {
	var s signed
	if err := c.call(ctx, http.MethodPost, path, "", in, &s); err != nil {
		return err
	}
	if s.State != "complete" {
		return &Error{Kind: "unauthorized", Code: s.State, Detail: "this account asks for another step that this client does not know; sign in with the web client"}
	}
	c.SetTokens(Tokens{Access: s.Access, Expires: s.Expires, Refresh: s.Refresh})
	return nil
}

const early = 30 * time.Second // before its end a token is renewed

// token returns an access token other than bad, which the server refused. It
// is renewed when it is about to end, by one caller at a time: a refresh token
// works only once.
func (c *Client) token(ctx context.Context, bad string) (string, error) {
	if c.Source != nil {
		return c.Source(ctx, bad != "")
	}
	for {
		c.mu.Lock()
		t := c.tokens
		fresh := t.Access != bad && (t.Expires.IsZero() || time.Until(t.Expires) > early)
		if fresh || t.Refresh == "" {
			c.mu.Unlock()
			if t.Access == bad && bad != "" {
				return "", &Error{Kind: "unauthorized", Code: "signed_out", Detail: "the session has ended; sign in again", Status: http.StatusUnauthorized}
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
		err := c.sign(ctx, "/auth/refresh", map[string]string{"refresh_token": t.Refresh})
		c.mu.Lock()
		c.refreshing = nil
		c.mu.Unlock()
		close(done)
		if err != nil {
			return "", err
		}
	}
}
