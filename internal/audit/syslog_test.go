package audit_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// rfc5424 takes a message apart: priority, time, host, type, seq, and the rest.
var rfc5424 = regexp.MustCompile(
	`^<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) unhidra (\d+) (\S+) \[audit@32473 seq="(\d+)" hash="[0-9a-f]{64}" format="native"\] (.*)$`)

func TestSyslogFrames(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", ca.Server(time.Hour, "localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := newReceiver()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go readFrames(t, conn, got)
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	sink := syslogTo(t, ca, "localhost:"+port)
	db := testkit.Open(t, testkit.SQLite(t))
	d := deps(t, db.Audit)
	d.Sinks = []audit.Sink{sink}
	s := audit.New(d)
	run(t, s)
	fill(t, s, 10)
	long := login(1)
	long.Details = map[string]string{"long": strings.Repeat("x\n", 1000), "longer": strings.Repeat("y\x00", 1000),
		"more": strings.Repeat("\x01", 2000)}
	if err := s.RecordSync(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	head, err := db.Audit.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got.waitFor(t, head.Seq)
	complete(t, got.all(), head.Seq)
}

func readFrames(t *testing.T, conn net.Conn, got *receiver) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		length, err := r.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil || n > 8<<10 {
			t.Errorf("a frame of length %q", length)
			return
		}
		frame := make([]byte, n)
		if _, err := io.ReadFull(r, frame); err != nil {
			return
		}
		m := rfc5424.FindSubmatch(frame)
		if m == nil {
			t.Errorf("not a message of RFC 5424: %q", frame)
			return
		}
		if pri := string(m[1]); pri != "109" {
			t.Errorf("priority %s", pri)
		}
		if !json.Valid(m[7]) || strconv.FormatInt(seqOf(t, string(m[7])), 10) != string(m[6]) {
			t.Errorf("not a record: %s", m[7])
		}
		got.got(seqOf(t, string(m[7])))
	}
}

func syslogTo(t *testing.T, ca *tlstest.Authority, addr string) *audit.Syslog {
	t.Helper()
	sink, err := audit.NewSyslog(audit.SyslogOptions{Addr: addr, Roots: ca.Client().RootCAs, Host: "chat.example.org",
		Format: native()})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func TestSyslogRefusesAnUnknownCertificate(t *testing.T) {
	t.Parallel()
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", other.Server(time.Hour, "localhost"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	err = syslogTo(t, ca, "localhost:"+port).Send(t.Context(), []domain.AuditRecord{{Seq: 1, Body: []byte(`{"seq":1}`)}})
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("a stranger was sent records: %v", err)
	}
}

// TestSyslogDetectsABrokenConnection: Send fails at once if the connection breaks before
// the receiver has acknowledged everything.
func TestSyslogDetectsABrokenConnection(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		tcp := conn.(*net.TCPConn)
		_ = tcp.SetReadBuffer(1) // it takes very little
		_ = tls.Server(tcp, ca.Server(time.Hour, "localhost")).Handshake()
		_, _ = tcp.Read(make([]byte, 1)) // records are on their way, and more than it takes
		_ = tcp.SetLinger(0)
		_ = tcp.Close() // with a reset
	}()
	records := make([]domain.AuditRecord, 300)
	for i := range records {
		records[i] = domain.AuditRecord{Seq: int64(i), Body: []byte(`{"seq":1}`)}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := syslogTo(t, ca, "localhost:"+port).Send(ctx, records); err == nil || ctx.Err() != nil {
		t.Errorf("sent over a broken connection: %v; %v", err, ctx.Err())
	}
}

// An rsyslog is Debian's, in a process of its own.
type rsyslog struct {
	t    *testing.T
	dir  string
	port string
	out  string
	cmd  *exec.Cmd
}

func newRsyslog(t *testing.T, ca *tlstest.Authority) *rsyslog {
	t.Helper()
	path, err := exec.LookPath("rsyslogd")
	if err != nil {
		path = "/usr/sbin/rsyslogd"
		_, err = os.Stat(path)
	}
	if modules, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_ossl.so"); err != nil || len(modules) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("no rsyslog with OpenSSL, which CI must have")
		}
		t.Skip("no rsyslog with OpenSSL to send to: apt-get install rsyslog rsyslog-openssl")
	}
	r := &rsyslog{t: t, dir: t.TempDir()}
	r.out = filepath.Join(r.dir, "out.log")
	cert, key := ca.Files(r.dir, time.Hour, "localhost")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, r.port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	conf := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="16k" DefaultNetstreamDriver="ossl"
  DefaultNetstreamDriverCAFile=%q DefaultNetstreamDriverCertFile=%q DefaultNetstreamDriverKeyFile=%q)
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" address="127.0.0.1" port=%q)
template(name="line" type="string" string="%%pri%% %%hostname%% %%app-name%% %%msgid%% %%structured-data%% %%msg%%\n")
action(type="omfile" file=%q template="line")
`, r.dir, cert, cert, key, r.port, r.out)
	if err := os.WriteFile(filepath.Join(r.dir, "rsyslog.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start(path)
	t.Cleanup(r.kill)
	return r
}

func (r *rsyslog) start(path string) {
	r.t.Helper()
	r.cmd = exec.Command(path, "-n", "-f", filepath.Join(r.dir, "rsyslog.conf"), "-i", filepath.Join(r.dir, "pid"))
	r.cmd.Stderr, r.cmd.Stdout = r.t.Output(), r.t.Output()
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.until("rsyslog listens", func() bool {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+r.port, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// kill ends it as a power cut would.
func (r *rsyslog) kill() {
	if r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
}

func (r *rsyslog) until(what string, ok func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("%s: not within half a minute", what)
		}
	}
}

var written = regexp.MustCompile(`(?m)^109 chat.example.org unhidra (\S+) \[audit@32473 seq="(\d+)" .*\] (\{.*\})$`)

func (r *rsyslog) seqs() []int64 {
	b, err := os.ReadFile(r.out)
	if err != nil {
		return nil
	}
	var seqs []int64
	for _, m := range written.FindAllSubmatch(b, -1) {
		n, _ := strconv.ParseInt(string(m[2]), 10, 64)
		if !json.Valid(m[3]) {
			r.t.Errorf("rsyslog wrote %s", m[3])
		}
		seqs = append(seqs, n)
	}
	return seqs
}

func (r *rsyslog) waitFor(n int64) {
	r.t.Helper()
	r.until(fmt.Sprintf("record %d reaches rsyslog", n), func() bool {
		seqs := r.seqs()
		return len(seqs) > 0 && seqs[len(seqs)-1] >= n
	})
}

// A real rsyslog takes the log over TLS, is killed in the middle of it, comes
// back, and in the end has every record.
func TestRsyslogOverTLS(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	r := newRsyslog(t, ca)
	db := testkit.Open(t, testkit.SQLite(t))
	d := deps(t, db.Audit)
	d.Sinks = []audit.Sink{syslogTo(t, ca, "localhost:"+r.port)}
	s := audit.New(d)
	run(t, s)
	fill(t, s, 300)
	head, err := db.Audit.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.waitFor(head.Seq)
	fill(t, s, 50) // on their way when it dies
	path := r.cmd.Path
	r.kill()
	fill(t, s, 300)
	r.start(path)
	fill(t, s, 10)
	if head, err = db.Audit.AuditHead(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.waitFor(head.Seq)
	complete(t, r.seqs(), head.Seq)
}
