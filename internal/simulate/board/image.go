package board

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// chips that images are made for, by their numbers in headers.
var chips = map[string]uint16{"esp32": 0, "esp32s2": 2, "esp32c3": 5, "esp32s3": 9, "esp32c2": 12, "esp32c6": 13,
	"esp32h2": 16, "esp32p4": 18}

// Firmware is what an image is, and what it makes a virtual device do.
type Firmware struct {
	Product       string `json:"product"`
	Chip          string `json:"chip"`
	Version       string `json:"version"`
	Code          uint32 `json:"code"`
	SecureVersion uint32 `json:"secure_version,omitempty"`
	Does          Does   `json:"does,omitzero"`
	Padding       int    `json:"-"` // bytes more than it needs
	Seed          string `json:"-"` // of these bytes, which firmware with the same seed shares; empty: its own
}

// Does is how good a firmware is. The zero value is a good one.
type Does struct {
	FailsOn  int    `json:"fails_on,omitempty"`  // percent of devices
	Revision uint16 `json:"revision,omitempty"`  // it fails on this revision of the hardware alone; 0: on all
	How      Fault  `json:"how,omitempty"`       // empty: Crashes
	Claims   string `json:"claims,omitempty"`    // a version that it claims to be
	ClaimsAs uint32 `json:"claims_as,omitempty"` // and its code
}

// Fault is how a firmware fails.
type Fault string

// The faults of a firmware.
const (
	Crashes  Fault = "crashes" // before it has reached the server, with each start
	Later    Fault = "later"   // it is confirmed, and crashes then, again and again
	Deaf     Fault = "deaf"    // it runs, and never reaches the server
	Silent   Fault = "silent"  // the same, and nothing takes it back: the device is lost
	Unfit    Fault = "unfit"   // it fails its own test
	FlapsOut Fault = "flaps"   // it is confirmed, and loses its connection all the time
)

// Known reports whether a fault is one.
func (f Fault) Known() bool {
	switch f {
	case "", Crashes, Later, Deaf, Silent, Unfit, FlapsOut:
		return true
	}
	return false
}

const (
	imageHead   = 24
	segmentHead = 8
	descriptor  = 256
	marker      = "unhidra-simulated-firmware:"
	rodataAt    = 0x3c000020
)

// Build makes an image of ESP-IDF's format with an application that only virtual boards can run.
func (f Firmware) Build() ([]byte, error) {
	chip, known := chips[f.Chip]
	if !known {
		return nil, fmt.Errorf("there is no chip %q to make an image for", f.Chip)
	}
	if len(f.Product) > 31 || len(f.Version) > 31 || f.Product == "" || f.Version == "" {
		return nil, errors.New("a product and a version have 1 to 31 bytes")
	}
	is, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	data := make([]byte, descriptor)
	binary.LittleEndian.PutUint32(data, 0xabcd5432)
	binary.LittleEndian.PutUint32(data[4:], f.SecureVersion)
	copy(data[16:48], f.Version)
	copy(data[48:80], f.Product)
	copy(data[112:144], "v6.0")
	elf := sha256.Sum256(append([]byte("elf of "), is...))
	copy(data[144:176], elf[:])
	data[180] = 16
	data = append(data, marker...)
	data = append(data, is...)
	data = append(data, 0)
	seed := elf
	if f.Seed != "" {
		seed = sha256.Sum256([]byte(f.Seed))
	}
	data = append(data, noise(f.Padding, seed)...)
	for len(data)%4 != 0 {
		data = append(data, 0)
	}
	return seal(chip, data), nil
}

// noise is data that does not compress, the same for the same seed.
func noise(n int, seed [32]byte) (b []byte) {
	for len(b) < n {
		b = append(b, seed[:]...)
		seed = sha256.Sum256(seed[:])
	}
	return b[:n]
}

// seal makes an image of one segment.
func seal(chip uint16, data []byte) []byte {
	b := make([]byte, imageHead, imageHead+segmentHead+len(data)+48)
	b[0], b[1], b[2], b[3] = 0xe9, 1, 2, 0x20
	binary.LittleEndian.PutUint32(b[4:], 0x42000020)
	b[8] = 0xee
	binary.LittleEndian.PutUint16(b[12:], chip)
	binary.LittleEndian.PutUint16(b[17:], 0xffff)
	b[23] = 1
	b = binary.LittleEndian.AppendUint32(b, rodataAt)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	sum := byte(0xef)
	for _, v := range data {
		sum ^= v
	}
	for len(b)%16 != 15 {
		b = append(b, 0)
	}
	b = append(b, sum)
	hash := sha256.Sum256(b)
	return append(b, hash[:]...)
}

// errNoImage is the error of what the bootloader does not start.
var errNoImage = errors.New("there is no image that can be started")

// image is one in a slot.
type image struct {
	Firmware
	size        int
	sha256, elf string
}

// read reads an image as the bootloader does: it is what its hash says.
func read(slot []byte) (image, error) {
	if len(slot) < imageHead+segmentHead || slot[0] != 0xe9 || slot[1] != 1 || slot[23] != 1 {
		return image{}, errNoImage
	}
	length := int(binary.LittleEndian.Uint32(slot[imageHead+4:]))
	end := (imageHead+segmentHead+length)/16*16 + 16
	if length < descriptor || length > len(slot) || end+sha256.Size > len(slot) {
		return image{}, errNoImage
	}
	if hash := sha256.Sum256(slot[:end]); !bytes.Equal(hash[:], slot[end:end+sha256.Size]) {
		return image{}, errNoImage
	}
	data := slot[imageHead+segmentHead:][:length]
	is, found := bytes.CutPrefix(data[descriptor:], []byte(marker))
	text, _, ended := bytes.Cut(is, []byte{0})
	var f Firmware
	if !found || !ended || json.Unmarshal(text, &f) != nil {
		return image{}, errNoImage
	}
	f.SecureVersion = binary.LittleEndian.Uint32(data[4:])
	whole := sha256.Sum256(slot[:end+sha256.Size])
	return image{Firmware: f, size: end + sha256.Size, sha256: hex.EncodeToString(whole[:]),
		elf: hex.EncodeToString(data[144:176])}, nil
}
