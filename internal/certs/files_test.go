package certs

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// served returns the number of the certificate that f serves.
func served(t *testing.T, f *Files) string {
	t.Helper()
	c, err := f.TLS().GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.SerialNumber.String()
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A good new pair is taken; a bad one is complained of once, and changes
// nothing; a pair that is renewed file by file is no complaint.
func TestFilesReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := tlstest.NewAuthority(t)
		cert, key := ca.Files(t.TempDir(), 1000*time.Hour)
		log := &syncBuffer{}
		reg := prometheus.NewPedanticRegistry()
		f, err := OpenFiles(FilesOptions{Cert: cert, Key: key, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: reg,
			Every: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx) }()
		wait := func() { time.Sleep(3500 * time.Millisecond); synctest.Wait() }

		first := served(t, f)
		wait()
		c, k := ca.Issue(2000*time.Hour, "chat.example.org")
		write(t, cert, c)
		time.Sleep(time.Second) // one look falls between the two
		write(t, key, k)
		wait()
		second := served(t, f)
		if second == first || log.String() == "" || strings.Contains(log.String(), "ERROR") {
			t.Errorf("the new pair is not in use:\n%s", log)
		}
		log.Reset()

		_, other := ca.Issue(time.Hour)
		write(t, key, other)
		wait()
		if served(t, f) != second || strings.Count(log.String(), "ERROR") != 1 ||
			!strings.Contains(log.String(), "is not that of the first certificate") {
			t.Errorf("a wrong key: %s", log)
		}
		log.Reset()
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		wait()
		if served(t, f) != second || strings.Count(log.String(), "ERROR") != 1 {
			t.Errorf("no key: %s", log)
		}
		log.Reset()
		old, oldKey := ca.Issue(-time.Hour)
		write(t, cert, old)
		write(t, key, oldKey)
		wait()
		if served(t, f) != second || !strings.Contains(log.String(), "ended on") {
			t.Errorf("an old certificate: %s", log)
		}
		c, k = ca.Issue(3000 * time.Hour)
		write(t, cert, c)
		write(t, key, k)
		wait()
		if served(t, f) == second {
			t.Error("a good pair after bad ones is not in use")
		}
		want := "# HELP tls_certificate_renewals_total Renewals of certificates, by result: ok, failed.\n" +
			"# TYPE tls_certificate_renewals_total counter\ntls_certificate_renewals_total{result=\"failed\"} " +
			"3\ntls_certificate_renewals_total{result=\"ok\"} 2\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "tls_certificate_renewals_total"); err != nil {
			t.Error(err)
		}
		if n, err := testutil.GatherAndCount(reg, "tls_certificate_expiry_timestamp_seconds"); err != nil || n != 1 {
			t.Errorf("%d expiries, %v", n, err)
		}
		stop()
		<-done
	})
}

// Every way in which two files are no pair is told by what to do about it.
func TestFilesComplaints(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	good, goodKey := ca.Issue(time.Hour)
	_, otherKey := ca.Issue(time.Hour)
	dir := t.TempDir()
	for _, c := range []struct {
		name, want string
		cert, key  []byte
	}{
		{"exchanged", "mixed up", goodKey, good},
		{"no certificate", "holds no certificate", []byte("hello"), goodKey},
		{"no key", "holds no private key", good, []byte("hello")},
		{"passphrase", "passphrase", good, []byte(
			"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")},
		{"of another", "is not that of the first certificate", good, otherKey},
		{"cut off", "cannot be used", good[:len(good)/2], goodKey},
		{"missing", "UNHIDRA_MQTT_TLS_CERT", nil, goodKey},
	} {
		cert, key := filepath.Join(dir, "c"+c.name), filepath.Join(dir, "k"+c.name)
		if c.cert != nil {
			write(t, cert, c.cert)
		}
		write(t, key, c.key)
		if _, err := OpenFiles(FilesOptions{Cert: cert, Key: key, Settings: "UNHIDRA_MQTT_TLS",
			Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
