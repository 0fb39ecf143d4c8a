package audit

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// The label is signed together with the text, so that a signature of one kind is not valid for the
// other.
const (
	checkpointLabel = "unhidra audit checkpoint v1\x00"
	segmentLabel    = "unhidra audit segment v1\x00"
)

// KeyID returns the identifier of a key in checkpoints.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:8])
}

// checkpoint returns a signed checkpoint of h.
func (s *Service) checkpoint(h domain.AuditHead, now time.Time) *domain.AuditCheckpoint {
	body := canonical(object{
		"chain": h.Chain, "seq": h.Seq, "hash": hex.EncodeToString(h.Hash), "time": stamp(now),
		"prev": hex.EncodeToString(h.CheckSum), "key": s.keyID,
	})
	sum := sha256.Sum256(body)
	return &domain.AuditCheckpoint{Seq: h.Seq, Body: body, Sig: sign(s.sign, checkpointLabel, body), Sum: sum[:]}
}

// checkpointEvent returns the event that sends a checkpoint to receivers, with all that is needed
// to verify it.
func (s *Service) checkpointEvent(c *domain.AuditCheckpoint, now time.Time) domain.AuditEvent {
	e := s.systemEvent(domain.AuditCheckpointed, now)
	e.Details = map[string]string{"checkpoint": string(c.Body), "signature": base64.StdEncoding.EncodeToString(c.Sig)}
	return e
}

func sign(key ed25519.PrivateKey, label string, body []byte) []byte {
	return ed25519.Sign(key, append([]byte(label), body...))
}

func signed(key ed25519.PublicKey, label string, body, sig []byte) error {
	if !ed25519.Verify(key, append([]byte(label), body...), sig) {
		return errors.New("its signature is not of this server's key")
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
