// Package passkey implements WebAuthn ceremonies: it creates the challenges for browsers and
// verifies the responses. A passkey is the only factor if the authenticator has verified the user,
// or else the second factor after a password.
//
// It stores nothing. The caller stores the state of a ceremony for Life, deletes it before it
// finishes the ceremony, so that it is used once, and stores the credentials.
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

// maxResponse is more than any browser sends.
const maxResponse = 64 << 10

// Credential is a passkey as it is stored.
type Credential struct {
	ID         string // base64url
	PublicKey  []byte // COSE
	Transports []string
	Model      string // AAGUID of the authenticator's model; zeros if it is not disclosed
	SignCount  uint32

	Verified       bool // the user was verified at registration
	BackupEligible bool // backup eligible (BE): may be synchronized to other devices; never changes
	BackedUp       bool // backup state (BS): is synchronized
}

// User is the owner of passkeys. An authenticator stores the ID and discloses it without asking, so
// it must not contain personal data.
type User struct {
	ID, Name, DisplayName string
	Credentials           []Credential
}

// Use is the result of a sign-in with a passkey.
type Use struct {
	Credential Credential // replaces the stored one
	Verified   bool       // the user was verified by biometrics or PIN: counts as two factors
	Suspect    bool       // the signature counter went back, so a copy may exist: warn, do not block
}

// Ceremony is a ceremony that has begun.
type Ceremony struct {
	Options json.RawMessage // for the browser: {"publicKey": ...}
	State   []byte          // for the store; must stay secret
}

// Party is the relying party.
type Party struct {
	w       *webauthn.WebAuthn
	origins []string
}

// Origins returns the origins whose pages can use these passkeys, the primary one first. Browsers
// refuse them on pages of other domains (WebAuthn, section 5.1.3).
func (p *Party) Origins() []string { return p.origins }

// New returns the relying party with a display name, a domain that the passkeys are bound to, and
// the origins whose pages may use them. An IP address cannot have passkeys; localhost can.
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

// The kinds of ceremony. The state of one kind is refused for another.
const (
	kindRegister = "register"
	kindSignIn   = "sign-in"
	kindSecond   = "second"
)

// state is the stored state of a ceremony. It has its own expiry, because the library's uses the
// system clock and not the caller's.
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

// refused returns the error for every invalid response. The cause is only logged.
func refused(cause error) error {
	if e, ok := errors.AsType[*protocol.Error](cause); ok && e.DevInfo != "" {
		cause = fmt.Errorf("%w (%s)", cause, e.DevInfo)
	}
	return domain.Unauthorized.Errorf(domain.CodePasskeyRefused,
		"this passkey was not accepted; try again, or go another way").Because(cause)
}

// user adapts User to the library's interface.
type user struct{ User }

func (u user) WebAuthnID() []byte          { return []byte(u.ID) }
func (u user) WebAuthnName() string        { return u.Name }
func (u user) WebAuthnDisplayName() string { return u.DisplayName }

func (u user) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, 0, len(u.Credentials))
	for _, c := range u.Credentials {
		if w, err := c.library(); err == nil {
			all = append(all, w) // an unreadable one matches nothing
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
