package device

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/netip"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A certificate of a device is one of its keys: its id stands in it, and the store has a keyed hash of it. So one that
// the CA has issued, but nobody has registered here, opens nothing; and it is listed, revoked and ended as keys are.

// NewCertificateID returns the id of a new certificate.
func NewCertificateID() string { return domain.CertificatePrefix + random(idLength) }

// AddCertificate registers a certificate of a device, by its id.
func (s *Service) AddCertificate(ctx context.Context, by domain.AuditActor, id string, cert *x509.Certificate) error {
	now, device := s.Now(), cert.Subject.CommonName
	k := domain.DeviceKey{ID: id, Device: device, CreatedAt: now, Expires: cert.NotAfter}
	secret := domain.DeviceSecret{Hash: s.certificateHash(cert), Pepper: pepperVersion}
	if err := s.Store.AddCertificate(ctx, k, secret, now); err != nil {
		return err
	}
	s.record(ctx, domain.AuditDeviceRotate, device, id, domain.AuditEvent{Actor: by})
	return nil
}

// certificateHash is what the store has of a certificate. No key has the same: each begins otherwise.
func (s *Service) certificateHash(cert *x509.Certificate) []byte {
	sum := sha256.Sum256(cert.Raw)
	return hash(s.Pepper, domain.CertificatePrefix+hex.EncodeToString(sum[:]))
}

// AuthenticateCertificate returns whose a certificate is. TLS must have verified it. It refuses one as
// AuthenticateDevice refuses a key.
func (s *Service) AuthenticateCertificate(
	ctx context.Context, cert *x509.Certificate, from netip.Addr,
) (domain.Principal, error) {
	id := cert.Subject.SerialNumber
	if len(id) != len(domain.CertificatePrefix)+idLength {
		return s.refused(ctx, "", "", "malformed", from)
	}
	l, err := s.Store.DeviceLogin(ctx, id)
	if domain.KindOf(err) == domain.NotFound {
		return s.refused(ctx, "", id, "unknown_key", from)
	}
	if err != nil {
		return domain.Principal{}, err
	}
	good := l.Secret.Pepper == pepperVersion && hmac.Equal(l.Secret.Hash, s.certificateHash(cert))
	return s.letIn(ctx, l, good, from)
}

// letIn returns the principal of a login whose secret is good or not.
func (s *Service) letIn(
	ctx context.Context, l domain.DeviceLogin, good bool, from netip.Addr,
) (domain.Principal, error) {
	now := s.Now()
	for _, c := range []struct {
		why   string
		holds bool
	}{
		{wrongSecret, !good}, {"key_ended", l.Key.Ended(now) || l.Device.Ended(now)}, {"owner_disabled", l.Barred},
		{"suspended", !l.Device.Suspended.IsZero()},
	} {
		if c.holds {
			return s.refused(ctx, l.Device.ID, l.Key.ID, c.why, from)
		}
	}
	return domain.Principal{
		ID: l.Device.ID, Kind: domain.KindDevice, Role: domain.SystemUser, Key: l.Key.ID, Owner: l.Device.Owner.ID,
		Expires: l.Until(), Access: l.Device.Access,
	}, nil
}

// Keys returns the keys and certificates of a device, also those that have ended lately.
func (s *Service) Keys(ctx context.Context, device string) ([]domain.DeviceKey, error) {
	d, err := s.Store.DeviceByID(ctx, device)
	return d.Keys, err
}

// Certificates is the part of the store that has the certificates of devices.
type Certificates interface {
	// AddCertificate adds a certificate to the keys of a device.
	AddCertificate(ctx context.Context, k domain.DeviceKey, secret domain.DeviceSecret, now time.Time) error
}
