package readings

import (
	"bytes"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// Limits of what is remembered of the numbers of a device's reports. The boots that were heard of
// longest ago are forgotten first.
const (
	maxIntervals = 1024 // runs without gaps; of one boot, more are refused
	maxBoots     = 256
)

// A boot is what is known of the numbers of one boot.
type boot struct {
	intervals
	touched int64 // when it last changed, in milliseconds since 1970
}

// numbers are the numbers of the reports of a device that have come, by boot.
type numbers map[uint64]boot

// stored adds an interval as it is stored, after those before it.
func (n numbers) stored(bootID, first, last, touched int64) {
	b := n[uint64(bootID)]
	b.intervals, b.touched = append(b.intervals, interval{uint32(first), uint32(last)}), touched
	n[uint64(bootID)] = b
}

// keep replaces the intervals of boots. It returns the boots that have changed: those, and others
// that are forgotten for them.
func (n numbers) keep(changed map[uint64]intervals, now int64) []uint64 {
	var dirty []uint64
	for b, s := range changed {
		n[b] = boot{s, now}
		dirty = append(dirty, b)
	}
	count := 0
	for _, b := range n {
		count += len(b.intervals)
	}
	for len(n) > maxBoots || count > maxIntervals {
		oldest, found := uint64(0), false
		for b, of := range n {
			if _, new := changed[b]; !new && (!found || of.touched < n[oldest].touched) {
				oldest, found = b, true
			}
		}
		if !found {
			break
		}
		count -= len(n[oldest].intervals)
		delete(n, oldest)
		dirty = append(dirty, oldest)
	}
	return dirty
}

// A selection is what is new of some reports.
type selection struct {
	records []record
	indexes []int                // of the reports
	changed map[uint64]intervals // of the boots that change, as they are afterwards
	fresh   map[uint64]map[uint32]int
	ack     domain.ReportAck
}

// choose decides which reports are new. known is not changed; waits finds the record of a number
// that is in no chunk yet.
func choose(
	reports []domain.Report, slots map[string]uint32, known numbers, waits func(r *record) (record, bool),
) selection {
	sel := selection{changed: make(map[uint64]intervals), fresh: make(map[uint64]map[uint32]int)}
	for i := range reports {
		r := recordOf(&reports[i], slots)
		if !r.hasSeq {
			sel.add(i, r)
			continue
		}
		s, changed := sel.changed[r.boot]
		if !changed {
			s = slices.Clone(known[r.boot].intervals)
		}
		_, has := s.find(r.seq)
		switch {
		case has:
			sel.again(&r, waits)
		case len(s) >= maxIntervals && !s.extends(r.seq):
			sel.ack.Refused = append(sel.ack.Refused, domain.Refusal{Reason: domain.RefusedGaps})
		default:
			if !changed {
				sel.fresh[r.boot] = make(map[uint32]int)
			}
			sel.changed[r.boot] = s.add(r.seq)
			sel.fresh[r.boot][r.seq] = len(sel.records)
			sel.add(i, r)
		}
	}
	sel.ack.Accepted = len(sel.records)
	return sel
}

func (sel *selection) add(index int, r record) {
	sel.records = append(sel.records, r)
	sel.indexes = append(sel.indexes, index)
}

// again counts a report whose number has come before. If that one still waits and has other
// values, something is wrong with the device.
func (sel *selection) again(r *record, waits func(r *record) (record, bool)) {
	before, found := record{}, false
	if i, ok := sel.fresh[r.boot][r.seq]; ok {
		before, found = sel.records[i], true
	} else {
		before, found = waits(r)
	}
	if found && !sameValues(r.values, before.values) {
		sel.ack.Refused = append(sel.ack.Refused, domain.Refusal{Reason: domain.RefusedConflict})
		return
	}
	sel.ack.Duplicate++
}

func sameValues(a, b []slotValue) bool {
	return bytes.Equal(appendRecord(nil, &record{values: a}), appendRecord(nil, &record{values: b}))
}

// acknowledge tells how far the boot of the last numbered report has come.
func (sel *selection) acknowledge(reports []domain.Report, known numbers) domain.Appended {
	a := domain.Appended{ReportAck: sel.ack, New: sel.indexes}
	for _, r := range slices.Backward(reports) {
		if !r.HasSeq {
			continue
		}
		s, changed := sel.changed[r.Boot]
		if !changed {
			s = known[r.Boot].intervals
		}
		a.AckedThrough, a.Missing = s.ackedThrough(), s.missing()
		break
	}
	return a
}
