// Package mailtest is a mail server for tests: a real one (SMTP over TCP, with
// TLS and AUTH), on the loopback, that keeps what it is sent.
package mailtest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// Options of a Server. The zero value offers STARTTLS and wants no password.
type Options struct {
	Implicit bool   // TLS from the first byte
	Clear    bool   // no TLS at all
	Auth     string // "PLAIN" or "LOGIN": asks for User and Password that way alone
	// Authority issues the server's certificate; nil: one of its own.
	Authority *tlstest.Authority
	// Refuse may answer a mail with an *smtp.SMTPError; nil takes it. It may also
	// wait, to be a slow server.
	Refuse func(to string, try int) error
	// RefuseSender may answer MAIL FROM in the same way.
	RefuseSender func(from string) error
}

// User and Password are what a server with Auth asks for.
const (
	User     = "unhidra"
	Password = "smtp-canary-5f1d"
)

// A Server receives mails.
type Server struct {
	URL string      // for UNHIDRA_SMTP_URL
	TLS *tls.Config // of a client that trusts it; nil with Clear

	o     Options
	mu    sync.Mutex
	mails []Mail
	tries map[string]int
	news  chan struct{} // closed and replaced at each try
}

// A Mail is one that was received, parsed.
type Mail struct {
	From, To string // of the envelope
	Header   mail.Header
	Subject  string
	Text     string
	HTML     string
	Raw      string
	Secure   bool // came over TLS
}

// Start starts a server that ends with the test.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := &Server{o: o, tries: make(map[string]int), news: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	scheme, user := "smtp", ""
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{s: s, conn: c},
			nil
	}))
	server.Domain, server.ErrorLog = "localhost", log.New(io.Discard, "", 0)
	server.AllowInsecureAuth = o.Clear
	server.MaxRecipients, server.MaxLineLength, server.MaxMessageBytes = 1, 1000, 1<<20
	if !o.Clear {
		ca := o.Authority
		if ca == nil {
			ca = tlstest.NewAuthority(tb)
		}
		s.TLS, server.TLSConfig = ca.Client(), ca.Server(time.Hour)
	}
	if o.Implicit {
		scheme, l = "smtps", tls.NewListener(l, server.TLSConfig)
	}
	if o.Auth != "" {
		user = User + ":" + Password + "@"
	}
	// The name localhost, for which the certificate is, would be tried on ::1 too.
	s.URL = fmt.Sprintf("%s://%s%s", scheme, user, l.Addr())
	go func() { _ = server.Serve(l) }()
	tb.Cleanup(func() { _ = server.Close() })
	return s
}

// Mails returns what came, in order.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Tries returns how often somebody tried to send a mail to an address.
func (s *Server) Tries(to string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries[to]
}

// Wait returns the n-th mail (from 1) to an address, once it has come.
func (s *Server) Wait(tb testing.TB, to string, n int) Mail {
	tb.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		s.mu.Lock()
		news, left := s.news, n
		for _, m := range s.mails {
			if m.To == to {
				if left--; left == 0 {
					s.mu.Unlock()
					return m
				}
			}
		}
		s.mu.Unlock()
		select {
		case <-news:
		case <-deadline:
			tb.Fatalf("no mail number %d to %s came", n, to)
		}
	}
}

var link = regexp.MustCompile(`https?://[^\s<>"]+`)

// Link returns the first link of m's text.
func (m Mail) Link() string { return link.FindString(m.Text) }

// session is one connection; go-smtp calls it from one goroutine.
type session struct {
	s        *Server
	conn     *smtp.Conn
	from, to string
	signedIn bool
}

func (c *session) AuthMechanisms() []string {
	if c.s.o.Auth == "" {
		return nil
	}
	return []string{c.s.o.Auth}
}

func (c *session) Auth(how string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != User || password != Password {
			return smtp.ErrAuthFailed
		}
		c.signedIn = true
		return nil
	}
	switch how {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
	case sasl.Login:
		return &loginServer{check: check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// loginServer asks as most servers with AUTH LOGIN do.
type loginServer struct {
	check func(user, password string) error
	user  string
	step  int
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.o.Auth != "" && !c.signedIn {
		return smtp.ErrAuthRequired
	}
	if c.s.o.RefuseSender != nil {
		if err := c.s.o.RefuseSender(from); err != nil {
			return err
		}
	}
	c.from = from
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.s.mu.Lock()
	c.s.tries[to]++
	try := c.s.tries[to]
	c.s.announce()
	c.s.mu.Unlock()
	if c.s.o.Refuse != nil {
		if err := c.s.o.Refuse(to, try); err != nil {
			return err
		}
	}
	c.to = to
	return nil
}

// announce wakes those who wait. The caller holds the lock.
func (s *Server) announce() {
	close(s.news)
	s.news = make(chan struct{})
}

func (c *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, Message: err.Error()}
	}
	_, m.Secure = c.conn.TLSConnectionState()
	m.From, m.To = c.from, c.to
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mails = append(c.s.mails, m)
	c.s.announce()
	return nil
}

func (c *session) Reset()        { c.from, c.to = "", "" }
func (c *session) Logout() error { return nil }

// parse reads a mail of two parts as a reader's program would.
func parse(raw []byte) (m Mail, err error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m, err
	}
	m.Raw, m.Header = string(raw), msg.Header
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject")); err != nil {
		return m, err
	}
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		return m, fmt.Errorf("the mail is %q: %w", kind, errors.Join(err))
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			return m, err
		}
		switch {
		case strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain"):
			m.Text = string(body)
		case strings.HasPrefix(p.Header.Get("Content-Type"), "text/html"):
			m.HTML = string(body)
		}
	}
}
