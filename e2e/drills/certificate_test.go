//go:build linux

package drills

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/acmetest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// A certificate in files ends, and is replaced. Who is connected stays so.
func TestACertificateEnds(t *testing.T) {
	t.Parallel()
	ctx := drill(t)
	bin := node.Build(t)
	ca, dir := tlstest.NewAuthority(t), t.TempDir()
	ends := time.Now().Add(10 * time.Second)
	cert, key := ca.Files(dir, time.Until(ends))
	settings := []string{"UNHIDRA_TLS_CERT=" + cert, "UNHIDRA_TLS_KEY=" + key, "UNHIDRA_HTTP_ADDR=off",
		"UNHIDRA_DATA_DIR=" + t.TempDir()}
	s := serve(ctx, t, bin, settings...)
	people := []*client.Client{secured(ctx, t, s, ca.Client(), "ann"), secured(ctx, t, s, ca.Client(), "bob")}
	f := traffic.Start(ctx, t, people, traffic.Gather(ctx, t, people), usual)
	f.AwaitAll()

	traffic.Wait(ctx, t, "new connections are refused", func() bool {
		var invalid x509.CertificateInvalidError
		return errors.As(greet(ctx, s, ca.Client()), &invalid) && invalid.Reason == x509.Expired
	})
	f.AwaitAll() // those who were there go on
	doctor := exec.CommandContext(ctx, bin, "doctor")
	doctor.Env = settings
	if out, err := doctor.CombinedOutput(); err == nil || !strings.Contains(string(out), " ended on ") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	ca.Files(dir, time.Hour)
	begin := time.Now()
	traffic.Wait(ctx, t, "new connections are possible", func() bool { return greet(ctx, s, ca.Client()) == nil })
	took(t, "a certificate ends: the new files serve after", time.Since(begin))
	f.AwaitAll()
	f.Stop()
	f.Check(people[0])
}

// secured registers somebody over TLS.
func secured(ctx context.Context, t *testing.T, s *node.Node, trust *tls.Config, name string) *client.Client {
	t.Helper()
	c := client.New(strings.Replace(s.URL(), "http://127.0.0.1", "https://localhost", 1))
	c.Trust(trust)
	must(t, c.Register(ctx, client.Registration{Username: name, Password: traffic.Password}))
	return c
}

// greet opens a connection to s, as a new browser does.
func greet(ctx context.Context, s *node.Node, trust *tls.Config) error {
	c, err := (&tls.Dialer{Config: trust}).DialContext(ctx, "tcp", s.Public)
	if err != nil {
		return err
	}
	return c.Close()
}

// The ACME server refuses a certificate; once it gives some, a restarted server has one.
func TestACertificateByACME(t *testing.T) { // not in parallel: Pebble reads its settings from the environment
	ctx := drill(t)
	plain, secure := node.Port(t), node.Port(t)
	ca := acmetest.Start(t, plain, secure, 90*24*time.Hour)
	ca.Refuse("serverInternal", 500)
	s := serve(ctx, t, node.Build(t), "UNHIDRA_ACME_DOMAINS=localhost", "UNHIDRA_ACME_DIRECTORY="+ca.Directory,
		"UNHIDRA_ACME_CA_FILE="+ca.CAFile, "GATEWAY_PORT="+strconv.Itoa(secure),
		"UNHIDRA_HTTP_ADDR=127.0.0.1:"+strconv.Itoa(plain))
	s.Public = "127.0.0.1:" + strconv.Itoa(secure)
	trust := &tls.Config{RootCAs: ca.Roots, ServerName: "localhost"}
	if greet(ctx, s, trust) == nil {
		t.Fatal("there is a certificate, which nobody gave")
	}
	ca.Refuse("", 0)
	s.Stop(patience)
	begin := time.Now()
	s.Start()
	traffic.Wait(ctx, t, "there is a certificate", func() bool { return greet(ctx, s, trust) == nil })
	took(t, "a certificate ends: with ACME, a restarted server has a new one after", time.Since(begin))
	ann := secured(ctx, t, s, trust, "ann")
	_ = traffic.Gather(ctx, t, []*client.Client{ann})
}
