package outgoing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// The headers of Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks).
const (
	headerID        = "webhook-id"
	headerTime      = "webhook-timestamp"
	headerSignature = "webhook-signature"
	secretPrefix    = "whsec_"
)

// secretOf returns the secret of a generation of a webhook. It is derived from the server's key and stored nowhere.
func secretOf(key []byte, hook string, generation int) []byte {
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "%s:%d", hook, generation)
	return m.Sum(nil)
}

// shownSecret returns a secret in the form in which libraries take it.
func shownSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// sign returns the value of webhook-signature: one signature for each secret.
func sign(secrets [][]byte, id string, at time.Time, body []byte) string {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		m.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	return strings.Join(signatures, " ")
}

// secretsOf returns the secrets by which a webhook signs at a time: for a while after it was replaced the one before,
// too.
func (s *Service) secretsOf(hook string, generation int, rotated, now time.Time) [][]byte {
	secrets := [][]byte{secretOf(s.Key, hook, generation)}
	if generation > 1 && now.Sub(rotated) < domain.HookSecretKept {
		secrets = append(secrets, secretOf(s.Key, hook, generation-1))
	}
	return secrets
}
