package app

import (
	"fmt"

	"github.com/unhidra/unhidra/internal/mail"
)

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
		s.Log.Warn("mails will have links that lead to this machine; "+
			"set UNHIDRA_PUBLIC_URL to where people reach the server", "url", s.addrs.URL)
	}
	s.modules.mail, err = mail.New(mail.Deps{
		Store: s.db.Mails, Sender: sender, Key: s.keys.Derive("mail"), Name: c.Name, URL: s.addrs.URL,
		Log: s.Log, Metrics: s.reg,
	})
	if err != nil {
		return err
	}
	if c.Works() {
		s.run("mail", s.modules.mail.Run)
	}
	return nil
}
