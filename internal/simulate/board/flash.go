// Package board is a virtual board of the ESP32 kind: flash memory whose power may fail at any byte, a partition
// table, otadata, eFuses, and a bootloader that follows the rules of ESP-IDF. It implements updater.Board.
package board

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const (
	sector    = 4096
	nvsAt     = 0x9000
	nvsPages  = 2
	nvsPage   = 2 * sector // of which one is in use
	otaAt     = 0xd000
	firstSlot = 0x10000
)

// flash is NOR flash: erasing sets bits, by sectors; writing clears them.
type flash struct {
	b     []byte
	cut   int // bytes until the power fails; negative: it does not
	steps int // bytes that were erased or written
}

// PowerCut is what a board panics with when its power fails: nothing that follows happens.
type PowerCut struct{}

// Error implements error.
func (PowerCut) Error() string { return "the power has failed" }

// step is the work on one byte, or erasing a part of a sector.
func (f *flash) step() {
	if f.cut == 0 {
		panic(PowerCut{})
	}
	f.cut--
	f.steps++
}

// erase erases a sector, in parts: in between, what was there is partly gone.
func (f *flash) erase(at int) {
	const part = sector / 4
	for i := 0; i < sector; i += part {
		f.step()
		for j := range part {
			f.b[at+i+j] = 0xff
		}
	}
}

// write writes to what is erased.
func (f *flash) write(at int, b []byte) {
	for i, v := range b {
		f.step()
		f.b[at+i] &= v
	}
}

// replace erases a sector and writes to its start.
func (f *flash) replace(at int, b []byte) {
	f.erase(at)
	f.write(at, b)
}

// A record in NVS: magic, number, length and CRC of what follows.
const nvsHead = 16

var errTooMuch = errors.New("there is no room in NVS")

// saved returns the newest record whose CRC fits, and the page that it is in.
func (f *flash) saved() (b []byte, seq uint32, page int) {
	page = nvsPages - 1
	for i := range nvsPages {
		p := f.b[nvsAt+i*nvsPage:][:nvsPage]
		n, size := binary.LittleEndian.Uint32(p[4:]), binary.LittleEndian.Uint32(p[8:])
		if string(p[:4]) != "NVS1" || size > nvsPage-nvsHead || n <= seq && b != nil {
			continue
		}
		data := p[nvsHead:][:size]
		if crc32.ChecksumIEEE(append(append([]byte(nil), p[4:12]...), data...)) == binary.LittleEndian.Uint32(p[12:]) {
			b, seq, page = data, n, i
		}
	}
	return b, seq, page
}

// save writes a record to the page that is not in use.
func (f *flash) save(b []byte) error {
	if len(b) > nvsPage-nvsHead {
		return errTooMuch
	}
	_, seq, page := f.saved()
	head := make([]byte, nvsHead)
	copy(head, "NVS1")
	binary.LittleEndian.PutUint32(head[4:], seq+1)
	binary.LittleEndian.PutUint32(head[8:], uint32(len(b)))
	binary.LittleEndian.PutUint32(head[12:], crc32.ChecksumIEEE(append(append([]byte(nil), head[4:12]...), b...)))
	at := nvsAt + (1-page)*nvsPage
	for i := 0; i < nvsHead+len(b); i += sector {
		f.erase(at + i)
	}
	f.write(at, append(head, b...))
	return nil
}
