package provision

import (
	"crypto/sha512"
	"errors"
	"math/big"
)

// SRP6a as protocomm has it: the group of 3,072 bits of RFC 5054 (appendix A) with SHA-512. What is computed here takes
// a time that depends on the secrets; so it is for who sets a device up, not for a server that strangers reach.

const srpSize = 384 // of a number of the group, in bytes

const srpPrime = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
	"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
	"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
	"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
	"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

var (
	srpN, _ = new(big.Int).SetString(srpPrime, 16)
	srpG    = big.NewInt(5)
)

// hashOf is SHA-512 over what follows each other.
func hashOf(parts ...[]byte) []byte {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func numberOf(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// padded is a number with leading zeros.
func padded(n *big.Int) []byte { return n.FillBytes(make([]byte, srpSize)) }

// secretOf is x of a user's password.
func secretOf(user, password string, salt []byte) *big.Int {
	return numberOf(hashOf(salt, hashOf([]byte(user+":"+password))))
}

// Verifier is what a device has in place of a password of Security 2.
func Verifier(user, password string, salt []byte) []byte {
	return new(big.Int).Exp(srpG, secretOf(user, password, salt), srpN).Bytes()
}

// srp is the side of who sets up.
type srp struct {
	a             *big.Int
	public        []byte // A
	key, expected []byte // K, and the proof M2 of the device
}

// newSRP makes a key pair. Its public key begins with no zero: peers differ in whether they send it.
func newSRP(random func([]byte)) *srp {
	for {
		b := make([]byte, 32)
		random(b)
		s := &srp{a: numberOf(b)}
		s.public = new(big.Int).Exp(srpG, s.a, srpN).Bytes()
		if len(s.public) == srpSize {
			return s
		}
	}
}

var errSRP = errors.New("the device's key is one that nobody may use")

// prove computes the key by the device's salt and public key, and returns the proof M1.
func (s *srp) prove(user, password string, salt, theirs []byte) ([]byte, error) {
	b := numberOf(theirs)
	u := numberOf(hashOf(padded(numberOf(s.public)), paddedBytes(theirs)))
	if len(theirs) > srpSize || new(big.Int).Mod(b, srpN).Sign() == 0 || u.Sign() == 0 || len(salt) == 0 {
		return nil, errSRP
	}
	x, k := secretOf(user, password, salt), numberOf(hashOf(padded(srpN), padded(srpG)))
	base := new(big.Int).Exp(srpG, x, srpN)
	base.Sub(b, base.Mul(base, k)).Mod(base, srpN)
	power := new(big.Int).Mul(u, x)
	power.Add(power, s.a)
	s.key = hashOf(base.Exp(base, power, srpN).Bytes())
	group := hashOf(padded(srpN))
	for i, v := range hashOf(padded(srpG)) {
		group[i] ^= v
	}
	proof := hashOf(group, hashOf([]byte(user)), salt, s.public, theirs, s.key)
	s.expected = hashOf(s.public, proof, s.key)
	return proof, nil
}

func paddedBytes(b []byte) []byte {
	if len(b) >= srpSize {
		return b
	}
	return append(make([]byte, srpSize-len(b)), b...)
}
