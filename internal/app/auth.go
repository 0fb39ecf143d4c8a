package app

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/oidc"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/token"
)

// accounts returns the auth module, joined with what this server has of the parts that
// it can do without.
func (s *server) accounts(keys *token.Keyring) (*auth.Service, error) {
	c := s.Config
	d := auth.Deps{
		Store: authStore(s.db), Files: s.files, Audit: s.modules.audit, Keys: keys, Hasher: password.New(password.Options{}), Bus: s.bus, Log: s.Log, Name: c.Name, Version: s.Version, URL: s.addrs.URL,
		Rules: auth.Rules{Registration: c.Registration, SecondFactor: domain.SecondFactorRule(c.SecondFactor)}, PasswordMin: c.PasswordMin,
		LoginPerMinute: c.LoginPerMinute, LoginBurst: c.LoginBurst, RegisterPerHour: c.RegisterPerHour,
		SessionIdle: c.SessionIdle, SessionMax: c.SessionMax, Secure: strings.HasPrefix(s.addrs.URL, "https:"),
	}
	if s.modules.mail != nil {
		d.Mail = s.modules.mail
	}
	if s.modules.captcha != nil {
		d.Human = captcha.Gate{Captcha: s.modules.captcha}
	}
	if c.OIDC.Issuer != "" {
		p, err := oidc.New(oidc.Config{Issuer: c.OIDC.Issuer, ClientID: c.OIDC.ClientID, Secret: c.OIDC.Secret.Reveal(), Redirect: s.addrs.URL + "/signed-in"})
		if err != nil {
			return nil, fmt.Errorf("UNHIDRA_OIDC_ISSUER: %w", err)
		}
		d.Providers = []auth.Provider{{ID: "oidc", Label: c.OIDC.Label, Provider: p}}
	}
	var err error
	if d.Passkeys, err = party(c.Name, s.addrs.URL, s.origins()); err != nil {
		return nil, err
	}
	return auth.New(d)
}

// party is what passkeys are made for: the name that people reach the server by.
// An address is none, and then there are no passkeys.
func party(name, base string, origins []string) (*passkey.Party, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, errors.Join(errors.New("UNHIDRA_PUBLIC_URL"), err)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil, nil
	}
	return passkey.New(name, u.Hostname(), append([]string{base}, origins...))
}
