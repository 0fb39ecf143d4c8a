package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mail"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
)

const from = "Team chat <chat@example.org>"

// canary is in every link; nothing but a mail may have it.
const canary = "ticket-canary-8c02e1"

// node is one server's queue, running, on a clock of the test's.
type node struct {
	*mail.Queue
	log   *testkit.Buffer
	clock *atomic.Int64
}

func (n *node) advance(d time.Duration) {
	n.clock.Add(int64(d))
	n.Poke()
}

func start(t *testing.T, db *all.Store, server *mailtest.Server) *node {
	t.Helper()
	n := &node{log: &testkit.Buffer{}, clock: &atomic.Int64{}}
	n.clock.Store(time.Now().UnixNano())
	s, err := mail.NewSender(mail.Options{URL: server.URL, From: from, TLS: server.TLS})
	if err != nil {
		t.Fatal(err)
	}
	n.Queue, err = mail.New(mail.Deps{
		Store: db.Mails, Sender: s, Key: bytes.Repeat([]byte{7}, 32), Name: "Team chat", URL: "https://chat.example.org",
		Log: slog.New(slog.NewTextHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return time.Unix(0, n.clock.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		for _, secret := range []string{canary, mailtest.Password} {
			if strings.Contains(n.log.String(), secret) {
				t.Errorf("%q is in the log:\n%s", secret, n.log)
			}
		}
	})
	return n
}

func reset(to string) domain.Mail {
	return domain.Mail{To: to, Template: domain.MailResetPassword, Data: domain.MailData{
		Username: "ann", Link: "https://chat.example.org/reset#t=" + canary, Expires: time.Now().Add(30 * 24 * time.Hour),
	}}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // asks again; what it waits for happens elsewhere
	}
}

func waiting(t *testing.T, db *all.Store) int {
	t.Helper()
	n, err := db.Mails.WaitingMails(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMailsArrive(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]mailtest.Options{
		"starttls":       {},
		"starttls plain": {Auth: "PLAIN"},
		"tls plain":      {Implicit: true, Auth: "PLAIN"},
		"tls login":      {Implicit: true, Auth: "LOGIN"},
		"loopback clear": {Clear: true},
	} {
		t.Run(name, func(t *testing.T) {
			db := testkit.Open(t, testkit.SQLite(t))
			server := mailtest.Start(t, o)
			n := start(t, db, server)
			if err := n.Queue.Queue(t.Context(), reset("ann@example.org")); err != nil {
				t.Fatal(err)
			}
			m := server.Wait(t, "ann@example.org", 1)
			if m.From != "chat@example.org" || m.Secure == o.Clear {
				t.Errorf("from %q, over TLS: %v", m.From, m.Secure)
			}
			if m.Subject != "Choose a new password for Team chat" || m.Header.Get("To") != "<ann@example.org>" ||
				m.Header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("header: %v", m.Header)
			}
			if m.Link() != "https://chat.example.org/reset#t="+canary {
				t.Errorf("link %q in\n%s", m.Link(), m.Text)
			}
			if strings.Count(m.HTML, `href="https://chat.example.org/reset#t=`+canary+`"`) != 1 {
				t.Errorf("HTML:\n%s", m.HTML)
			}
			eventually(t, "the mail is recorded as sent", func() bool { return waiting(t, db) == 0 })
		})
	}
}

func TestRetryOnATemporaryRefusal(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{Refuse: func(to string, try int) error {
		if try < 4 {
			return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0},
				Message: "greylisted: " + to + " https://spam.example/?" + canary}
		}
		return nil
	}})
	n := start(t, db, server)
	if err := n.Queue.Queue(t.Context(), reset("ann@example.org")); err != nil {
		t.Fatal(err)
	}
	for try := 1; try < 4; try++ {
		eventually(t, "a refusal is recorded", func() bool {
			return strings.Count(n.log.String(),
				"mail not sent yet") == try
		})
		n.Poke() // too early: nothing may happen before the clock moves
		n.advance(mail.Backoff(try) * 3)
	}
	m := server.Wait(t, "ann@example.org", 1)
	if server.Tries("ann@example.org") != 4 || len(server.Mails()) != 1 || m.Link() == "" {
		t.Errorf("%d tries, %d mails", server.Tries("ann@example.org"), len(server.Mails()))
	}
	if strings.Contains(n.log.String(), "ann@example.org") || !strings.Contains(n.log.String(), "greylisted") {
		t.Errorf("the log:\n%s", n.log)
	}
}

