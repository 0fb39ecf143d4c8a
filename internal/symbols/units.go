package symbols

import (
	"context"
	"debug/dwarf"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// debug is the debug information of a file.
type debug struct {
	*dwarf.Data
	line  []byte // the section
	order binary.ByteOrder
}

type wanted struct {
	address uint32 // as it was asked for
	pc      uint64 // where that is
}

// A search looks for addresses.
type search struct {
	ctx    context.Context //nolint:containedctx // of one call
	wanted []wanted
	found  map[uint32][]Frame
}

// within returns those of some addresses that are in ranges.
func within(all []wanted, ranges [][2]uint64) (in []wanted) {
	for _, w := range all {
		for _, r := range ranges {
			if r[0] <= w.pc && w.pc < r[1] {
				in = append(in, w)
				break
			}
		}
	}
	return in
}

// units looks into the units that have an address.
func (s *search) units(d *debug) error {
	for r := d.Reader(); ; r.SkipChildren() {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		unit, err := r.Next()
		if err != nil || unit == nil {
			return err
		}
		if unit.Tag != dwarf.TagCompileUnit {
			continue
		}
		ranges, err := d.Ranges(unit)
		if err != nil {
			continue // of this one nothing is known
		}
		if in := within(s.wanted, ranges); len(in) > 0 {
			if err := s.unit(d, unit, in); err != nil {
				return err
			}
		}
	}
}

// unit finds the functions and lines of addresses in a unit.
func (s *search) unit(d *debug, unit *dwarf.Entry, in []wanted) error {
	lines, files, err := s.lines(d, unit, in)
	if err != nil {
		return err
	}
	calls, err := s.functions(d, unit, in)
	if err != nil {
		return err
	}
	for _, w := range in {
		at := lines[w.pc]
		var frames []Frame
		for i := len(calls[w.pc]) - 1; i >= 0; i-- { // the innermost first
			c := calls[w.pc][i]
			frames = append(frames, Frame{Function: text(c.name), File: text(at.file), Line: at.line})
			at = place{line: c.line}
			if c.file >= 0 && c.file < len(files) && files[c.file] != nil {
				at.file = files[c.file].Name
			}
		}
		if frames == nil && at.file != "" {
			frames = []Frame{{File: text(at.file), Line: at.line}}
		}
		if frames != nil && s.found[w.address] == nil {
			s.found[w.address] = frames
		}
	}
	return nil
}

type place struct {
	file string
	line int
}

// lines finds the lines of addresses in a unit.
func (s *search) lines(
	d *debug, unit *dwarf.Entry, in []wanted,
) (found map[uint64]place, files []*dwarf.LineFile, err error) {
	found = make(map[uint64]place)
	at, ok := unit.Val(dwarf.AttrStmtList).(int64)
	if !ok {
		return found, nil, nil
	}
	if err := checkLines(d.order, d.line, at); err != nil {
		return nil, nil, err
	}
	r, err := d.LineReader(unit)
	if err != nil || r == nil {
		return found, nil, nil //nolint:nilerr // of this one nothing is known
	}
	var last, next dwarf.LineEntry
	for n := 0; ; n++ {
		if err := r.Next(&next); err != nil {
			if errors.Is(err, io.EOF) || n > 0 {
				return found, r.Files(), nil
			}
			return found, nil, nil
		}
		if n > 0 && !last.EndSequence && last.File != nil && next.Address > last.Address {
			for _, w := range within(in, [][2]uint64{{last.Address, next.Address}}) {
				found[w.pc] = place{last.File.Name, last.Line}
			}
		}
		last = next
		if n%1024 == 0 && s.ctx.Err() != nil {
			return nil, nil, s.ctx.Err()
		}
	}
}

// A call is a function that an address is in; file and line are those of the call, if it is inlined.
type call struct {
	name       string
	file, line int
}

// functions finds the functions of addresses in a unit, the outermost first.
func (s *search) functions(d *debug, unit *dwarf.Entry, in []wanted) (map[uint64][]call, error) {
	found := make(map[uint64][]call)
	r := d.Reader()
	r.Seek(unit.Offset)
	if _, err := r.Next(); err != nil {
		return nil, err
	}
	for depth := 1; unit.Children && depth > 0; {
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		e, err := r.Next()
		if err != nil || e == nil {
			return found, err
		}
		switch e.Tag {
		case 0:
			depth--
			continue
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine:
			ranges, err := d.Ranges(e)
			if err != nil {
				ranges = nil
			}
			here := slices.CompactFunc(within(in, ranges), func(a, b wanted) bool { return a.pc == b.pc })
			for _, w := range here {
				if len(found[w.pc]) < maxFrames {
					found[w.pc] = append(found[w.pc], call{d.name(e), number(e, dwarf.AttrCallFile), number(e, dwarf.AttrCallLine)})
				}
			}
			if len(here) == 0 && e.Children {
				r.SkipChildren()
				continue
			}
		}
		if e.Children {
			depth++
		}
	}
	return found, nil
}

func number(e *dwarf.Entry, a dwarf.Attr) int {
	n, _ := e.Val(a).(int64)
	return int(n)
}

// name is the name of a function, which may stand where it is declared.
func (d *debug) name(e *dwarf.Entry) string {
	const most = 4 // from one to the next
	for range most {
		for _, a := range []dwarf.Attr{dwarf.AttrLinkageName, dwarf.AttrName} {
			if name, ok := e.Val(a).(string); ok {
				return name
			}
		}
		at, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			if at, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset); !ok {
				return ""
			}
		}
		r := d.Reader()
		r.Seek(at)
		next, err := r.Next()
		if err != nil || next == nil {
			return ""
		}
		e = next
	}
	return ""
}
