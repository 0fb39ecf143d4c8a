package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

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

// Limits beyond which a record is refused, so that a manipulated row cannot exhaust the server's
// memory or time.
const (
	maxMemory     = 256 << 20 // bytes, for all kinds
	maxTime       = 10        // Argon2
	maxLanes      = 8         // Argon2 and scrypt
	maxBcryptCost = 14
	maxScryptWork = 1 << 22 // N * r * p
	maxIterations = 2_000_000
)

// A record is the stored form of a password, ours or another system's.
type record interface {
	fits(password string) bool
	memory() int64 // bytes that fits allocates
}

var errUnknown = errors.New("no kind of record that we know")

// CheckRecord returns an error if a record of another system cannot be verified here. The error
// says what is wrong and does not contain the record.
func CheckRecord(s string) error {
	if _, err := parse(s); err != nil {
		return domain.InvalidField("/password_hash", "this password hash cannot be used: %v", err)
	}
	return nil
}

// parse parses a record: PHC string format, bcrypt, or Django's.
func parse(s string) (record, error) {
	if len(s) > MaxBytes {
		return nil, errUnknown
	}
	// Django prefixes PHC and bcrypt records with the name of its hasher.
	for _, name := range []string{"argon2", "bcrypt$"} {
		if rest, ok := strings.CutPrefix(s, name); ok && strings.HasPrefix(rest, "$") {
			s = rest
		}
	}
	parts := strings.Split(s, "$")
	switch {
	case len(parts) < 4:
		return nil, errUnknown
	case parts[0] == "" && (parts[1] == "argon2id" || parts[1] == "argon2i"):
		return parseArgon(parts[1:])
	case parts[0] == "" && (parts[1] == "2a" || parts[1] == "2b" || parts[1] == "2y"):
		return parseBcrypt(s)
	case parts[0] == "" && parts[1] == "scrypt":
		return parseScrypt(parts[1:])
	case parts[0] == "" && strings.HasPrefix(parts[1], "pbkdf2"):
		return parsePBKDF2(parts[1:])
	case strings.HasPrefix(parts[0], "pbkdf2_"):
		return parseDjango(parts)
	}
	return nil, errUnknown
}

// normal returns the form of a password that is hashed: NFC, so that it does not matter how a
// keyboard composes accents. Other systems hash the password as entered, so their records are
// verified with that.
func normal(password string) []byte { return norm.NFC.Bytes([]byte(password)) }

// argon is an Argon2 record, with its parameters.
type argon struct {
	name      string
	mem, time uint32
	lanes     uint8
	salt, key []byte
}

// newArgon returns the parameters of a new record that takes so many KiB, with a new salt.
func newArgon(mem uint32) argon {
	return argon{name: "argon2id", mem: mem, time: argonTime, lanes: argonLanes, salt: randomBytes(saltLength),
		key: make([]byte, hashLength)}
}

// own reports whether a has the parameters of a new record of mem.
func (a argon) own(mem uint32) bool {
	return a.name == "argon2id" && a.mem == mem && a.time == argonTime && a.lanes == argonLanes &&
		len(a.key) == hashLength && len(a.salt) >= saltLength
}

func (a argon) memory() int64 { return int64(a.mem) << 10 }

func (a argon) sum(password []byte) []byte {
	if a.name == "argon2i" {
		return argon2.Key(password, a.salt, a.time, a.mem, a.lanes, uint32(len(a.key)))
	}
	return argon2.IDKey(password, a.salt, a.time, a.mem, a.lanes, uint32(len(a.key)))
}

func (a argon) equal(sum []byte) bool { return subtle.ConstantTimeCompare(sum, a.key) == 1 }

func (a argon) fits(password string) bool { return a.equal(a.sum(normal(password))) }

func (a argon) encode(sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", a.name, argon2.Version, a.mem, a.time, a.lanes,
		b64.EncodeToString(a.salt), b64.EncodeToString(sum))
}

func parseArgon(parts []string) (record, error) {
	a := argon{name: parts[0]}
	if len(parts) != 5 || parts[1] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errors.New("not an Argon2 record of version 19")
	}
	p, err := params(parts[2], "m", "t", "p")
	if err != nil {
		return nil, err
	}
	if p[0] < 8*p[2] || p[0]<<10 > maxMemory || p[1] == 0 || p[1] > maxTime || p[2] == 0 || p[2] > maxLanes {
		return nil, errBounds
	}
	a.mem, a.time, a.lanes = uint32(p[0]), uint32(p[1]), uint8(p[2])
	a.salt, a.key, err = saltAndKey(parts[3], parts[4], base64.RawStdEncoding)
	return a, err
}

var errBounds = errors.New("its parameters are out of bounds")

// params parses "m=49152,t=3,p=1": exactly these names, in this order.
func params(s string, names ...string) ([]int64, error) {
	fields := strings.Split(s, ",")
	if len(fields) != len(names) {
		return nil, errors.New("it has other parameters than its kind has")
	}
	values := make([]int64, len(names))
	for i, f := range fields {
		digits, ok := strings.CutPrefix(f, names[i]+"=")
		if !ok {
			return nil, errors.New("it has other parameters than its kind has")
		}
		n, err := number(digits)
		if err != nil {
			return nil, err
		}
		values[i] = n
	}
	return values, nil
}

// number parses digits: no sign, and at most 31 bits.
func number(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, errBounds
	}
	return int64(n), nil
}

func saltAndKey(salt, key string, enc *base64.Encoding) (s, k []byte, err error) {
	if s, err = enc.Strict().DecodeString(salt); err != nil || len(s) < 8 || len(s) > 64 {
		return nil, nil, errors.New("its salt cannot be read")
	}
	if k, err = enc.Strict().DecodeString(key); err != nil || len(k) < 16 || len(k) > 64 {
		return nil, nil, errors.New("its hash cannot be read")
	}
	return s, k, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return b
}
