// Package imagetest makes application images of ESP-IDF, for tests and virtual devices. No processor runs
// them.
package imagetest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/md5" //nolint:gosec // bootloaders check tables by it
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
)

// An App is what an image is made of.
type App struct {
	ChipID        uint16
	RevisionMin   uint16
	RevisionMax   uint16
	Project       string
	Version       string
	SDK           string
	SecureVersion uint32
	ELF           [32]byte // SHA-256 of the ELF file
	Code          []byte   // of a second segment; a multiple of 4 bytes
	NoHash        bool
}

// Code makes n bytes of something that looks like a program, the same for the same seed.
func Code(n int, seed uint64) []byte {
	random := mathrand.New(mathrand.NewPCG(seed, 1))
	b := make([]byte, 0, n)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint32(b, 0x13|uint32(random.IntN(1<<9))<<7)
	}
	return b[:n]
}

// Build makes an image.
func Build(a App) []byte {
	descriptor := make([]byte, 256)
	binary.LittleEndian.PutUint32(descriptor, 0xABCD5432)
	binary.LittleEndian.PutUint32(descriptor[4:], a.SecureVersion)
	copy(descriptor[16:47], a.Version)
	copy(descriptor[48:79], a.Project)
	copy(descriptor[80:], "12:00:00")
	copy(descriptor[96:], "Nov 28 2026")
	copy(descriptor[112:143], a.SDK)
	copy(descriptor[144:], a.ELF[:])
	descriptor[180] = 16
	b := []byte{0xE9, 2, 2, 0x20, 0, 0, 0x37, 0x40, 0xEE, 0, 0, 0}
	b = binary.LittleEndian.AppendUint16(b, a.ChipID)
	b = append(b, 0)
	b = binary.LittleEndian.AppendUint16(b, a.RevisionMin)
	b = binary.LittleEndian.AppendUint16(b, a.RevisionMax)
	b = append(b, 0, 0, 0, 0, 1)
	if a.NoHash {
		b[23] = 0
	}
	sum := byte(0xEF)
	for n, data := range [][]byte{descriptor, a.Code} {
		b = binary.LittleEndian.AppendUint32(b, []uint32{flash(a.ChipID) + 0x20, 0x40380000}[n])
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
		b = append(b, data...)
		for _, v := range data {
			sum ^= v
		}
	}
	b = append(b, make([]byte, 15-len(b)%16)...)
	b = append(b, sum)
	if a.NoHash {
		return b
	}
	hash := sha256.Sum256(b)
	return append(b, hash[:]...)
}

// flash is where a chip has its flash in memory.
func flash(chip uint16) uint32 {
	switch chip {
	case 0x00: // ESP32
		return 0x3F400000
	case 0x02: // S2
		return 0x3F000000
	case 0x05, 0x09, 0x0C, 0x1F: // C3, S3, C2, E22
		return 0x3C000000
	case 0x12, 0x20: // P4, S31
		return 0x40000000
	}
	return 0x42000000
}

// Pad fills an image up to a multiple of 4096 bytes, as signing does.
func Pad(image []byte) []byte {
	return append(slices.Clone(image), bytes.Repeat([]byte{0xFF}, -len(image)&4095)...)
}

// Sign appends a sector of signatures of Secure Boot v2, one for each key: RSA with 3072 bits, or ECDSA on P-256
// or P-384.
func Sign(image []byte, keys ...crypto.Signer) ([]byte, error) {
	image = Pad(image)
	var blocks []byte
	for _, key := range keys {
		block, err := block(image, key)
		if err != nil {
			return nil, err
		}
		block = append(block, make([]byte, 1196-len(block))...)
		block = binary.LittleEndian.AppendUint32(block, crc32.ChecksumIEEE(block))
		blocks = append(blocks, append(block, make([]byte, 16)...)...)
	}
	return append(image, append(blocks, bytes.Repeat([]byte{0xFF}, 4096-len(blocks))...)...), nil
}

