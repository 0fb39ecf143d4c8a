package symbols

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// Limits of what debug information may consist of. Package debug/dwarf allocates what a file says that there is.
const (
	maxUnits   = 50_000
	maxEntries = 1 << 16 // directories, and files, of one unit
)

// A cursor reads a section. At its end it has zeros.
type cursor struct {
	order binary.ByteOrder
	rest  []byte
	short bool
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.rest)) {
		c.rest, c.short = nil, true
		return make([]byte, min(n, 8))
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u8() uint8   { return c.take(1)[0] }
func (c *cursor) u16() uint16 { return c.order.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return c.order.Uint32(c.take(4)) }

// uleb reads an unsigned number in LEB128; bits above the 64th are lost.
func (c *cursor) uleb() (v uint64) {
	for shift := uint(0); !c.short; shift += 7 {
		b := c.u8()
		v |= uint64(b&0x7f) << min(shift, 64)
		if b&0x80 == 0 {
			break
		}
	}
	return v
}

func (c *cursor) str() {
	for !c.short && c.u8() != 0 { //nolint:revive // that is all
	}
}

// check refuses debug information of more units than are read, and tables of abbreviations that overlap, each of which
// would be read anew.
func check(f *elf.File, info, abbrev []byte) error {
	tables := make(map[uint32]bool)
	c := &cursor{order: f.ByteOrder, rest: info}
	for n := 0; len(c.rest) > 0; n++ {
		length := c.u32()
		if n >= maxUnits || length >= 0xfffffff0 {
			return fmt.Errorf("%w: more than %d units, or units of 64 bits", ErrTooMuch, maxUnits)
		}
		unit := &cursor{order: f.ByteOrder, rest: c.take(uint64(length))}
		if c.short {
			break // package dwarf says what is wrong
		}
		version := unit.u16()
		if version >= 5 {
			unit.take(2) // its type, and the size of addresses
		}
		tables[unit.u32()] = true
	}
	read := 0
	for at := range tables {
		if uint64(at) > uint64(len(abbrev)) {
			continue
		}
		t := &cursor{order: f.ByteOrder, rest: abbrev[at:]}
		begin := len(t.rest)
		abbreviations(t)
		if read += begin - len(t.rest); read > len(abbrev) {
			return fmt.Errorf("%w: tables of abbreviations overlap", ErrTooMuch)
		}
	}
	return nil
}

// abbreviations reads a table up to its end.
func abbreviations(t *cursor) {
	const implicit = 0x21 // DW_FORM_implicit_const, which has its value here
	for t.uleb() != 0 && !t.short {
		t.uleb() // tag
		t.u8()   // whether it has children
		for !t.short {
			attr, form := t.uleb(), t.uleb()
			if form == implicit {
				t.uleb()
			}
			if attr == 0 && form == 0 {
				break
			}
		}
	}
}

// checkLines refuses the header of a table of lines that counts more directories or files than are read.
func checkLines(order binary.ByteOrder, line []byte, at int64) error {
	if at < 0 || at > int64(len(line)) {
		return fmt.Errorf("a table of lines is beyond the end of all")
	}
	c := &cursor{order: order, rest: line[at:]}
	if length := c.u32(); length >= 0xfffffff0 {
		return fmt.Errorf("%w: tables of lines of 64 bits", ErrTooMuch)
	}
	if c.u16() < 5 {
		return nil // lists end by themselves
	}
	c.take(2 + 4 + 5) // sizes, length of the header, and how lines are coded
	if opcodes := c.u8(); opcodes > 0 {
		c.take(uint64(opcodes) - 1)
	}
	for range 2 { // directories, and files
		forms := make([]uint64, c.u8())
		for i := range forms {
			c.uleb()
			forms[i] = c.uleb()
		}
		n := c.uleb()
		if n > maxEntries || len(forms) == 0 && n > 0 {
			return fmt.Errorf("%w: %d directories or files of a unit", ErrTooMuch, n)
		}
		for range n {
			for _, form := range forms {
				skip(c, form)
			}
			if c.short {
				return nil // package dwarf says what is wrong
			}
		}
	}
	return nil
}

// skip skips a value of a form.
func skip(c *cursor, form uint64) {
	switch form {
	case 0x08: // string
		c.str()
	case 0x0e, 0x1f, 0x1d, 0x06, 0x28: // strp, line_strp, strp_sup, data4, strx4
		c.take(4)
	case 0x1a, 0x0f: // strx, udata
		c.uleb()
	case 0x25, 0x0b: // strx1, data1
		c.take(1)
	case 0x26, 0x05: // strx2, data2
		c.take(2)
	case 0x27: // strx3
		c.take(3)
	case 0x07: // data8
		c.take(8)
	case 0x1e: // data16
		c.take(16)
	case 0x09: // block
		c.take(c.uleb())
	}
}
