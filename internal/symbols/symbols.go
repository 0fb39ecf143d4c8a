// Package symbols says which functions and lines of source text the addresses of a program are in, by the debug
// information of its ELF file (DWARF 2 to 5). The file may be from anybody: what is read of it is bounded, before
// packages debug/elf and debug/dwarf see it.
package symbols

import (
	"context"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A Frame is a function that an address is in. Of one address the first is the innermost; all but the last are inlined
// into the one after them.
type Frame struct {
	Function string // as the compiler names it: of C++, mangled; empty: it is not known
	File     string
	Line     int // 0: it is not known
}

// ErrTooMuch is the answer about a file that has more debug information than is read.
var ErrTooMuch = errors.New("the file has too much debug information")

// Limits of what is read.
const (
	maxSymbols = 16 << 20 // bytes of the table of symbols, and of their names
	maxFrames  = 32       // of one address
)

// maxSections are the sections that are read, with the most bytes that each may have uncompressed.
var maxSections = map[string]uint64{
	".debug_abbrev": 4 << 20, ".debug_info": 64 << 20, ".debug_line": 24 << 20, ".debug_line_str": 8 << 20,
	".debug_str": 24 << 20, ".debug_str_offsets": 8 << 20, ".debug_addr": 8 << 20, ".debug_ranges": 8 << 20,
	".debug_rnglists": 8 << 20,
}

// Resolve returns the frames of addresses in a program, as far as they are known: by its debug information, or else by
// its table of symbols. Addresses are those of calls, and not of what they return to. It fails if the file is no ELF
// file, ctx is done or there is too much.
func Resolve(ctx context.Context, file io.ReaderAt, addresses []uint32) (found map[uint32][]Frame, err error) {
	defer func() {
		if p := recover(); p != nil { // of the packages that read the file
			found, err = nil, fmt.Errorf("read debug information: %v", p)
		}
	}()
	f, err := elf.NewFile(file)
	if err != nil {
		return nil, err
	}
	s := &search{ctx: ctx, found: make(map[uint32][]Frame)}
	for _, a := range addresses {
		s.wanted = append(s.wanted, wanted{a, uint64(Code(f.Machine, a))})
	}
	slices.SortFunc(s.wanted, func(a, b wanted) int { return int(int64(a.pc) - int64(b.pc)) })
	data, err := information(f)
	if err != nil {
		return nil, err
	}
	if data != nil {
		if err := s.units(data); err != nil {
			return nil, err
		}
	}
	return s.found, s.symbols(f)
}

// Code is where an address on the stack is in the program's code. Xtensa keeps in the two highest bits of what a call
// returns to by how much it moved its window of registers.
func Code(m elf.Machine, a uint32) uint32 {
	if m == elf.EM_XTENSA && a&0x80000000 != 0 {
		return a&0x3fffffff | 0x40000000
	}
	return a
}

// information reads the debug information; nil: there is none.
func information(f *elf.File) (*debug, error) {
	read := make(map[string][]byte)
	for _, s := range f.Sections {
		most, needed := maxSections[s.Name]
		if !needed || s.Type == elf.SHT_NOBITS {
			continue
		}
		if s.Size > most || s.FileSize > most {
			return nil, fmt.Errorf("%w: %s has %d bytes, and %d are read", ErrTooMuch, s.Name, s.Size, most)
		}
		b, err := io.ReadAll(io.LimitReader(s.Open(), int64(most))) //nolint:gosec // a constant
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s.Name, err)
		}
		read[s.Name] = b
	}
	if len(read[".debug_info"]) == 0 {
		return nil, nil
	}
	if err := check(f, read[".debug_info"], read[".debug_abbrev"]); err != nil {
		return nil, err
	}
	d, err := dwarf.New(read[".debug_abbrev"], nil, nil, read[".debug_info"], read[".debug_line"], nil,
		read[".debug_ranges"], read[".debug_str"])
	if err != nil {
		return nil, err
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if err := d.AddSection(name, read[name]); err != nil {
			return nil, err
		}
	}
	return &debug{Data: d, line: read[".debug_line"], order: f.ByteOrder}, nil
}

// symbols names by the table of symbols what debug information does not know.
func (s *search) symbols(f *elf.File) error {
	table := f.SectionByType(elf.SHT_SYMTAB)
	if table == nil || len(s.found) == len(s.wanted) || int(table.Link) >= len(f.Sections) {
		return nil
	}
	if table.Size > maxSymbols || f.Sections[table.Link].Size > maxSymbols {
		return nil // what is known is enough
	}
	all, err := f.Symbols()
	if err != nil {
		return fmt.Errorf("read the table of symbols: %w", err)
	}
	for _, w := range s.wanted {
		if s.found[w.address] != nil {
			continue
		}
		for _, y := range all {
			if elf.ST_TYPE(y.Info) == elf.STT_FUNC && y.Value <= w.pc && w.pc-y.Value < max(y.Size, 1) {
				s.found[w.address] = []Frame{{Function: text(y.Name)}}
				break
			}
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// text is a name of a bounded length, without what a terminal would act on.
func text(s string) string {
	const most = 512
	out := make([]rune, 0, min(len(s), most))
	for _, r := range s {
		if len(out) == most {
			break
		}
		if r < ' ' || r == 0x7f || r == 0xfffd || r >= 0x80 && r < 0xa0 {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