func block(image []byte, key crypto.Signer) ([]byte, error) {
	digest := sha256.Sum256(image)
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return rsaBlock(digest[:], k)
	case *ecdsa.PrivateKey:
		if k.Curve.Params().BitSize == 384 {
			long := sha512.Sum384(image)
			return ecBlock(long[:], k, 1, 3, 48)
		}
		return ecBlock(digest[:], k, 0, 2, 32)
	}
	return nil, fmt.Errorf("cannot sign with a %T", key)
}

func rsaBlock(digest []byte, k *rsa.PrivateKey) ([]byte, error) {
	sig, err := k.Sign(rand.Reader, digest, &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256})
	if err != nil {
		return nil, err
	}
	one := big.NewInt(1)
	r := new(big.Int).Lsh(one, 6144)
	word := new(big.Int).Lsh(one, 32)
	m := new(big.Int).ModInverse(k.N, word)
	b := append([]byte{0xE7, 2, 0, 0}, digest...)
	b = append(b, little(k.N, 384)...)
	b = binary.LittleEndian.AppendUint32(b, uint32(k.E))
	b = append(b, little(r.Mod(r, k.N), 384)...)
	b = append(b, little(m.Sub(word, m), 4)...)
	return append(b, little(new(big.Int).SetBytes(sig), 384)...), nil
}

func ecBlock(digest []byte, k *ecdsa.PrivateKey, hash, curve byte, half int) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k, digest)
	if err != nil {
		return nil, err
	}
	public, err := k.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	b := append(append([]byte{0xE7, 3, hash, 0}, digest...), curve)
	for _, n := range []*big.Int{new(big.Int).SetBytes(public[1 : 1+half]), new(big.Int).SetBytes(public[1+half:]), r, s} {
		b = append(b, little(n, half)...)
	}
	return b, nil
}

func little(n *big.Int, size int) []byte {
	b := n.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

// A Partition is an entry of a partition table.
type Partition struct {
	Kind, Subtype byte
	At, Size      uint32
	Label         string
}

// Partitions are those of a board with two slots for updates.
func Partitions() []Partition {
	return []Partition{{1, 2, 0x9000, 0x6000, "nvs"}, {1, 0, 0xF000, 0x2000, "otadata"},
		{0, 0x10, 0x20000, 0x100000, "ota_0"}, {0, 0x11, 0x120000, 0x100000, "ota_1"}}
}

// Table makes a partition table, which is to lie at 0x8000.
func Table(partitions ...Partition) []byte {
	var b []byte
	for _, p := range partitions {
		b = append(b, 0xAA, 0x50, p.Kind, p.Subtype)
		b = binary.LittleEndian.AppendUint32(b, p.At)
		b = binary.LittleEndian.AppendUint32(b, p.Size)
		b = append(b, append([]byte(p.Label), make([]byte, 20-len(p.Label))...)...)
	}
	sum := md5.Sum(b) //nolint:gosec // bootloaders check tables by it
	b = append(b, append(append([]byte{0xEB, 0xEB}, bytes.Repeat([]byte{0xFF}, 14)...), sum[:]...)...)
	return append(b, bytes.Repeat([]byte{0xFF}, 0xC00-len(b))...)
}

// Bootloader makes what looks like the bootloader of a chip.
func Bootloader(chip uint16) []byte {
	return Build(App{ChipID: chip, Project: "bootloader", Version: "1", Code: Code(2048, 9), NoHash: true})
}

// Factory makes a flash from its beginning: a bootloader, which begins at boot, a table with Partitions, and an
// application in the first slot.
func Factory(chip uint16, boot int, app []byte) []byte {
	b := bytes.Repeat([]byte{0xFF}, 0x20000)
	copy(b[boot:], Bootloader(chip))
	copy(b[0x8000:], Table(Partitions()...))
	return append(b, app...)
}
