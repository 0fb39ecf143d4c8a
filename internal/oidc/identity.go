package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	coreos "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/unhidra/unhidra/internal/domain"
)

// Identity is a person's identity at the provider. Issuer and Subject together identify the person
// and never change. The other fields may change or pass to another person, so an account must not
// be looked up by them alone.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool // the provider asserts that the address is this person's
	Name            string
	Username        string // the username at the provider, as a suggestion
}

// claims are the claims read from the id token or the userinfo endpoint.
type claims struct {
	Subject  string   `json:"sub"`
	Email    string   `json:"email"`
	Verified flexible `json:"email_verified"`
	Name     string   `json:"name"`
	Username string   `json:"preferred_username"`
	Party    string   `json:"azp"`
}

// flexible is a boolean that some providers write as a string.
type flexible bool

func (f *flexible) UnmarshalJSON(b []byte) error {
	*f = string(b) == "true" || string(b) == `"true"`
	return nil
}

// Finish completes an attempt with the parameters of the provider's redirect. The caller must have
// deleted the attempt from its store, so that it is used once.
func (p *Provider) Finish(ctx context.Context, a Attempt, back url.Values) (Identity, error) {
	if a.State == "" || subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(a.State)) != 1 {
		return Identity{}, refused(errors.New("state is not the attempt's"))
	}
	d, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	// The issuer of the response must be the one that was asked (RFC 9207), also for errors.
	if iss := back.Get("iss"); iss != p.Issuer && (iss != "" || d.answer.NamesIssuer) {
		return Identity{}, refused(fmt.Errorf("answer comes from %q", short(iss)))
	}
	switch code := back.Get("error"); {
	case code == "access_denied":
		return Identity{}, domain.Unauthorized.Errorf(domain.CodeOIDCDenied, "the sign-in was broken off there")
	case code != "":
		return Identity{}, refused(fmt.Errorf("provider says %q: %q", short(code), short(back.Get("error_description"))))
	case back.Get("code") == "":
		return Identity{}, refused(errors.New("no code"))
	}
	ctx = coreos.ClientContext(ctx, p.http)
	token, err := d.oauth.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return Identity{}, exchange(err)
	}
	return p.identity(ctx, d, a, token)
}

// exchange distinguishes a provider that refuses the code from one that is unavailable.
func exchange(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response.StatusCode < 500 {
		// Without the response itself, which may contain secrets.
		return refused(fmt.Errorf("code: status %d, %q: %q", e.Response.StatusCode, short(e.ErrorCode),
			short(e.ErrorDescription)))
	}
	return errUnavailable(fmt.Errorf("code: %q", short(err.Error())))
}

// identity returns the identity from the id token, and asks the userinfo endpoint for missing
// claims.
func (p *Provider) identity(ctx context.Context, d *discovered, a Attempt, token *oauth2.Token) (Identity, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, refused(errors.New("no id token"))
	}
	id, err := d.Verifier(&coreos.Config{ClientID: p.ClientID, Now: p.Now}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, refused(fmt.Errorf("id token: %q", short(err.Error())))
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return Identity{}, refused(errors.New("id token: claims cannot be read"))
	}
	switch {
	case a.Nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1:
		return Identity{}, refused(errors.New("id token: nonce is not the attempt's"))
	case c.Subject == "" || len(c.Subject) > 255:
		return Identity{}, refused(errors.New("id token: bad subject"))
	case c.Party != "" && c.Party != p.ClientID, c.Party == "" && len(id.Audience) > 1:
		return Identity{}, refused(errors.New("id token: made for another party"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return Identity{}, refused(errors.New("id token: the access token is not its own"))
		}
	}
	if c.Email == "" && d.UserInfoEndpoint() != "" {
		if err := more(ctx, d, token, &c); err != nil {
			return Identity{}, err
		}
	}
	return Identity{
		Issuer: p.Issuer, Subject: c.Subject, Email: strings.TrimSpace(c.Email), EmailVerified: bool(c.Verified) &&
			c.Email != "",
		Name: c.Name, Username: c.Username,
	}, nil
}

// more reads the userinfo endpoint. Its subject must be that of the id token.
func more(ctx context.Context, d *discovered, token *oauth2.Token, c *claims) error {
	info, err := d.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return errUnavailable(fmt.Errorf("userinfo: %q", short(err.Error())))
	}
	var u claims
	if err := info.Claims(&u); err != nil {
		return refused(errors.New("userinfo: claims cannot be read"))
	}
	if u.Subject != c.Subject {
		return refused(errors.New("userinfo: of another subject"))
	}
	c.Email, c.Verified = u.Email, u.Verified
	if c.Name == "" {
		c.Name = u.Name
	}
	if c.Username == "" {
		c.Username = u.Username
	}
	return nil
}

// refused returns the error for every invalid response. The cause is only logged.
func refused(cause error) error {
	return domain.Unauthorized.Errorf(domain.CodeOIDCRefused, "the sign-in did not work; begin it again").Because(cause)
}

// short shortens text of a third party for the log.
func short(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
