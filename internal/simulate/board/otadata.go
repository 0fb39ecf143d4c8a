package board

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/unhidra/unhidra/internal/domain"
)

// States of an entry of otadata, by the numbers of ESP-IDF.
const (
	stateNew       = 0
	statePending   = 1
	stateValid     = 2
	stateInvalid   = 3
	stateAborted   = 4
	stateUndefined = 0xffffffff
)

// names of the states.
var names = map[uint32]domain.SlotState{
	stateNew: domain.SlotNew, statePending: domain.SlotPending, stateValid: domain.SlotValid,
	stateInvalid: domain.SlotInvalid, stateAborted: domain.SlotAborted, stateUndefined: domain.SlotUndefined,
}

// entry is one of the two of otadata: 32 bytes at the start of a sector.
type entry struct{ seq, state uint32 }

const erased = 0xffffffff

// sequenceCRC is the CRC of an entry: over the number alone, begun with ones.
func sequenceCRC(seq uint32) uint32 {
	return crc32.Update(0xffffffff, crc32.IEEETable, binary.LittleEndian.AppendUint32(nil, seq))
}

func (f *flash) entry(i int) entry {
	b := f.b[otaAt+i*sector:]
	e := entry{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[24:])}
	if e.seq != erased && binary.LittleEndian.Uint32(b[28:]) != sequenceCRC(e.seq) {
		e.seq = erased
	}
	return e
}

func (f *flash) setEntry(i int, e entry) {
	b := make([]byte, 0, 32)
	b = binary.LittleEndian.AppendUint32(b, e.seq)
	for range 20 {
		b = append(b, 0xff) // the label
	}
	b = binary.LittleEndian.AppendUint32(b, e.state)
	b = binary.LittleEndian.AppendUint32(b, sequenceCRC(e.seq))
	f.replace(otaAt+i*sector, b)
}

// usable reports whether the bootloader may choose what an entry names.
func (e entry) usable() bool {
	return e.seq != erased && e.state != stateInvalid && e.state != stateAborted
}

// slot is the slot that an entry names.
func (e entry) slot() int { return int(e.seq-1) % 2 }

// active returns the number of the usable entry with the highest sequence, or -1.
func (f *flash) active() int {
	best := -1
	for i := range 2 {
		if e := f.entry(i); e.usable() && (best < 0 || e.seq > f.entry(best).seq) {
			best = i
		}
	}
	return best
}

// of returns the newest entry of a slot, and its number; -1: it has none.
func (f *flash) of(slot int) (e entry, n int) {
	n = -1
	for i := range 2 {
		if x := f.entry(i); x.seq != erased && x.slot() == slot && (n < 0 || x.seq > e.seq) {
			e, n = x, i
		}
	}
	return e, n
}
