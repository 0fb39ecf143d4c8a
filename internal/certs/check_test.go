package certs

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/clocktest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

func TestCheck(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	now := time.Now()
	for _, c := range []struct {
		name   string
		life   time.Duration
		host   string
		of     *tlstest.Authority
		chain  bool
		broken bool
		want   string
	}{
		{"good", 1000 * time.Hour, "chat.example.org", ca, false, false, "is good for"},
		{"soon", 100 * time.Hour, "chat.example.org", ca, false, false, "which is soon"},
		{"over", -time.Hour, "chat.example.org", ca, false, true, "ended on"},
		{"name", 1000 * time.Hour, "example.net", ca, false, true, "clients ask for example.net"},
		{"no chain", 1000 * time.Hour, "", other, false, true, "has no chain"},
		{"unknown", 1000 * time.Hour, "", other, true, true, "does not trust"},
	} {
		b, _ := c.of.Issue(c.life, "chat.example.org")
		if c.chain {
			b = append(b, c.of.PEM...)
		}
		got := Check(b, c.host, ca.Client().RootCAs, now)
		if got.Broken != c.broken || !strings.Contains(got.Text, c.want) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := Check([]byte("x"), "", nil, now); !got.Broken || got.Leaf != nil {
		t.Errorf("%+v", got)
	}
}

// The doctor, health and the connection itself agree on the last moment of a certificate.
func TestACertificateIsGoodThroughItsLastSecond(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	chain, _ := ca.Issue(time.Hour, "chat.example.org")
	chain = append(chain, ca.PEM...)
	all, err := parseChain(chain)
	if err != nil {
		t.Fatal(err)
	}
	leaf, roots := all[0], ca.Client().RootCAs
	for after, ended := range map[time.Duration]bool{-time.Second: false, 0: false, 1: true, time.Second: true} {
		now := leaf.NotAfter.Add(after)
		if got := Check(chain, "chat.example.org", roots, now); got.Broken != ended ||
			strings.HasPrefix(got.Text, "ended on") != ended {
			t.Errorf("%v after its end: %+v", after, got)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now})
		if (err != nil) != ended {
			t.Errorf("%v after its end, TLS says %v", after, err)
		}
		var r domain.HealthReport
		if err := (Health{Source: using{leaf: leaf}, Now: func() time.Time { return now }}).CheckHealth(t.Context(),
			&r); err != nil {
			t.Fatal(err)
		}
		if len(r.Problems) != 1 || r.Problems[0].Failure != ended {
			t.Errorf("%v after its end, health says %+v", after, r.Problems)
		}
	}
}

// A week before its end is a week whatever the calendar does meanwhile, and an end that is far
// away, as of certificates that never end (RFC 5280), is none that is near.
func TestTheWeekBeforeTheEndOfACertificate(t *testing.T) {
	t.Parallel()
	clocktest.Each(t, func(t *testing.T, at time.Time) {
		leaf := &x509.Certificate{DNSNames: []string{"a.example"}, NotAfter: at.UTC()}
		for before, problems := range map[time.Duration]int{7 * 24 * time.Hour: 0, 7*24*time.Hour - 1: 1, 0: 1, -1: 1} {
			now := at.Add(-before)
			var r domain.HealthReport
			err := Health{Source: using{leaf: leaf}, Now: func() time.Time { return now }}.CheckHealth(t.Context(), &r)
			if err != nil || len(r.Problems) != problems || problems > 0 && r.Problems[0].Failure != (before < 0) {
				t.Errorf("%v before its end: %+v, %v", before, r.Problems, err)
			}
		}
		endless := &x509.Certificate{NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
		if expiryWarning(endless, at) {
			t.Error("a certificate that never ends ends soon")
		}
	})
}
