package telemetry

import (
	"encoding/base64"
	"time"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// batchOf reads a packed batch: a report for each of its times, in their order.
func batchOf(d wire.Report, now time.Time) ([]domain.Report, error) {
	if d.Boot != nil || d.Seq != nil || !d.At.IsZero() || d.Old || d.Units != nil || d.Uptime != nil || d.Anchors != nil {
		return nil, domain.InvalidField("/packed", "boot, seq, times, units and anchors belong into the batch")
	}
	body, err := base64.StdEncoding.DecodeString(d.Packed)
	if err != nil {
		return nil, domain.InvalidField("/packed", "%v", err)
	}
	b, err := chunk.UnpackBatch(body)
	if err != nil {
		return nil, domain.InvalidField("/packed", "%v", err)
	}
	clock := newClock(b.Sent, now)
	for _, a := range b.Anchors {
		clock.add(a.Uptime, time.UnixMilli(a.Unix), now)
	}
	reports := make([]domain.Report, len(b.Times))
	for i, at := range b.Times {
		r := &reports[i]
		if r.Old = b.Old; b.Uptime {
			r.At, r.Quality = clock.timeAt(at)
		} else {
			r.At = time.UnixMilli(at).UTC()
		}
		if b.First != nil {
			r.Boot, r.Seq, r.HasSeq = *b.Boot, *b.First+uint32(i), true
		}
	}
	for _, c := range b.Columns {
		unit := ""
		if int(c.Slot) < len(b.Units) {
			unit = b.Units[c.Slot]
		}
		n := 0
		for i := range reports {
			if c.Present == nil || c.Present[i] {
				reports[i].Readings = append(reports[i].Readings, domain.Reading{Name: b.Names[c.Slot], Unit: unit, Value: c.At(n)})
				n++
			}
		}
	}
	return reports, nil
}
