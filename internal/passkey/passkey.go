// Package passkey runs the ceremonies of WebAuthn: it makes the challenges
// that a browser answers, and says whether the answer is good. Passkeys serve
// as the only factor, where the authenticator must have verified its user, and
// as the second after a password.
//
// It keeps nothing. The caller stores the state of a ceremony for Life, takes
// it out of the store before it finishes the ceremony so that it serves once,
// and stores the credentials.
package passkey

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/unhidra/unhidra/internal/domain"
)

// Life is how long a ceremony may take.
const Life = 5 * time.Minute

// maxResponse is far more than any browser sends.
const maxResponse = 64 << 10

// Credential is a passkey as it is stored.
type Credential struct {
	ID         string // base64url
	PublicKey  []byte // COSE
	Transports []string
	Model      string // the make of the authenticator, as a UUID; zeros from those that do not tell
	SignCount  uint32

	Verified       bool // its user was verified when it was made
	BackupEligible bool // it may be copied to other devices (BE); never changes
	BackedUp       bool // it has been (BS)
}

// User is whose passkeys they are. The id is what an authenticator keeps, and
// tells without asking who else is there: it must say nothing of the person.
type User struct {
	ID, Name, DisplayName string
	Credentials           []Credential
}

// Use is what a sign-in with a passkey proved.
type Use struct {
	Credential Credential // to be stored in the place of the old one
	Verified   bool       // by a finger, a face or a PIN: the passkey counts as two factors
	Suspect    bool       // its counter went back: there may be a copy. Warn, do not block
}

// Ceremony is one that has begun.
type Ceremony struct {
	Options json.RawMessage // for the browser: {"publicKey": ...}
	State   []byte          // for the store, and for nobody else
}

// Party is the service that passkeys are made for.
type Party struct {
	w       *webauthn.WebAuthn
	origins []string
}

// Origins returns the origins on whose pages browsers use these passkeys, the one that
// people are to open first. A page of another domain cannot (WebAuthn, section 5.1.3).
func (p *Party) Origins() []string { return p.origins }

// New returns the party of a name that people read, of the domain that its
// passkeys are bound to, and of the origins whose pages may use them. An
// address, other than the name localhost, is no domain, and cannot have
// passkeys.
func New(name, domainName string, origins []string) (*Party, error) {
	if domainName == "" {
		return nil, errors.New("passkeys need a domain")
	}
	w, err := webauthn.New(&webauthn.Config{
		RPDisplayName: name, RPID: domainName, RPOrigins: origins,
		AttestationPreference: protocol.PreferNoAttestation,
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: Life, TimeoutUVD: Life},
			Registration: webauthn.TimeoutConfig{Timeout: Life, TimeoutUVD: Life},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	p := &Party{w: w}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil {
			return nil, fmt.Errorf("passkeys: %w", err)
		}
		if host := strings.ToLower(u.Hostname()); host == domainName || strings.HasSuffix(host, "."+domainName) {
			p.origins = append(p.origins, u.Scheme+"://"+strings.ToLower(u.Host))
		}
	}
	return p, nil
}

// The kinds of ceremony: the state of one does not serve another.
const (
	kindRegister = "register"
	kindSignIn   = "sign-in"
	kindSecond   = "second"
)

// state is what is stored of a ceremony. The library's own expiry goes by its
// own clock; ours is the caller's.
type state struct {
	Kind    string               `json:"kind"`
	Expires time.Time            `json:"expires"`
	Session webauthn.SessionData `json:"session"`
}

func newCeremony(kind string, options any, session *webauthn.SessionData, now time.Time, err error) (Ceremony, error) {
	var c Ceremony
	if err != nil {
		return c, fmt.Errorf("begin a passkey's ceremony: %w", err)
	}
	if c.Options, err = json.Marshal(options); err != nil {
		return c, err
	}
	c.State, err = json.Marshal(state{kind, now.Add(Life), *session})
	return c, err
}

func resume(kind string, stored, response []byte, now time.Time) (webauthn.SessionData, error) {
	var s state
	if err := json.Unmarshal(stored, &s); err != nil {
		return s.Session, fmt.Errorf("the state of a passkey's ceremony: %w", err)
	}
	if s.Kind != kind {
		return s.Session, refused(fmt.Errorf("state is of kind %q, not %q", s.Kind, kind))
	}
	if !now.Before(s.Expires) {
		return s.Session, domain.Unauthorized.Errorf(domain.CodePasskeyLate, "this took too long; try again")
	}
	if len(response) > maxResponse {
		return s.Session, refused(errors.New("response too large"))
	}
	return s.Session, nil
}

// refused is the answer to every bad response: what was wrong with it is for
// the log.
func refused(cause error) error {
	if e, ok := errors.AsType[*protocol.Error](cause); ok && e.DevInfo != "" {
		cause = fmt.Errorf("%w (%s)", cause, e.DevInfo)
	}
	return domain.Unauthorized.Errorf(domain.CodePasskeyRefused,
		"this passkey was not accepted; try again, or go another way").Because(cause)
}

// user is a User as the library wants it.
type user struct{ User }

func (u user) WebAuthnID() []byte          { return []byte(u.ID) }
func (u user) WebAuthnName() string        { return u.Name }
func (u user) WebAuthnDisplayName() string { return u.DisplayName }

func (u user) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, 0, len(u.Credentials))
	for _, c := range u.Credentials {
		if w, err := c.library(); err == nil {
			all = append(all, w) // one that cannot be read fits nothing
		}
	}
	return all
}

func (c Credential) library() (webauthn.Credential, error) {
	id, err := base64.RawURLEncoding.DecodeString(c.ID)
	if err != nil {
		return webauthn.Credential{}, err
	}
	w := webauthn.Credential{
		ID: id, PublicKey: c.PublicKey,
		Flags: webauthn.CredentialFlags{UserPresent: true, UserVerified: c.Verified, BackupEligible: c.BackupEligible,
			BackupState: c.BackedUp},
		Authenticator: webauthn.Authenticator{SignCount: c.SignCount},
	}
	for _, t := range c.Transports {
		w.Transport = append(w.Transport, protocol.AuthenticatorTransport(t))
	}
	return w, nil
}

func descriptors(credentials []webauthn.Credential) []protocol.CredentialDescriptor {
	return webauthn.Credentials(credentials).CredentialDescriptors()
}
