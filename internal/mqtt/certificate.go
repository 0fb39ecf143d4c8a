package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// certificate returns the certificate by which TLS knows the client; nil: it has shown none.
func (c *conn) certificate() *x509.Certificate {
	nc := c.nc
	if w, ok := nc.(*webSocket); ok {
		nc = w.Conn
	}
	secure, ok := nc.(*tls.Conn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	if len(state.VerifiedChains) == 0 {
		return nil
	}
	return state.PeerCertificates[0]
}

// prove returns who a CONNECT proves to be. A certificate and a key must be those of the same device. Beside an access
// token a certificate does not count.
func (c *conn) prove(ctx context.Context, p packet.Connect) (domain.Principal, error) {
	cert := c.certificate()
	if cert == nil || p.HasPassword && !strings.HasPrefix(p.Password, domain.DeviceKeyPrefix) {
		return c.s.identify(ctx, p.Password, c.addr)
	}
	who, err := c.s.Devices.AuthenticateCertificate(ctx, cert, c.addr)
	if err != nil || !p.HasPassword {
		return who, err
	}
	other, err := c.s.identify(ctx, p.Password, c.addr)
	if err == nil && other.ID != who.ID {
		err = domain.Unauthorized.Errorf(domain.CodeBadDeviceKey,
			"the key and the certificate are those of different devices")
	}
	return who, err
}
