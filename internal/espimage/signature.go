package espimage

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"slices"
)

// A Signature is one of Secure Boot v2.
type Signature struct {
	Scheme    string `json:"scheme"`     // RSA-3072, ECDSA P-192, ECDSA P-256, ECDSA P-384
	KeyDigest string `json:"key_digest"` // of the public key, in hexadecimal, as eFuses hold it
	Valid     bool   `json:"valid"`      // it is one of this image
}

const (
	blockSize   = 1216
	maxBlocks   = 3
	blockMagic  = 0xE7
	blockSummed = 1196 // bytes that the checksum of a block covers
	rsaVersion  = 2
	ecVersion   = 3
	rsaBytes    = 384
	v1Size      = 68 // of a signature of Secure Boot v1
)

// after reads what follows the image: padding and signatures.
func (r *reader) after() error {
	rest := r.size - r.ImageSize
	if rest == 0 {
		return nil
	}
	padEnd := r.size
	if r.size%sector == 0 && rest >= sector {
		found, err := r.signatures(r.size - sector)
		if err != nil {
			return err
		}
		if found {
			padEnd = r.size - sector
		}
	}
	tail, err := r.bytes(r.ImageSize, 4)
	if err != nil {
		return err
	}
	if rest == v1Size && bytes.Equal(tail, make([]byte, 4)) {
		r.warn("secure_boot_v1", "Move to Secure Boot v2 (ESP32 from revision v3.0 on).",
			"it has a signature of Secure Boot v1 at byte %#x, which is not verified here", r.ImageSize)
		return nil
	}
	return r.padding(padEnd)
}

// padding looks for anything but padding between the image and its signatures.
func (r *reader) padding(end int64) error {
	odd := int64(-1)
	err := r.each(r.ImageSize, end, func(at int64, b []byte) bool {
		if i := slices.IndexFunc(b, func(v byte) bool { return v != 0xFF }); i >= 0 {
			odd = at + int64(i)
		}
		return odd < 0
	})
	if err == nil && odd >= 0 {
		r.warn("trailing_data", "Upload the file as the build made it.",
			"after the image, which ends at byte %#x, there is data from byte %#x on, which nothing protects", r.ImageSize, odd)
	}
	return err
}

// signatures reads the sector of signatures at an offset.
func (r *reader) signatures(at int64) (found bool, err error) {
	b, err := r.bytes(at, sector)
	if err != nil || len(b) < sector || b[0] != blockMagic {
		return false, err
	}
	digests, err := r.digests(at)
	if err != nil {
		return false, err
	}
	for n := range maxBlocks {
		block := b[n*blockSize : (n+1)*blockSize]
		if block[0] != blockMagic {
			break
		}
		where := at + int64(n*blockSize)
		if crc32.ChecksumIEEE(block[:blockSummed]) != binary.LittleEndian.Uint32(block[blockSummed:]) {
			r.refuse("bad_signature_block", signAgain, "the checksum of the signature block at byte %#x does not fit", where)
			continue
		}
		s, problem := verify(block, digests)
		if problem != "" {
			r.refuse("bad_signature", signAgain, "the signature at byte %#x: %s", where, problem)
		}
		if s.Scheme != "" {
			r.Signatures = append(r.Signatures, s)
			r.fitsChip(s)
		}
	}
	return true, nil
}

const signAgain = "Sign the image again, with `espsecure sign-data --version 2`, and change nothing afterwards."

// fitsChip warns of signatures that the chip cannot verify.
func (r *reader) fitsChip(s Signature) {
	chip, ok := chipByID(r.ChipID)
	if ok && (s.Scheme == schemeRSA && !chip.rsa || s.Scheme != schemeRSA && !chip.ecdsa) {
		r.warn("foreign_scheme", "Sign it with a key that the chip can use.", "%s cannot verify signatures by %s",
			chip.Title, s.Scheme)
	}
}

// digests are those of what signatures cover: all before their sector.
func (r *reader) digests(end int64) (map[crypto.Hash][]byte, error) {
	short, long := sha256.New(), sha512.New384()
	_, err := io.Copy(io.MultiWriter(short, long), io.NewSectionReader(r.file, 0, end))
	return map[crypto.Hash][]byte{crypto.SHA256: short.Sum(nil), crypto.SHA384: long.Sum(nil)}, err
}

