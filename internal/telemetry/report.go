package telemetry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/senml"
	"github.com/unhidra/unhidra/internal/wire"
)

// Report takes the reports of a frame.
func (s *Service) Report(ctx context.Context, p domain.Principal, d wire.Report) (wire.Reported, error) {
	if p.Kind != domain.KindDevice {
		return wire.Reported{}, domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device reports what it measures")
	}
	reports, err := reportsOf(d, s.Now())
	if err != nil {
		return wire.Reported{}, err
	}
	ack, err := s.Accept(ctx, p.ID, reports)
	if err != nil {
		return wire.Reported{}, err
	}
	out := wire.Reported{Accepted: ack.Accepted, Duplicate: ack.Duplicate, AckedThrough: ack.AckedThrough}
	for _, gap := range ack.Missing {
		out.Missing = append(out.Missing, []uint32{gap[0], gap[1]})
	}
	for _, r := range ack.Refused {
		out.Refused = append(out.Refused, wire.Refusal{Name: r.Name, Reason: string(r.Reason)})
	}
	return out, nil
}

// reportsOf reads the reports of a frame: that of its own fields, those in its list, or those of a
// SenML pack or of a packed batch.
func reportsOf(d wire.Report, now time.Time) ([]domain.Report, error) {
	forms := 0
	for _, has := range []bool{d.Readings != nil, d.Reports != nil, len(d.SenML) > 0, d.SenMLCBOR != "", d.Packed != ""} {
		if has {
			forms++
		}
	}
	if forms != 1 {
		return nil, domain.InvalidField("/readings", "send one of readings, reports, senml, senml_cbor and packed")
	}
	if d.Packed != "" {
		return batchOf(d, now)
	}
	if d.Reports == nil && (d.Uptime != nil || d.Anchors != nil) {
		return nil, domain.InvalidField("/uptime", "uptime and anchors are for a list of reports")
	}
	switch {
	case d.Readings != nil:
		r, err := reportOf(d, wire.ReportItem{Seq: d.Seq, At: d.At, Old: d.Old, Readings: d.Readings})
		return []domain.Report{r}, err
	case d.Reports == nil:
		return packOf(d, now)
	case d.Seq != nil || !d.At.IsZero() || d.Old:
		return nil, domain.InvalidField("/reports", "seq, at and old belong into each of the reports")
	}
	reports := make([]domain.Report, len(d.Reports))
	clock := newClock(d.Uptime, now)
	for _, a := range d.Anchors {
		clock.add(a.Uptime, a.At, now)
	}
	for i, item := range d.Reports {
		var err error
		if reports[i], err = reportOf(d, item); err != nil {
			return nil, err
		}
		if item.Uptime == nil {
			continue
		}
		if !item.At.IsZero() {
			return nil, domain.InvalidField("/reports", "a report has a time (at) or an uptime")
		}
		reports[i].At, reports[i].Quality = clock.timeAt(*item.Uptime)
	}
	return reports, nil
}

// packOf reads a SenML pack: a report for each of its times, in their order. The first has the
// number of the frame, and each further one the next.
func packOf(d wire.Report, now time.Time) ([]domain.Report, error) {
	var records []senml.Record
	var err error
	pointer := "/senml"
	if len(d.SenML) > 0 {
		records, err = senml.ParseJSON(d.SenML, now)
	} else {
		pointer = "/senml_cbor"
		var pack []byte
		if pack, err = base64.StdEncoding.DecodeString(d.SenMLCBOR); err == nil {
			records, err = senml.ParseCBOR(pack, now)
		}
	}
	if err != nil {
		return nil, domain.InvalidField(pointer, "%v", err)
	}
	if d.Seq != nil && d.Boot == nil {
		return nil, errNoBoot()
	}
	if !d.At.IsZero() {
		return nil, domain.InvalidField("/at", "the records of a pack have their own times")
	}
	slices.SortStableFunc(records, func(a, b senml.Record) int { return a.At.Compare(b.At) })
	var reports []domain.Report
	for _, r := range records {
		if n := len(reports); n == 0 || !reports[n-1].At.Equal(r.At) {
			report := domain.Report{At: r.At, Old: d.Old}
			if r.Ago && r.At.Before(clocksBegin) {
				report.At = beforeClocks // so far back no clock is wrong: the span is
			}
			if d.Seq != nil {
				report.Boot, report.Seq, report.HasSeq = *d.Boot, *d.Seq+uint32(n), true
			}
			reports = append(reports, report)
		}
		last := &reports[len(reports)-1]
		last.Readings = append(last.Readings, domain.Reading{Name: r.Name, Unit: r.Unit, Value: r.Value})
	}
	return reports, nil
}

func errNoBoot() error {
	return domain.InvalidField("/boot", "a number (seq) counts within a boot: send boot as well")
}

func reportOf(d wire.Report, item wire.ReportItem) (r domain.Report, err error) {
	r.At, r.Old = item.At, item.Old
	if item.Seq != nil {
		if d.Boot == nil {
			return r, errNoBoot()
		}
		r.Boot, r.Seq, r.HasSeq = *d.Boot, *item.Seq, true
	}
	for _, name := range slices.Sorted(maps.Keys(item.Readings)) {
		if v, ok := valueOf(item.Readings[name]); ok {
			r.Readings = append(r.Readings, domain.Reading{Name: name, Unit: d.Units[name], Value: v})
		}
	}
	return r, nil
}

// valueOf reads a value. ok is false if it is null: the sensor has no value now. What cannot be a value
// has no kind, and is refused as such.
func valueOf(raw json.RawMessage) (v domain.Value, ok bool) {
	var of any
	if err := json.Unmarshal(raw, &of); err != nil { // the frame was JSON, so it is a number out of range
		return domain.Number(math.Inf(1)), true
	}
	switch of := of.(type) {
	case nil:
		return v, false
	case float64:
		return domain.Number(of), true
	case bool:
		return domain.Bool(of), true
	case string:
		return domain.Text(of), true
	}
	return v, true
}
