package app

import (
	"net/url"

	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/token"
)

// captcha returns what tells people from programs, or nil if that is off, and
// adds the part that it needs.
func (s *server) captcha(keys *token.Keyring) (captcha.Captcha, error) {
	c := s.Config.Captcha
	switch c.Kind {
	case "off":
		return nil, nil
	case captcha.KindPoW:
		p := captcha.NewPoW(captcha.PoWOptions{Key: keys.Derive("captcha"), Uses: s.db.Server, Log: s.Log})
		s.parts = append(s.parts, part{"captcha", p.Run})
		return p, nil
	}
	return captcha.NewHosted(captcha.HostedOptions{Kind: c.Kind, SiteKey: c.SiteKey, Secret: c.Secret.Reveal(), Hosts: hosts(s.addrs.URL, s.Config)})
}

// hosts are the names that a page of ours may have: the server's own, and those
// of the origins that are allowed.
func hosts(base string, c config.Config) []string {
	var names []string
	for _, o := range append([]string{base}, c.AllowedOrigins...) {
		if u, err := url.Parse(o); err == nil {
			names = append(names, u.Hostname())
		}
	}
	return names
}

// partners are the origins that our pages must load a provider's CAPTCHA from.
func partners(c captcha.Captcha) []string {
	if h, ok := c.(*captcha.Hosted); ok {
		return h.Origins()
	}
	return nil
}
