package provtest

import (
	"bytes"
	"crypto/aes"
	stdcipher "crypto/cipher"
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
)

type none struct{}

func (none) handshake(d *Device, _ message) (message, bool) {
	d.proven = true
	var out message
	out.put(1, 1)
	out.putBytes(21, nil)
	return out, true
}
func (none) decrypt(b []byte) ([]byte, bool) { return b, true }
func (none) encrypt(b []byte) []byte         { return b }

// sec1 is Security 1.
type sec1 struct {
	client, public []byte
	stream         stdcipher.Stream
}

func (s *sec1) handshake(d *Device, m message) (out message, ok bool) {
	if hello, ok := m.bytes[20]; ok {
		return s.begin(d, hello)
	}
	proof, ok := decode(m.bytes[22])
	if !ok || s.stream == nil || len(proof.bytes[2]) != 32 {
		return out, false
	}
	if plain, _ := s.decrypt(proof.bytes[2]); !bytes.Equal(plain, s.public) {
		return out, false
	}
	d.proven = true
	var inner message
	inner.putBytes(3, s.encrypt(s.client))
	out.put(1, 3)
	out.putBytes(23, inner.raw)
	return out, true
}

func (s *sec1) begin(d *Device, hello []byte) (out message, ok bool) {
	m, ok := decode(hello)
	peer, err := ecdh.X25519().NewPublicKey(m.bytes[1])
	if !ok || err != nil {
		return out, false
	}
	own := make([]byte, 32)
	d.Random(own)
	private, err := ecdh.X25519().NewPrivateKey(own)
	if err != nil {
		return out, false
	}
	key, err := private.ECDH(peer)
	if err != nil {
		return out, false
	}
	if d.Pop != "" {
		for i, v := range sha256.Sum256([]byte(d.Pop)) {
			key[i] ^= v
		}
	}
	iv := make([]byte, 16)
	d.Random(iv)
	block, err := aes.NewCipher(key)
	if err != nil {
		return out, false
	}
	s.client, s.public, s.stream = m.bytes[1], private.PublicKey().Bytes(), stdcipher.NewCTR(block, iv)
	var inner message
	inner.putBytes(2, s.public)
	inner.putBytes(3, iv)
	out.put(1, 1)
	out.putBytes(21, inner.raw)
	return out, true
}

func (s *sec1) decrypt(b []byte) ([]byte, bool) { return s.encrypt(b), true }

func (s *sec1) encrypt(b []byte) []byte {
	out := make([]byte, len(b))
	s.stream.XORKeyStream(out, b)
	return out
}

// sec2 is Security 2.
type sec2 struct {
	client, public, key []byte
	user                string
	gcm                 stdcipher.AEAD
	session             []byte
	count               uint32
	still               bool // the counter is never changed: sec_patch_ver 0
}

// modulus is 2^3072 - 2^3008 - 1 + 2^64 * (floor(2^2942 * pi) + 1690314), as RFC 3526 has it; pi by Machin's formula.
func modulus() *big.Int {
	const bits = 3100
	arctan := func(inverse int64) *big.Int {
		term := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(inverse))
		sum, square := new(big.Int).Set(term), big.NewInt(inverse*inverse)
		for n := int64(3); term.Sign() != 0; n += 2 {
			term.Div(term, square)
			part := new(big.Int).Div(term, big.NewInt(n))
			if n%4 == 3 {
				sum.Sub(sum, part)
			} else {
				sum.Add(sum, part)
			}
		}
		return sum
	}
	pi := arctan(5)
	pi.Mul(pi, big.NewInt(4)).Sub(pi, arctan(239)).Mul(pi, big.NewInt(4))
	n := new(big.Int).Rsh(pi, bits-2942)
	n.Add(n, big.NewInt(1690314)).Lsh(n, 64).Sub(n, big.NewInt(1))
	n.Add(n, new(big.Int).Lsh(big.NewInt(1), 3072))
	return n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 3008))
}

func sum(parts ...[]byte) []byte {
	out := sha512.Sum512(bytes.Join(parts, nil))
	return out[:]
}

func wide(n *big.Int) []byte { return n.FillBytes(make([]byte, 384)) }

// Verifier is v of a user's password.
func Verifier(user, password string, salt []byte) *big.Int {
	x := new(big.Int).SetBytes(sum(salt, sum([]byte(user+":"+password))))
	return x.Exp(big.NewInt(5), x, modulus())
}

func (s *sec2) handshake(d *Device, m message) (out message, ok bool) {
	if hello, ok := m.bytes[20]; ok {
		return s.begin(d, hello)
	}
	proof, ok := decode(m.bytes[22])
	if !ok || s.key == nil {
		return out, false
	}
	group := sum(wide(modulus()))
	for i, v := range sum(wide(big.NewInt(5))) {
		group[i] ^= v
	}
	want := sum(group, sum([]byte(s.user)), d.Salt, s.client, s.public, s.key)
	if !bytes.Equal(want, proof.bytes[1]) {
		return out, false
	}
	d.proven = true
	block, err := aes.NewCipher(s.key[:32])
	if err != nil {
		return out, false
	}
	if s.gcm, err = stdcipher.NewGCM(block); err != nil {
		return out, false
	}
	s.session, s.count, s.still = make([]byte, 8), 1, d.Patch == 0
	d.Random(s.session)
	var inner message
	inner.putBytes(2, sum(s.client, want, s.key))
	inner.putBytes(3, s.nonce())
	out.put(1, 3)
	out.putBytes(23, inner.raw)
	return out, true
}

func (s *sec2) begin(d *Device, hello []byte) (out message, ok bool) {
	m, ok := decode(hello)
	n := modulus()
	a := new(big.Int).SetBytes(m.bytes[2])
	if !ok || len(m.bytes[2]) != 384 || new(big.Int).Mod(a, n).Sign() == 0 || string(m.bytes[1]) != d.User {
		return out, false
	}
	own := make([]byte, 32)
	d.Random(own)
	secret := new(big.Int).SetBytes(own)
	k := new(big.Int).SetBytes(sum(wide(n), wide(big.NewInt(5))))
	b := new(big.Int).Exp(big.NewInt(5), secret, n)
	b.Add(b, k.Mul(k, d.Verifier)).Mod(b, n)
	s.client, s.public, s.user = m.bytes[2], b.Bytes(), d.User
	u := new(big.Int).SetBytes(sum(wide(a), wide(b)))
	common := new(big.Int).Exp(d.Verifier, u, n)
	common.Mul(common, a).Exp(common, secret, n)
	s.key = sum(common.Bytes())
	var inner message
	inner.putBytes(2, s.public)
	inner.putBytes(3, d.Salt)
	out.put(1, 1)
	out.putBytes(21, inner.raw)
	return out, true
}

func (s *sec2) nonce() []byte {
	return append(bytes.Clone(s.session), byte(s.count>>24), byte(s.count>>16), byte(s.count>>8), byte(s.count))
}

func (s *sec2) next() {
	if !s.still {
		s.count++
	}
}

func (s *sec2) decrypt(b []byte) ([]byte, bool) {
	plain, err := s.gcm.Open(nil, s.nonce(), b, nil)
	if err == nil {
		s.next()
	}
	return plain, err == nil
}

func (s *sec2) encrypt(b []byte) []byte {
	defer s.next()
	return s.gcm.Seal(nil, s.nonce(), b, nil)
}
