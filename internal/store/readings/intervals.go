package readings

import (
	"math"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// An interval is a run of numbers of reports, both ends included.
type interval struct{ first, last uint32 }

// intervals are the numbers of one boot that have come, in their order; none touches the next.
type intervals []interval

// find returns where seq is, or belongs, and whether it is there.
func (s intervals) find(seq uint32) (i int, has bool) {
	i, has = slices.BinarySearchFunc(s, seq, func(v interval, seq uint32) int {
		switch {
		case v.last < seq:
			return -1
		case v.first > seq:
			return 1
		}
		return 0
	})
	return i, has
}

// begins reports whether an interval begins with seq.
func (s intervals) begins(seq uint32) bool {
	i, has := s.find(seq)
	return has && s[i].first == seq
}

// add adds seq, which must not be there. It changes s in place.
func (s intervals) add(seq uint32) intervals {
	i, has := s.find(seq)
	if has {
		return s
	}
	before := i > 0 && s[i-1].last+1 == seq
	after := i < len(s) && seq != math.MaxUint32 && s[i].first == seq+1
	switch {
	case before && after:
		s[i-1].last = s[i].last
		return slices.Delete(s, i, i+1)
	case before:
		s[i-1].last = seq
	case after:
		s[i].first = seq
	default:
		return slices.Insert(s, i, interval{seq, seq})
	}
	return s
}

// ackedThrough is the last number up to which all have come; nil: the first is missing.
func (s intervals) ackedThrough() *uint32 {
	if len(s) == 0 || s[0].first != 0 {
		return nil
	}
	last := s[0].last
	return &last
}

// missing are the first gaps.
func (s intervals) missing() (gaps [][2]uint32) {
	next := uint32(0)
	for _, v := range s {
		if v.first > next {
			if gaps = append(gaps, [2]uint32{next, v.first - 1}); len(gaps) == domain.MaxMissing {
				return gaps
			}
		}
		next = v.last + 1
	}
	return gaps
}

// extends reports whether seq would make an interval longer, rather than begin one.
func (s intervals) extends(seq uint32) bool {
	i, has := s.find(seq)
	return has || i > 0 && s[i-1].last+1 == seq || i < len(s) && seq != math.MaxUint32 && s[i].first == seq+1
}
