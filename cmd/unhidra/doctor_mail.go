package main

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/mail"
)

const mailTimeout = 10 * time.Second

// mail connects to the mail server, authenticates and names the sender. It sends nothing.
func (d *diagnosis) mail(ctx context.Context, c config.Config) {
	if c.Captcha.Kind == "off" && c.Registration == "open" {
		d.warn("CAPTCHA", "is off while anyone may register, programs too; UNHIDRA_CAPTCHA=pow needs no third party")
	}
	if !c.Mail.Enabled() {
		d.warn("mail", "there is no mail server: addresses are not confirmed, and a forgotten password is lost; set "+
			"UNHIDRA_SMTP_URL and UNHIDRA_MAIL_FROM")
		return
	}
	if c.PublicURL == "" && !c.TLS.Enabled() {
		d.warn("mail", "the links in mails lead to %s, which is this machine; set UNHIDRA_PUBLIC_URL to where people reach "+
			"the server", c.URL())
	}
	s, err := mail.NewSender(mail.Options{URL: c.Mail.SMTP.Reveal(), From: c.Mail.From, CAFile: c.Mail.CAFile})
	if err != nil {
		d.fail("mail", "UNHIDRA_SMTP_URL, UNHIDRA_MAIL_FROM: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := s.Check(ctx); err != nil {
		d.fail("mail", "mails are queued until this is fixed: %v", err)
		return
	}
	d.ok("mail", "the mail server accepts the login, and mails from %s", c.Mail.From)
}
