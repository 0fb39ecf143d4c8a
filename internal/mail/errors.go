package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
)

// A refusal of the recipient is permanent: the server will never accept this mail.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// permanent reports whether the server will never take this mail.
func permanent(err error) bool {
	var r *refusal
	return errors.As(err, &r)
}

// recipientRefused returns the error for a reply to RCPT. Only a 5xx reply to RCPT is about the
// address, and even that may be about authentication, relaying or policy (RFC 3463: X.7). Those,
// and 5xx replies to other commands, can be fixed by the operator, so they are not permanent.
func recipientRefused(err error) error {
	var t *textproto.Error
	if !errors.As(err, &t) || t.Code < 500 || t.Code == 530 || t.Code == 535 || strings.HasPrefix(t.Msg, "5.7.") {
		return said("the recipient", err)
	}
	return &refusal{t.Code, t.Msg}
}

// said says which command the server refused and what is likely to be wrong.
func said(to string, err error) error {
	var t *textproto.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &t) && t.Code == 530 && strings.Contains(strings.ToUpper(t.Msg), "STARTTLS"):
		return fmt.Errorf("%w; it takes mails over TLS alone: leave ?tls=off out of UNHIDRA_SMTP_URL", err)
	case errors.As(err, &t) && t.Code == 530:
		return fmt.Errorf("%w; it wants a name and a password: smtp://user:password@host:587 in UNHIDRA_SMTP_URL", err)
	}
	return fmt.Errorf("the mail server refuses %s: %w", to, err)
}

// senderRefused returns the error for a reply to MAIL FROM.
func senderRefused(from string, err error) error {
	var t *textproto.Error
	if errors.As(err, &t) && t.Code >= 500 && t.Code != 530 {
		return fmt.Errorf("the mail server takes no mails from %s; set UNHIDRA_MAIL_FROM to an address that it lets this "+
			"account use: %w", from, err)
	}
	return said("mails from "+from, err)
}

// notGreeted says why a server may not answer.
func notGreeted(ctx context.Context, err error) error {
	var n net.Error
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.As(err, &n) && n.Timeout() {
		return fmt.Errorf("the mail server says nothing; if it takes TLS from the first byte, as on port 465, write "+
			"smtps:// in place of smtp://: %w", err)
	}
	return fmt.Errorf("greet the mail server: %w", err)
}

// noTLS says why TLS with a server may fail.
func noTLS(err error) error {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &record):
		return fmt.Errorf("the mail server does not begin with TLS; if it offers STARTTLS, as on port 587, write smtp:// "+
			"in place of smtps://: %w", err)
	case errors.As(err, &authority):
		return fmt.Errorf("nobody whom this machine trusts signed the mail server's certificate; if its authority is your "+
			"own, name it in UNHIDRA_SMTP_CA_FILE: %w", err)
	case errors.As(err, &name):
		return fmt.Errorf("the mail server's certificate is for another name; use one of its names in UNHIDRA_SMTP_URL: %w",
			err)
	}
	return fmt.Errorf("TLS with the mail server: %w", err)
}

// notSignedIn says why authentication may fail.
func notSignedIn(err error) error {
	var t *textproto.Error
	if errors.As(err, &t) && t.Code == 535 {
		return fmt.Errorf("the mail server does not know this name and password; see UNHIDRA_SMTP_URL (some providers want "+
			"a password made for programs): %w", err)
	}
	return fmt.Errorf("sign in to the mail server: %w", err)
}

// trusting returns a configuration that trusts the CA certificates of a PEM file in addition to the
// system's. It returns nil if file is empty.
func trusting(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("UNHIDRA_SMTP_CA_FILE: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("UNHIDRA_SMTP_CA_FILE: there is no certificate in %s; it must be PEM", file)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