// verify reads a signature block whose checksum fits.
func verify(block []byte, digests map[crypto.Hash][]byte) (s Signature, problem string) {
	switch block[1] {
	case rsaVersion:
		return verifyRSA(block, digests[crypto.SHA256])
	case ecVersion:
		return verifyEC(block, digests)
	}
	return s, fmt.Sprintf("its version is %d, and must be 2 (RSA) or 3 (ECDSA)", block[1])
}

const (
	schemeRSA = "RSA-3072"

	otherContent = "it is of other content: the image was changed after it was signed"
	badSignature = "it was not made by the key beside it"
)

// verifyRSA verifies RSA-PSS (RFC 8017) with SHA-256. Numbers are little endian.
func verifyRSA(block, digest []byte) (s Signature, problem string) {
	sum := sha256.Sum256(block[36:812])
	s = Signature{Scheme: schemeRSA, KeyDigest: hex.EncodeToString(sum[:])}
	if !bytes.Equal(block[4:36], digest) {
		return s, otherContent
	}
	key := &rsa.PublicKey{N: number(block[36 : 36+rsaBytes]), E: int(binary.LittleEndian.Uint32(block[420:]))}
	if key.N.BitLen() != 8*rsaBytes || key.E < 3 || key.E%2 == 0 {
		return s, "its key is not one of RSA with 3072 bits"
	}
	sig := slices.Clone(block[812 : 812+rsaBytes])
	slices.Reverse(sig)
	options := &rsa.PSSOptions{SaltLength: sha256.Size}
	if rsa.VerifyPSS(key, crypto.SHA256, digest, sig, options) != nil {
		return s, badSignature
	}
	s.Valid = true
	return s, ""
}

// curves are those of ECDSA blocks, by the byte that names them.
var curves = map[byte]struct {
	scheme string
	curve  elliptic.Curve // nil: P-192, which the standard library has not
	hash   crypto.Hash
	half   int // bytes of a coordinate
}{
	1: {"ECDSA P-192", nil, crypto.SHA256, 24},
	2: {"ECDSA P-256", elliptic.P256(), crypto.SHA256, 32},
	3: {"ECDSA P-384", elliptic.P384(), crypto.SHA384, 48},
}

func verifyEC(block []byte, digests map[crypto.Hash][]byte) (s Signature, problem string) {
	at := 4 + sha256.Size
	if block[2] == 1 {
		at = 4 + sha512.Size384
	}
	c, ok := curves[block[at]]
	if !ok || (c.hash == crypto.SHA384) != (block[2] == 1) {
		return s, fmt.Sprintf("it names curve %d, which does not exist", block[at])
	}
	// The fields of P-192 are as long as those of P-256; what it does not use are zeros at their ends.
	field := max(c.half, 32) * 2
	sum := sha256.Sum256(block[at : at+1+field])
	s = Signature{Scheme: c.scheme, KeyDigest: hex.EncodeToString(sum[:])}
	digest := digests[c.hash]
	if !bytes.Equal(block[4:at], digest) {
		return s, otherContent
	}
	pair := func(from int) (*big.Int, *big.Int) {
		return number(block[from : from+c.half]), number(block[from+c.half : from+2*c.half])
	}
	x, y := pair(at + 1)
	sigR, sigS := pair(at + 1 + field)
	if c.curve == nil {
		s.Valid = p192Verify(x, y, digest, sigR, sigS)
	} else if key, err := ecdsa.ParseUncompressedPublicKey(c.curve, uncompressed(x, y, c.half)); err == nil {
		s.Valid = ecdsa.Verify(key, digest, sigR, sigS)
	}
	if !s.Valid {
		return s, badSignature
	}
	return s, ""
}

func uncompressed(x, y *big.Int, half int) []byte {
	raw := make([]byte, 1+2*half)
	raw[0] = 4
	x.FillBytes(raw[1 : 1+half])
	y.FillBytes(raw[1+half:])
	return raw
}

// number reads a number in little endian.
func number(b []byte) *big.Int {
	b = slices.Clone(b)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}
