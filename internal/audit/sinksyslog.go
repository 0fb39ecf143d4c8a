package audit

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxSyslog    = 8 << 10          // bytes of one message
	syslogResend = 10 * time.Second // what was sent this long before a connection broke is sent again
	facility     = 13               // log audit
)

// SyslogOptions are the address of a syslog server and how to authenticate it.
type SyslogOptions struct {
	Addr      string         // host:port
	Roots     *x509.CertPool // nil: the system's
	Cert, Key string         // PEM files of the client certificate; empty: none
	Host      string         // this server's name in messages
	Format    Format
}

// Syslog is a sink that sends RFC 5424 messages over TLS (RFC 5425).
//
// The protocol has no acknowledgements. Records count as sent when the receiver's TCP stack has
// acknowledged them. After a connection breaks, the records of its last seconds are sent again.
type Syslog struct {
	SyslogOptions
	tls    *tls.Config
	proc   string
	conn   *tls.Conn
	raw    net.Conn
	broken *brokenState
	recent []sentBatch
}

// A sentBatch is a batch that may have to be sent again.
type sentBatch struct {
	at      time.Time
	records []domain.AuditRecord
}

// brokenState is when a connection was found broken.
type brokenState struct {
	mu sync.Mutex
	at time.Time
}

// NewSyslog returns a sink that sends to a syslog server.
func NewSyslog(o SyslogOptions) (*Syslog, error) {
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("UNHIDRA_AUDIT_SYSLOG: %w", err)
	}
	c := &tls.Config{RootCAs: o.Roots, ServerName: host, MinVersion: tls.VersionTLS12}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("UNHIDRA_AUDIT_SYSLOG_CERT: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return &Syslog{SyslogOptions: o, tls: c, proc: strconv.Itoa(os.Getpid())}, nil
}

// Name identifies the receiver.
func (s *Syslog) Name() string { return "syslog:" + s.Addr }

// Send sends records and waits until the receiver's TCP stack has acknowledged them.
func (s *Syslog) Send(ctx context.Context, records []domain.AuditRecord) error {
	if s.conn != nil && !s.broken.brokenSince().IsZero() {
		_ = s.Close()
	}
	if s.conn == nil {
		again := s.resend()
		if err := s.connect(ctx); err != nil {
			return err
		}
		if len(again) > 0 {
			if err := s.write(ctx, again); err != nil {
				return err
			}
		}
	}
	if err := s.write(ctx, records); err != nil {
		return err
	}
	s.recordSent(records)
	return nil
}

func (s *Syslog) connect(ctx context.Context) error {
	d := &net.Dialer{Timeout: sinkTimeout / 2, KeepAlive: 15 * time.Second}
	raw, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, s.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		return errors.Join(err, raw.Close())
	}
	s.conn, s.raw = conn, raw
	s.broken = new(brokenState)
	go s.broken.watch(conn)
	return nil
}

var errClosed = errors.New("it closed the connection")

// watch waits for the end of conn. A syslog server sends nothing else.
func (b *brokenState) watch(conn net.Conn) {
	var buf [512]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			b.mu.Lock()
			b.at = time.Now()
			b.mu.Unlock()
			return
		}
	}
}

func (b *brokenState) brokenSince() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (s *Syslog) write(ctx context.Context, records []domain.AuditRecord) error {
	var b bytes.Buffer
	for _, r := range records {
		m := s.message(r)
		b.WriteString(strconv.Itoa(len(m)) + " ")
		b.Write(m)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(sinkTimeout)
	}
	err := s.conn.SetWriteDeadline(deadline)
	if err == nil {
		_, err = s.conn.Write(b.Bytes())
	}
	if err == nil {
		err = acknowledged(ctx, s.raw, s.broken)
	}
	if err == nil && !s.broken.brokenSince().IsZero() {
		err = errClosed
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return nil
}

// message returns a record as a message of RFC 5424.
func (s *Syslog) message(r domain.AuditRecord) []byte {
	v := open(r)
	level := 5 // notice
	switch domain.AuditSeverity(v.o.int("severity")) {
	case domain.AuditMedium:
		level = 4
	case domain.AuditHigh:
		level = 3
	case domain.AuditCritical:
		level = 2
	}
	head := fmt.Sprintf(`<%d>1 %s %s unhidra %s %s [audit@32473 seq="%d" hash="%x" format="%s"] `, facility*8+level,
		time.UnixMilli(v.millis()).UTC().Format("2006-01-02T15:04:05.000Z"), graphic(s.Host, 255), s.proc,
		graphic(v.o.str("type"), 32), v.Seq, v.Hash, s.Format.Name())
	return append([]byte(head), s.Format.Short(r, maxSyslog-len(head))...)
}

// graphic returns a value as RFC 5424 allows it in the header: at most n printable ASCII
// characters.
func graphic(v string, n int) string {
	v = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, v)
	if v == "" {
		return "-"
	}
	return v[:min(len(v), n)]
}

// recordSent keeps a batch that may have to be sent again.
func (s *Syslog) recordSent(records []domain.AuditRecord) {
	now := time.Now()
	for len(s.recent) > 0 && (now.Sub(s.recent[0].at) > syslogResend || len(s.recent) >= 8) {
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, sentBatch{now, records})
}

// resend returns what was sent shortly before the connection broke.
func (s *Syslog) resend() []domain.AuditRecord {
	var records []domain.AuditRecord
	if s.broken == nil {
		return nil
	}
	broke := s.broken.brokenSince()
	for _, b := range s.recent {
		if broke.IsZero() || broke.Sub(b.at) <= syslogResend {
			records = append(records, b.records...)
		}
	}
	return records
}

// Close closes the connection.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.conn = nil
	return conn.Close()
}
