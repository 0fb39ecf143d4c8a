package certs

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Finding is the result of Check.
type Finding struct {
	Broken bool // browsers refuse the certificate
	Text   string
	Leaf   *x509.Certificate // nil: Text says why
}

// Check verifies a PEM chain as a browser connecting to host would: names, dates, and a path to a
// CA in roots. If host is empty, names are not checked. If roots is nil, the system's are used.
func Check(chain []byte, host string, roots *x509.CertPool, now time.Time) Finding {
	all, err := parseChain(chain)
	if err != nil {
		return Finding{Broken: true, Text: err.Error()}
	}
	leaf := all[0]
	switch {
	case now.After(leaf.NotAfter): // RFC 5280, section 4.1.2.5: it is good at this time still
		return Finding{true, fmt.Sprintf("ended on %s; renew it", day(leaf.NotAfter)), leaf}
	case now.Before(leaf.NotBefore):
		return Finding{true, fmt.Sprintf("begins on %s, or the clock is wrong", day(leaf.NotBefore)), leaf}
	case host != "" && leaf.VerifyHostname(host) != nil:
		return Finding{true, fmt.Sprintf("is for %s, and clients ask for %s (UNHIDRA_PUBLIC_URL, of MQTT UNHIDRA_MQTT_URL); "+
			"get one for that name", strings.Join(Names(leaf), ", "), host), leaf}
	}
	between := x509.NewCertPool()
	for _, c := range all[1:] {
		between.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown && len(all) == 1 &&
		leaf.Issuer.String() != leaf.Subject.String() {
		return Finding{true, fmt.Sprintf(
			"has no chain: put the certificate of %q after it into the same file (with certbot: fullchain.pem), or trust that "+
				"authority on every device", leaf.Issuer.CommonName), leaf}
	} else if unknown {
		return Finding{true, fmt.Sprintf(
			"is of %q, whom this machine does not trust; every browser and device must be told to",
			all[len(all)-1].Issuer.CommonName), leaf}
	} else if err != nil {
		return Finding{true, err.Error(), leaf}
	}
	if expiryWarning(leaf, now) {
		return Finding{false, fmt.Sprintf("ends on %s, which is soon; renew it", day(leaf.NotAfter)), leaf}
	}
	return Finding{false, fmt.Sprintf("is good for %s until %s", strings.Join(Names(leaf), ", "), day(leaf.NotAfter)),
		leaf}
}

// ExpiresSoon reports whether the certificate has expired or will soon.
func (f Finding) ExpiresSoon(now time.Time) bool { return f.Leaf != nil && expiryWarning(f.Leaf, now) }

func parseChain(b []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for p, rest := pem.Decode(b); p != nil; p, rest = pem.Decode(rest) {
		if p.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(p.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("is not in PEM form")
	}
	return all, nil
}
