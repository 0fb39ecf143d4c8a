package app

import (
	"fmt"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/token"
)

func mailDeps(c config.Config, db *all.Store, keys *token.Keyring) mail.Deps {
	return mail.Deps{Store: db.Mails, Key: keys.Derive("mail"), Name: c.Name, URL: c.URL()}
}

// buildMail makes the queue that sends the server's mails, if there is a mail server.
func (s *server) buildMail() error {
	c := s.Config
	if !c.Mail.Enabled() {
		return nil
	}
	sender, err := mail.NewSender(mail.Options{URL: c.Mail.SMTP.Reveal(), From: c.Mail.From, CAFile: c.Mail.CAFile})
	if err != nil {
		return fmt.Errorf("UNHIDRA_SMTP_URL, UNHIDRA_MAIL_FROM: %w", err)
	}
	if c.PublicURL == "" && !c.TLS.Enabled() {
		s.logs.Part("mail").Warn("mails will have links that lead to this machine; "+
			"set UNHIDRA_PUBLIC_URL to where people reach the server", "url", s.addrs.URL)
	}
	d := mailDeps(c, s.db, s.keys)
	d.Sender, d.URL, d.Log, d.Metrics, d.Trace = sender, s.addrs.URL, s.logs.Part("mail"), s.reg, s.tracer
	if s.modules.mail, err = mail.New(d); err != nil {
		return err
	}
	if c.Works() {
		s.run("mail", s.modules.mail.Run)
	}
	return nil
}
