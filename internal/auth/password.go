package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/unhidra/unhidra/internal/domain"
)

// Parameters of Argon2id (RFC 9106): memory in KiB, passes, lanes.
const (
	argonMemory = 48 << 10
	argonTime   = 3
	argonLanes  = 1
	saltLength  = 16
	hashLength  = 32
)

// Bounds beyond which a record is not verified: a poisoned row must not take
// the server's memory.
const (
	maxMemory = 256 << 10
	maxTime   = 10
	maxLanes  = 8
)

const (
	maxPassword      = 256  // characters
	maxPasswordBytes = 1024 // before anything else looks at it
	hashQueue        = 64   // waiting for a turn
	hashWait         = 2 * time.Second
)

// hasher hashes passwords, a few at a time: each takes 48 MiB and a core for a
// good part of a second.
type hasher struct {
	turns   chan struct{}
	waiting chan struct{}
	dummy   string // a record that no password fits, of equal cost
}

func newHasher() *hasher {
	h := &hasher{turns: make(chan struct{}, max(1, min(runtime.GOMAXPROCS(0), 5))), waiting: make(chan struct{}, hashQueue)}
	var salt, sum [hashLength]byte
	_, _ = rand.Read(salt[:])
	_, _ = rand.Read(sum[:])
	h.dummy = encode(salt[:saltLength], sum[:])
	return h
}

// turn waits for a turn at the processor. A server that is asked for too much
// says so early, and it never counts against anybody's password.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	busy := domain.Unavailable.Errorf("busy", "too many people are signing in just now; try again in a moment").After(hashWait)
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, busy
	}
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-timer.C:
		return nil, busy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns the record of a password in PHC form.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	var salt [saltLength]byte
	_, _ = rand.Read(salt[:])
	return encode(salt[:], argon2.IDKey(normal(password), salt[:], argonTime, argonMemory, argonLanes, hashLength)), nil
}

// verify reports whether password is the record's, and whether the record
// should be made anew because the parameters have changed. No record at all, or
// one that cannot be read, costs the same and fits nothing.
func (h *hasher) verify(ctx context.Context, record, password string) (ok, stale bool, err error) {
	r, err := decode(record)
	known := err == nil
	if !known {
		if r, err = decode(h.dummy); err != nil {
			return false, false, err
		}
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	sum := argon2.IDKey(normal(password), r.salt, r.time, r.memory, r.lanes, uint32(len(r.sum)))
	ok = subtle.ConstantTimeCompare(sum, r.sum) == 1 && known
	return ok, r.memory != argonMemory || r.time != argonTime || r.lanes != argonLanes, nil
}

// normal is the form of a password that is hashed: NFC, so that two keyboards
// that write an accent differently agree.
func normal(password string) []byte { return norm.NFC.Bytes([]byte(password)) }

type record struct {
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

func encode(salt, sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

// decode reads a record in the PHC string format.
func decode(s string) (record, error) {
	var r record
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return r, fmt.Errorf("not an Argon2id record")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &r.memory, &r.time, &r.lanes); err != nil {
		return r, fmt.Errorf("parameters: %w", err)
	}
	if r.memory == 0 || r.memory > maxMemory || r.time == 0 || r.time > maxTime || r.lanes == 0 || r.lanes > maxLanes {
		return r, fmt.Errorf("parameters out of bounds")
	}
	var err error
	if r.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(r.salt) < 8 || len(r.salt) > 64 {
		return r, fmt.Errorf("bad salt")
	}
	if r.sum, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(r.sum) < 16 || len(r.sum) > 64 {
		return r, fmt.Errorf("bad hash")
	}
	return r, nil
}

// common are passwords that everybody tries first and that are long enough to
// pass; shorter ones need no list.
var common = []string{
	"123456789012345", "1234567890123456", "12345678901234567890", "qwertyuiopasdfgh", "qwertyuiop123456", "passwordpassword",
	"password12345678", "password123456789", "administrator123", "letmeinletmein12", "iloveyouiloveyou", "abcdefghijklmnop",
	"correcthorsebatterystaple", "correct horse battery staple", "unhidraunhidra123",
}

// checkPassword says whether a new password is good enough: long, not one that
// everybody tries, and not made of the account's own names (NIST SP 800-63B-4).
// What it is composed of is nobody's business.
func checkPassword(password string, least int, names ...string) error {
	if len(password) > maxPasswordBytes {
		return domain.InvalidField("/password", "a password has at most %d characters", maxPassword)
	}
	if !utf8.ValidString(password) {
		return domain.InvalidField("/password", "this is not valid UTF-8")
	}
	n := utf8.RuneCountInString(norm.NFC.String(password))
	if n < least {
		return domain.InvalidField("/password", "a password needs at least %d characters; a sentence is easy to remember", least)
	}
	if n > maxPassword {
		return domain.InvalidField("/password", "a password has at most %d characters", maxPassword)
	}
	lower := strings.ToLower(password)
	for _, c := range common {
		if lower == c {
			return domain.InvalidField("/password", "this password is one that everybody tries; choose another")
		}
	}
	if strings.Count(lower, lower[:1]) == len(lower) {
		return domain.InvalidField("/password", "this is one character many times; choose another")
	}
	rest := lower
	for _, name := range append(names, "unhidra") {
		if name = strings.ToLower(name); len(name) > 2 {
			rest = strings.ReplaceAll(rest, name, "")
		}
	}
	if utf8.RuneCountInString(rest) < min(8, least) {
		return domain.InvalidField("/password", "this is little more than your name; choose another")
	}
	return nil
}
