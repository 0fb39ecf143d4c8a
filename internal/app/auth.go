package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/oidc"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/password"
)

// buildAuth makes the auth module, joined with what this server has of the parts that it
// can do without.
func (s *server) buildAuth(ctx context.Context) (err error) {
	c, m := s.Config, &s.modules
	tell := report.New(s.logs.Part("auth"))
	tell.Audit, tell.URL, tell.Trace = m.audit, s.addrs.URL, s.tracer
	d := auth.Deps{
		Reporter: tell, Store: authStore(s.db), Files: s.files, Keys: s.keys, Hasher: password.New(s.Passwords),
		Bus: s.bus, Metrics: s.reg, Name: c.Name, Version: s.Version,
		Rules:       auth.Rules{Registration: c.Registration, SecondFactor: domain.SecondFactorRule(c.SecondFactor)},
		PasswordMin: c.PasswordMin, RegisterPerHour: c.RegisterPerHour,
		LoginPerMinute: c.LoginPerMinute, LoginBurst: c.LoginBurst,
		SessionIdle: c.SessionIdle, SessionMax: c.SessionMax, Secure: strings.HasPrefix(s.addrs.URL, "https:"),
		MQTT: s.mqttPlace(), Previews: c.LinkPreviews,
	}
	if m.mail != nil {
		tell.Mail = m.mail
	}
	if m.captcha != nil {
		d.Human = captcha.Gate{Captcha: m.captcha}
	}
	if c.OIDC.Issuer != "" {
		p, err := oidc.New(oidc.Config{
			Issuer: c.OIDC.Issuer, ClientID: c.OIDC.ClientID, Secret: c.OIDC.Secret.Reveal(),
			Redirect: s.addrs.URL + "/signed-in",
		})
		if err != nil {
			return fmt.Errorf("UNHIDRA_OIDC_ISSUER: %w", err)
		}
		d.Providers = []factor.Provider{{ID: "oidc", Label: c.OIDC.Label, Provider: p}}
	}
	if d.Passkeys, err = party(c.Name, s.addrs.URL, s.origins()); err != nil {
		return err
	}
	if m.auth, err = auth.New(ctx, d); err != nil {
		return err
	}
	m.chat.Pictures = m.auth // which is made after chat, since it needs files
	s.run("auth", m.auth.Run)
	if c.Works() {
		s.run("avatars", m.auth.RunAvatars)
	}
	return nil
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
