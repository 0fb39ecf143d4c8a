package passkey

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/unhidra/unhidra/internal/domain"
)

// BeginRegistration begins the registration of a passkey for u, on an authenticator that has none
// of u's passkeys yet.
func (p *Party) BeginRegistration(u User, now time.Time) (Ceremony, error) {
	options, session, err := p.w.BeginRegistration(user{u},
		webauthn.WithExclusions(descriptors(user{u}.WebAuthnCredentials())),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			// Security keys without storage or PIN can still be a second factor.
			ResidentKey:      protocol.ResidentKeyRequirementPreferred,
			UserVerification: protocol.VerificationPreferred,
		}),
	)
	return newCeremony(kindRegister, options, session, now, err)
}

// FinishRegistration verifies the browser's response and returns the new passkey.
func (p *Party) FinishRegistration(u User, stored, response []byte, now time.Time) (Credential, error) {
	session, err := resume(kindRegister, stored, response, now)
	if err != nil {
		return Credential{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return Credential{}, refused(err)
	}
	made, err := p.w.CreateCredential(user{u}, session, parsed)
	if err != nil {
		return Credential{}, refused(err)
	}
	c := Credential{
		ID: base64.RawURLEncoding.EncodeToString(made.ID), PublicKey: made.PublicKey, Model: model(made.Authenticator.AAGUID),
		SignCount: made.Authenticator.SignCount,
		Verified:  made.Flags.UserVerified, BackupEligible: made.Flags.BackupEligible, BackedUp: made.Flags.BackupState,
	}
	for _, t := range made.Transport {
		c.Transports = append(c.Transports, string(t))
	}
	for _, old := range u.Credentials {
		if old.ID == c.ID {
			return Credential{}, domain.Conflict.Errorf(domain.CodePasskeyExists, "this passkey is registered already")
		}
	}
	return c, nil
}

func model(aaguid []byte) string {
	if len(aaguid) != 16 {
		aaguid = make([]byte, 16)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", aaguid[:4], aaguid[4:6], aaguid[6:8], aaguid[8:10], aaguid[10:])
}

// BeginSignIn begins a sign-in with only a passkey. The user is not known yet: the authenticator
// returns the id, and must verify the user.
func (p *Party) BeginSignIn(now time.Time) (Ceremony, error) {
	options, session, err := p.w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	return newCeremony(kindSignIn, options, session, now, err)
}

// FinishSignIn verifies the response and returns the user. find returns the user with an id and
// their passkeys, or a not_found error. Other errors of find are returned unchanged.
func (p *Party) FinishSignIn(
	stored, response []byte, find func(userID string) (User, error), now time.Time,
) (User, Use, error) {
	session, err := resume(kindSignIn, stored, response, now)
	if err != nil {
		return User{}, Use{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return User{}, Use{}, refused(err)
	}
	var found User
	var broken error // an error of find
	made, err := p.w.ValidateDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		u, err := find(string(handle))
		if err != nil {
			if domain.KindOf(err) != domain.NotFound {
				broken = err
			}
			return nil, err
		}
		found = u
		return user{u}, nil
	}, session, parsed)
	if broken != nil {
		return User{}, Use{}, broken
	}
	if err != nil {
		return User{}, Use{}, refused(err)
	}
	use, err := used(found, made, parsed)
	return found, use, err
}

// BeginSecond begins the second factor of u, who has proven a password and has a passkey.
func (p *Party) BeginSecond(u User, now time.Time) (Ceremony, error) {
	options, session, err := p.w.BeginLogin(user{u}, webauthn.WithUserVerification(protocol.VerificationPreferred))
	return newCeremony(kindSecond, options, session, now, err)
}

// FinishSecond verifies that one of u's passkeys was used. It also serves for step-up of a
// signed-in user.
func (p *Party) FinishSecond(u User, stored, response []byte, now time.Time) (Use, error) {
	session, err := resume(kindSecond, stored, response, now)
	if err != nil {
		return Use{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return Use{}, refused(err)
	}
	// A passkey that was removed during the ceremony must not make the others fail.
	session.AllowedCredentialIDs = owned(session.AllowedCredentialIDs, user{u}.WebAuthnCredentials())
	if len(session.AllowedCredentialIDs) == 0 {
		return Use{}, refused(errors.New("no passkey is left of those that were asked for"))
	}
	made, err := p.w.ValidateLogin(user{u}, session, parsed)
	if err != nil {
		return Use{}, refused(err)
	}
	return used(u, made, parsed)
}

func owned(ids [][]byte, credentials []webauthn.Credential) [][]byte {
	var left [][]byte
	for _, id := range ids {
		for _, c := range credentials {
			if bytes.Equal(id, c.ID) {
				left = append(left, id)
			}
		}
	}
	return left
}

// used returns the stored credential with the changes of the ceremony.
func used(u User, made *webauthn.Credential, parsed *protocol.ParsedCredentialAssertionData) (Use, error) {
	id := base64.RawURLEncoding.EncodeToString(made.ID)
	for _, c := range u.Credentials {
		if c.ID == id {
			c.SignCount, c.BackedUp = made.Authenticator.SignCount, made.Flags.BackupState
			return Use{Credential: c, Verified: parsed.Response.AuthenticatorData.Flags.HasUserVerified(),
				Suspect: made.Authenticator.CloneWarning}, nil
		}
	}
	return Use{}, refused(errors.New("the passkey is not the user's"))
}
