package certs

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// using is a source with one certificate.
type using struct {
	Source
	leaf *x509.Certificate
}

func (u using) Current() []*x509.Certificate { return []*x509.Certificate{u.leaf} }

func TestACertificateIsReportedAWeekBeforeItExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration][]domain.HealthProblem{
		7 * 24 * time.Hour:   nil,
		7*24*time.Hour - 1:   {{Code: "certificate_ends", Subject: "a.example"}},
		0:                    {{Code: "certificate_ends", Subject: "a.example"}},
		-1:                   {{Code: "certificate_ends", Failure: true, Subject: "a.example"}},
		-30 * 24 * time.Hour: {{Code: "certificate_ends", Failure: true, Subject: "a.example"}},
	} {
		leaf := &x509.Certificate{DNSNames: []string{"b.example", "a.example"}, NotAfter: now.Add(left)}
		var r domain.HealthReport
		err := Health{Source: using{leaf: leaf}, Now: func() time.Time { return now }}.CheckHealth(t.Context(), &r)
		if err != nil || !slices.Equal(r.Problems, want) {
			t.Errorf("%v before its end: %+v, %v", left, r.Problems, err)
		}
		if len(r.Certificates) != 1 || !r.Certificates[0].Expires.Equal(leaf.NotAfter) || len(r.Certificates[0].Names) != 2 {
			t.Errorf("%+v", r.Certificates)
		}
		if f := (Finding{Leaf: leaf}); f.ExpiresSoon(now) != (want != nil) {
			t.Errorf("%v before its end the doctor says otherwise", left)
		}
	}
	var r domain.HealthReport
	if err := (Health{}).CheckHealth(t.Context(), &r); err != nil || len(r.Problems)+len(r.Certificates) > 0 {
		t.Errorf("plain HTTP: %+v, %v", r, err)
	}
}
