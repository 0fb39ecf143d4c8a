package mail_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// What a server says to the sender, or about signing in and relaying, is about how it is
// set up, and no reason to lose a mail.
func TestMisconfiguredServerLosesNoMail(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]mailtest.Options{
		"554 at MAIL FROM": {RefuseSender: refuse(554, "5.7.1 sender not owned")},
		"550 at MAIL FROM": {RefuseSender: refuse(550, "no such domain")},
		"530 at MAIL FROM": {RefuseSender: refuse(530, "5.7.0 authentication required")},
		"530 at RCPT":      {Refuse: func(string, int) error { return refuse(530, "authentication required")("") }},
		"relaying":         {Refuse: func(string, int) error { return refuse(554, "5.7.1 relay access denied")("") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testkit.Open(t, testkit.SQLite(t))
			n := start(t, db, mailtest.Start(t, o))
			if err := n.Queue.Queue(t.Context(), reset("ann@example.org")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the refusal is recorded", func() bool {
				return strings.Contains(n.log.String(),
					"mail not sent yet")
			})
			if waiting(t, db) != 1 {
				t.Errorf("the mail is lost:\n%s", n.log)
			}
		})
	}
}

func refuse(code int, text string) func(string) error {
	return func(string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
	}
}

func TestAFailureNamesItsLikelyCause(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	tlsServer := mailtest.Start(t, mailtest.Options{Implicit: true})
	for name, c := range map[string]struct {
		url, want string
	}{
		"silence": {"smtp://" + silent.Addr().String(), "smtps://"},
		"TLS is not spoken": {strings.Replace(mailtest.Start(t, mailtest.Options{Clear: true}).URL, "smtp:", "smtps:", 1),
			"smtp:// in place of smtps://"},
		"unknown authority": {tlsServer.URL, "UNHIDRA_SMTP_CA_FILE"},
		"sender refused": {mailtest.Start(t, mailtest.Options{Clear: true, RefuseSender: refuse(554, "5.7.1 no")}).URL +
			"?tls=off", "UNHIDRA_MAIL_FROM"},
		"no password": {mailtest.Start(t, mailtest.Options{Clear: true, RefuseSender: refuse(530, "5.7.0 no")}).URL +
			"?tls=off", "a name and a password"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := mail.NewSender(mail.Options{URL: c.url, From: from})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if name == "silence" { // the others are answered
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
			}
			if err := s.Check(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func TestPrivateCertificateAuthority(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	server := mailtest.Start(t, mailtest.Options{Implicit: true, Authority: ca})
	s, err := mail.NewSender(mail.Options{URL: server.URL, From: from, CAFile: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{file, file + ".missing"} {
		_, err := mail.NewSender(mail.Options{URL: server.URL, From: from, CAFile: file})
		if err == nil || !strings.Contains(err.Error(), "UNHIDRA_SMTP_CA_FILE") {
			t.Errorf("%v", err)
		}
		if strings.HasSuffix(file, ".missing") && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
}
