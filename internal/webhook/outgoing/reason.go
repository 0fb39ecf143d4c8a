package outgoing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/unhidra/unhidra/internal/outbound"
)

// reasonOf says to people why there was no answer.
func reasonOf(err error) string {
	var name *net.DNSError
	var timeout net.Error
	var at *net.OpError
	switch {
	case errors.Is(err, outbound.ErrPrivate):
		return "the receiver is in a private network, which the operator of the server has not allowed " +
			"(UNHIDRA_PRIVATE_NETWORKS)"
	case errors.As(err, &name) && name.IsNotFound:
		return "the name of the receiver has no address"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the receiver does not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the receiver cannot be reached: nothing takes connections at its port"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the receiver ended the connection before it answered"
	}
	if why := reasonOfTLS(err); why != "" {
		return why
	}
	if errors.As(err, &at) || errors.Is(err, context.Canceled) {
		return "the receiver cannot be reached"
	}
	return "what the receiver answers is no HTTP that can be read"
}

// reasonOfTLS says why nothing could be sent over TLS; empty: it was something else.
func reasonOfTLS(err error) string {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &authority):
		return "the certificate of the receiver is signed by nobody whom this server trusts"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate of the receiver has expired, or is not valid yet"
	case errors.As(err, &certificate):
		return "the certificate of the receiver is not valid for its address"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "the receiver does not speak TLS at this port, though its address begins with https"
	case errors.As(err, &alert):
		return "the receiver refused the TLS handshake"
	}
	return ""
}
