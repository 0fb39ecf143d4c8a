package app

import (
	"fmt"

	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/token"
)

// mail returns the queue that sends the server's mails, or nil without a mail
// server, and adds the part that runs it.
func (s *server) mail(keys *token.Keyring) (*mail.Queue, error) {
	c := s.Config
	if !c.Mail.Enabled() {
		return nil, nil
	}
	sender, err := mail.NewSender(mail.Options{URL: c.Mail.SMTP.Reveal(), From: c.Mail.From, CAFile: c.Mail.CAFile})
	if err != nil {
		return nil, fmt.Errorf("UNHIDRA_SMTP_URL, UNHIDRA_MAIL_FROM: %w", err)
	}
	if c.PublicURL == "" && !c.TLS.Enabled() {
		s.Log.Warn("mails will have links that lead to this machine; set UNHIDRA_PUBLIC_URL to where people reach the server", "url", s.addrs.URL)
	}
	q, err := mail.New(mail.Deps{
		Store: s.db.Mails, Sender: sender, Key: keys.Derive("mail"), Name: c.Name, URL: s.addrs.URL, Log: s.Log, Metrics: s.reg,
	})
	if err != nil {
		return nil, err
	}
	if c.Works() {
		s.parts = append(s.parts, part{"mail", q.Run})
	}
	return q, nil
}
