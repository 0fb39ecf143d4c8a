package domain

import "time"

// ClaimPrefix begins each claim token.
const ClaimPrefix = "dc_"

// How long a claim token is good, and how long it can be made to be.
const (
	ClaimExpiry = 15 * time.Minute
	MaxClaim    = 7 * 24 * time.Hour
)

// Bounds of the nonce by which a device that claims a key shows that it is the same again, in bytes.
const (
	MinClaimNonce = 16
	MaxClaimNonce = 64
)

// ClaimRefusal is why a claim is refused. The audit log and the owner are told; who asks is not.
type ClaimRefusal string

// The refusals.
const (
	ClaimUnknown ClaimRefusal = "unknown_claim" // it never was, or another was made after it
	ClaimExpired ClaimRefusal = "claim_expired"
	ClaimUsed    ClaimRefusal = "claim_used" // by somebody else
	ClaimBarred  ClaimRefusal = "claim_barred"
)

// A DeviceClaim lets a device get a key of its own, once.
type DeviceClaim struct {
	Device   string
	Hash     []byte // of the token
	Claimant []byte // of the nonce of who has used it; nil: nobody has
	Expires  time.Time
}

// Refuses says why claimant may not use c; empty: they may.
func (c DeviceClaim) Refuses(same bool, now time.Time) ClaimRefusal {
	switch {
	case !c.Expires.After(now):
		return ClaimExpired
	case len(c.Claimant) > 0 && !same:
		return ClaimUsed
	}
	return ""
}

// ErrClaim is the answer about a claim token that opens nothing. It does not say why.
func ErrClaim() error {
	return Forbidden.Errorf(CodeClaimRefused,
		"this claim token is not valid: it was used, has ended, or never was; ask for another one")
}
