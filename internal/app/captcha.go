package app

import (
	"net/url"

	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/config"
)

// buildCaptcha makes what tells people from programs, unless that is off.
func (s *server) buildCaptcha() (err error) {
	c := s.Config.Captcha
	switch c.Kind {
	case "off":
	case captcha.KindPoW:
		p := captcha.NewPoW(captcha.PoWOptions{Key: s.keys.Derive("captcha"), Uses: s.db.Server,
			Log: s.logs.Part("captcha")})
		s.modules.captcha = p
		s.run("captcha", p.Run)
	default:
		s.modules.captcha, err = captcha.NewHosted(captcha.HostedOptions{
			Kind: c.Kind, SiteKey: c.SiteKey, Secret: c.Secret.Reveal(), Hosts: hosts(s.addrs.URL, s.Config),
		})
	}
	return err
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
