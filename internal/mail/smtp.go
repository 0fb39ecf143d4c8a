package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/smtp"
	"net/url"
	"slices"
	"strings"
	"time"
)

// sendTimeout is how long sending a mail may take, from connecting to the last reply.
const sendTimeout = time.Minute

// A Sender sends mails to a mail server. It uses net/smtp, which shows which reply was a refusal.
// The sender adds what that package lacks: AUTH LOGIN and MIME.
type Sender struct {
	host, port string
	user, pass string
	implicit   bool // TLS from the first byte
	plain      bool // send without TLS if the server does not offer STARTTLS
	off        bool // never use TLS
	from       netmail.Address
	tls        *tls.Config
}

// Options are the options of a Sender.
type Options struct {
	// URL of the mail server. smtps://user:password@host:465 uses TLS from the first byte.
	// smtp://user:password@host:587 must change to TLS (STARTTLS) before mails or credentials are
	// sent. On the loopback it sends without TLS if STARTTLS is not offered, and with ?tls=off, for
	// a server on a trusted network, it never uses TLS.
	URL  string
	From string // "Unhidra <chat@example.org>"
	// CAFile is a PEM file of CA certificates that are trusted in addition to the system's.
	CAFile string
	TLS    *tls.Config // for tests
}

// NewSender returns a sender, or an error that says what is wrong with its options. It does not
// connect.
func NewSender(o Options) (*Sender, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("the mail server is not of the form smtps://user:password@host:465 or " +
			"smtp://user:password@host:587")
	}
	s := &Sender{host: u.Hostname(), port: u.Port(), implicit: u.Scheme == "smtps", user: u.User.Username(), tls: o.TLS}
	s.pass, _ = u.User.Password()
	if s.port == "" {
		s.port = map[bool]string{true: "465", false: "587"}[s.implicit]
	}
	for name, v := range u.Query() {
		if name != "tls" || len(v) != 1 || v[0] != "off" || s.implicit {
			return nil, errors.New("the only option of a mail server is ?tls=off, with smtp")
		}
		s.plain, s.off = true, true
	}
	if s.plain && s.user != "" && !loopback(s.host) {
		return nil, errors.New("?tls=off would send the mail server's password in the clear; use smtps or STARTTLS")
	}
	s.plain = s.plain || loopback(s.host)
	if s.tls == nil {
		if s.tls, err = trusting(o.CAFile); err != nil {
			return nil, err
		}
	}
	from, err := netmail.ParseAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("%q is not a sender; write it like Unhidra <chat@example.org>", o.From)
	}
	s.from = *from
	if err := checkAddress(s.from.Address); err != nil {
		return nil, err
	}
	return s, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// checkAddress refuses everything but a bare address, because anything else could add recipients or
// headers.
func checkAddress(s string) error {
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 ||
		strings.ContainsFunc(s, func(r rune) bool {
			return r <= ' ' || r == 0x7f ||
				strings.ContainsRune(`"<>()[],:;\`, r)
		}) {
		return errors.New("not a plain e-mail address")
	}
	return nil
}

// Send sends a mail to the server.
func (s *Sender) Send(ctx context.Context, to string, message []byte) error {
	if err := checkAddress(to); err != nil {
		return err
	}
	c, hangUp, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	if err := say(c, s.from.Address, to, message); err != nil {
		return err
	}
	_ = c.Quit() // the server has the mail: an error here must not send it again
	return nil
}

// Check connects, authenticates and sends MAIL FROM, but names no recipient. It returns an error if
// mails cannot be sent.
func (s *Sender) Check(ctx context.Context) error {
	c, hangUp, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp()
	if err := c.Mail(s.from.Address); err != nil {
		return senderRefused(s.from.Address, err)
	}
	if err := c.Reset(); err != nil {
		return said("to begin anew", err)
	}
	return c.Quit()
}

// say sends a mail over a connection.
func say(c *smtp.Client, from, to string, message []byte) error {
	if err := c.Mail(from); err != nil {
		return senderRefused(from, err)
	}
	if err := c.Rcpt(to); err != nil {
		return recipientRefused(err)
	}
	w, err := c.Data()
	if err != nil {
		return said("the mail", err)
	}
	if _, err := w.Write(message); err != nil {
		return err
	}
	return said("the mail", w.Close())
}

// connect connects, changes to TLS and authenticates. Everything, including what the caller does
// next, must end within sendTimeout. hangUp closes the connection.
func (s *Sender) connect(ctx context.Context) (_ *smtp.Client, hangUp func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("reach the mail server: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	hangUp = func() {
		stop()
		_ = conn.Close()
		cancel()
	}
	c, err := s.greet(ctx, conn)
	if err != nil {
		hangUp()
		return nil, nil, err
	}
	return c, hangUp, nil
}

func (s *Sender) greet(ctx context.Context, conn net.Conn) (*smtp.Client, error) {
	t := s.tlsConfig()
	if s.implicit {
		secure := tls.Client(conn, t)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, noTLS(err)
		}
		conn = secure
	}
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, notGreeted(ctx, err)
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	if err := c.Hello(domain); err != nil {
		return nil, fmt.Errorf("greet the mail server: %w", err)
	}
	if !s.implicit && !s.off {
		if offered, _ := c.Extension("STARTTLS"); offered {
			if err := c.StartTLS(t); err != nil {
				return nil, noTLS(err)
			}
		} else if !s.plain {
			return nil, errors.New("the mail server does not offer STARTTLS; use smtps if it takes TLS from the start, or " +
				"?tls=off on a network that you trust")
		}
	}
	if s.user == "" {
		return c, nil
	}
	if err := s.signIn(c); err != nil {
		return nil, notSignedIn(err)
	}
	return c, nil
}

func (s *Sender) tlsConfig() *tls.Config {
	t := &tls.Config{}
	if s.tls != nil {
		t = s.tls.Clone()
	}
	t.ServerName, t.MinVersion = s.host, tls.VersionTLS12
	return t
}

func (s *Sender) signIn(c *smtp.Client) error {
	_, how := c.Extension("AUTH")
	methods := strings.Fields(strings.ToUpper(how))
	switch {
	case slices.Contains(methods, "PLAIN"):
		return c.Auth(smtp.PlainAuth("", s.user, s.pass, s.host))
	case slices.Contains(methods, "LOGIN"):
		return c.Auth(&login{s.user, s.pass, 0})
	}
	return fmt.Errorf("it offers neither AUTH PLAIN nor AUTH LOGIN, but %q", how)
}

// login implements AUTH LOGIN, which is all that some servers offer. The server prompts for the
// username, then for the password. The prompts differ between servers.
type login struct {
	user, pass string
	asked      int
}

// Start implements smtp.Auth.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS && !loopback(server.Name) {
		return "", nil, errors.New("the password would go in the clear")
	}
	return "LOGIN", nil, nil
}

// Next implements smtp.Auth.
func (l *login) Next(_ []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	l.asked++
	switch l.asked {
	case 1:
		return []byte(l.user), nil
	case 2:
		return []byte(l.pass), nil
	}
	return nil, errors.New("the server asks for more than a name and a password")
}
