package certs

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// expiresSoon is how long before a certificate's expiry the health report warns. Automatic renewal
// is due long before that.
const expiresSoon = 7 * 24 * time.Hour

// Health reports on the certificates of a source.
type Health struct {
	Source Source           // nil: the server has none
	Now    func() time.Time // nil: time.Now
}

// CheckHealth adds the certificates in use to the report, and warns of those that have expired or
// will soon.
func (h Health) CheckHealth(_ context.Context, r *domain.HealthReport) error {
	if h.Source == nil {
		return nil
	}
	now := time.Now()
	if h.Now != nil {
		now = h.Now()
	}
	for _, leaf := range h.Source.Current() {
		names := Names(leaf)
		r.Certificates = append(r.Certificates, domain.CertificateUse{Names: names, Expires: leaf.NotAfter})
		subject := ""
		if len(names) > 0 {
			subject = names[0]
		}
		switch {
		case now.After(leaf.NotAfter):
			r.Fail("certificate_ends", subject)
		case expiryWarning(leaf, now):
			r.Warn("certificate_ends", subject)
		}
	}
	return nil
}

// expiryWarning reports whether leaf has expired or will soon.
func expiryWarning(leaf *x509.Certificate, now time.Time) bool {
	return leaf.NotAfter.Sub(now) < expiresSoon
}
