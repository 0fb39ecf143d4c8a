package config

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
)

// Mail says how mails are sent.
type Mail struct {
	SMTP   Secret // URL of the mail server; empty: no mails
	From   string
	CAFile string // PEM of authorities that its certificate may be of, beside the system's
}

// Enabled reports whether there is a mail server.
func (m Mail) Enabled() bool { return m.SMTP != "" }

// Captcha says how people are told from programs.
type Captcha struct {
	Kind    string // pow, turnstile, hcaptcha, recaptcha, recaptcha3, off
	SiteKey string // of a hosted one
	Secret  Secret
}

// Kinds of CAPTCHA that somebody else hosts.
func (c Captcha) hosted() bool { return c.Kind != "pow" && c.Kind != "off" }

// complete checks what the settings of mail say together.
func (m Mail) complete() error {
	if m.Enabled() && m.From == "" {
		return errors.New("UNHIDRA_SMTP_URL needs a sender: set UNHIDRA_MAIL_FROM, like Unhidra <chat@example.org>")
	}
	if !m.Enabled() && m.From != "" {
		return errors.New("UNHIDRA_MAIL_FROM has no mail server to go by: set UNHIDRA_SMTP_URL")
	}
	return nil
}

func (c Captcha) complete() error {
	switch {
	case c.hosted() && (c.SiteKey == "" || c.Secret == ""):
		return fmt.Errorf("UNHIDRA_CAPTCHA=%s needs UNHIDRA_CAPTCHA_SITE_KEY and UNHIDRA_CAPTCHA_SECRET, which its "+
			"provider gives", c.Kind)
	case !c.hosted() && (c.SiteKey != "" || c.Secret != ""):
		return fmt.Errorf("UNHIDRA_CAPTCHA=%s takes no site key and no secret; remove UNHIDRA_CAPTCHA_SITE_KEY and "+
			"UNHIDRA_CAPTCHA_SECRET, or name their provider", c.Kind)
	}
	return nil
}

func smtpURL(p *Secret) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		// The parser's error would repeat the value, with its password.
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" {
			return errors.New("is not of the form smtps://user:password@host:465 or smtp://user:password@host:587; write % " +
				"and @ in a password as %25 and %40")
		}
		*p = Secret(s)
		return nil
	}
}

func sender(p *string) func(string) error {
	return func(s string) error {
		*p = s
		if s == "" {
			return nil
		}
		if _, err := netmail.ParseAddress(s); err != nil {
			return fmt.Errorf("%q is not a sender; write it like Unhidra <chat@example.org>", s)
		}
		return nil
	}
}

func secret(p *Secret) func(string) error {
	return func(s string) error { *p = Secret(s); return nil }
}