func TestGiveUpOnAPermanentRefusal(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{Refuse: func(to string, _ int) error {
		if to == "gone@example.org" {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
		}
		return nil
	}})
	n := start(t, db, server)
	if err := n.Queue.Queue(t.Context(), reset("gone@example.org")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mail is given up", func() bool { return waiting(t, db) == 0 })
	n.advance(20 * time.Hour)
	if err := n.Queue.Queue(t.Context(), reset("ann@example.org")); err != nil {
		t.Fatal(err)
	}
	server.Wait(t, "ann@example.org", 1) // whatever was due before has been tried
	if server.Tries("gone@example.org") != 1 || strings.Count(n.log.String(), "mail given up") != 1 {
		t.Errorf("%d tries; the log:\n%s", server.Tries("gone@example.org"), n.log)
	}
}

func TestGiveUpAfterADay(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{Refuse: func(string,
		int) error {
		return &smtp.SMTPError{Code: 451, Message: "later"}
	}})
	n := start(t, db, server)
	if err := n.Queue.Queue(t.Context(), reset("ann@example.org")); err != nil {
		t.Fatal(err)
	}
	for hours := 0; waiting(t, db) > 0; hours += 3 {
		if hours > 30 {
			t.Fatal("still waiting after 30 hours")
		}
		tries := server.Tries("ann@example.org")
		eventually(t, "another try, or the end", func() bool {
			said := strings.Count(n.log.String(), "mail not sent yet") + strings.Count(n.log.String(), "mail given up")
			return said > hours/3 && server.Tries("ann@example.org") >= tries
		})
		n.advance(3 * time.Hour)
	}
	if tries := server.Tries("ann@example.org"); tries < 7 || tries > 10 {
		t.Errorf("%d tries in a day, three hours apart", tries)
	}
}

func TestAnExpiredLinkIsNotSent(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{Refuse: func(_ string, try int) error {
		if try == 1 {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}})
	n := start(t, db, server)
	m := reset("ann@example.org")
	m.Data.Expires = time.Now().Add(time.Hour)
	if err := n.Queue.Queue(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a refusal", func() bool { return strings.Contains(n.log.String(), "mail not sent yet") })
	n.advance(2 * time.Hour)
	eventually(t, "the mail is given up", func() bool { return waiting(t, db) == 0 })
	if len(server.Mails()) != 0 {
		t.Error("a link that had expired was sent")
	}
	m.Data.Expires = time.Now().Add(-time.Hour)
	if err := n.Queue.Queue(t.Context(), m); err == nil {
		t.Error("a link that has expired is queued")
	}
}

func TestUnreachableServerLosesNoMail(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	away := mailtest.Server{URL: "smtp://127.0.0.1:1"}
	n := start(t, db, &away)
	if err := n.Queue.Queue(t.Context(), reset("ann@example.org")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the failure is recorded", func() bool {
		return strings.Contains(n.log.String(),
			"reach the mail server")
	})
	if waiting(t, db) != 1 {
		t.Error("the mail is lost")
	}
}

func TestAWrongPasswordOrCertificateSendsNothing(t *testing.T) {
	t.Parallel()
	server := mailtest.Start(t, mailtest.Options{Implicit: true, Auth: "PLAIN"})
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(mailtest.User, "wrong")
	for name, o := range map[string]mail.Options{
		"password":    {URL: u.String(), From: from, TLS: server.TLS},
		"certificate": {URL: server.URL, From: from},
	} {
		s, err := mail.NewSender(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), "ann@example.org", []byte("Subject: x\r\n\r\nx")); err == nil {
			t.Errorf("%s: sent", name)
		} else if strings.Contains(err.Error(), "wrong") || strings.Contains(err.Error(), mailtest.Password) {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	if len(server.Mails()) != 0 {
		t.Error("a mail came")
	}
	good, err := mail.NewSender(mail.Options{URL: server.URL, From: from, TLS: server.TLS})
	if err != nil {
		t.Fatal(err)
	}
	if err := good.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func TestTwoNodesSendEachMailOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		server := mailtest.Start(t, mailtest.Options{})
		a, b := start(t, db, server), start(t, db, server)
		const mails = 30
		for i := range mails {
			n := []*node{a, b}[i%2]
			if err := n.Queue.Queue(t.Context(), reset(fmt.Sprintf("user%d@example.org", i))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range mails {
			server.Wait(t, fmt.Sprintf("user%d@example.org", i), 1)
		}
		eventually(t, "all are recorded as sent", func() bool { return waiting(t, db) == 0 })
		if n := len(server.Mails()); n != mails {
			t.Errorf("%d mails came, of %d", n, mails)
		}
	})
}

func TestANoticeComesOnceADay(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	server := mailtest.Start(t, mailtest.Options{})
	n := start(t, db, server)
	m := reset("ann@example.org")
	m.Once = "reset:ann"
	for range 3 {
		if err := n.Queue.Queue(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	server.Wait(t, "ann@example.org", 1)
	n.advance(25 * time.Hour)
	if err := n.Queue.Queue(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	server.Wait(t, "ann@example.org", 2)
	if len(server.Mails()) != 2 {
		t.Errorf("%d mails", len(server.Mails()))
	}
}
