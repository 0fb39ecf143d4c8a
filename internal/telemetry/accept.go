package telemetry

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxAhead    = 10 * time.Minute // that the clock of a device may be before ours
	clockJitter = time.Second      // that times ahead of ours are taken as they are
	maxRefusals = 64               // different ones in one answer
)

// clocksBegin is before any device could send anything here: a clock that says less was never set. But no
// clock begins before 1970, in whatever zone.
var (
	clocksBegin  = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	beforeClocks = time.Date(1969, 12, 30, 0, 0, 0, 0, time.UTC)
)

// neverSet reports whether the time of a report is that of a clock that was never set.
func neverSet(r *domain.Report) bool {
	return r.Quality == domain.DeviceTime && r.At.Before(clocksBegin) && r.At.After(beforeClocks)
}

// Accept checks the reports of a device, stores what is new and good of them, and tells watchers. When
// it returns without an error, the device need not send anything of it again. On an error, nothing
// was stored.
func (s *Service) Accept(ctx context.Context, device string, reports []domain.Report) (domain.ReportAck, error) {
	now := s.Now()
	n := 0
	for _, r := range reports {
		n += len(r.Readings)
	}
	if n > domain.MaxReadings || len(reports) > domain.MaxReadings {
		return domain.ReportAck{}, domain.TooLarge.Errorf(domain.CodeTooManyReadings,
			"a request has at most %d readings; send the others in another one", domain.MaxReadings)
	}
	if err := s.DiskFull(); err != nil {
		s.metrics.unacknowledged.Add(float64(len(reports)))
		return domain.ReportAck{}, err
	}
	if ok, wait := s.readings.AllowN(device, n, now); !ok {
		s.metrics.unacknowledged.Add(float64(len(reports)))
		return domain.ReportAck{}, domain.RateLimited.Errorf(domain.CodeReadings,
			"this device sends too many readings; a device may send %d a second", readingsPerSec).After(wait)
	}
	if clock := clockOf(reports, now); clock != "" {
		s.metrics.clocks.WithLabelValues(clock).Inc()
	}
	c := check{s: s, device: device, now: now}
	good, err := c.reports(ctx, reports)
	if err != nil {
		return domain.ReportAck{}, err
	}
	ack := domain.ReportAck{}
	if len(good) > 0 {
		begin := time.Now()
		done, err := s.Store.Append(ctx, device, good, now)
		if err != nil {
			s.metrics.unacknowledged.Add(float64(len(reports)))
			return domain.ReportAck{}, err
		}
		s.metrics.commit.Observe(time.Since(begin).Seconds())
		if err := s.forward.note(ctx, device, good, now); err != nil {
			s.metrics.unacknowledged.Add(float64(len(reports))) // it is stored, but would not be forwarded
			return domain.ReportAck{}, err
		}
		s.stored(device, good, done)
		ack = done.ReportAck
	}
	ack.Refused = c.refused(ack.Refused)
	return ack, nil
}

// stored tells everybody of reports that are stored.
func (s *Service) stored(device string, good []domain.Report, done domain.Appended) {
	fresh := make([]domain.Report, len(done.New))
	n := 0
	for i, index := range done.New {
		fresh[i] = good[index]
		n += len(fresh[i].Readings)
	}
	s.metrics.accepted.Add(float64(done.Accepted))
	s.metrics.duplicates.Add(float64(done.Duplicate))
	s.metrics.readings.Add(float64(n))
	if len(fresh) == 0 {
		return
	}
	s.show(device, fresh)
	if s.Observer != nil {
		s.Observer.Observe(device, fresh)
	}
}

// A check is that of one request.
type check struct {
	s       *Service
	device  string
	now     time.Time
	sensors domain.Capabilities
	reasons []domain.Refusal
}

func (c *check) refuse(name string, reason domain.RefusalReason) {
	c.reasons = append(c.reasons, domain.Refusal{Name: name, Reason: reason})
}

// refused adds the refusals of the store, counts all, and returns each once.
func (c *check) refused(others []domain.Refusal) (different []domain.Refusal) {
	for _, r := range slices.Concat(c.reasons, others) {
		c.s.metrics.refused.WithLabelValues(string(r.Reason)).Inc()
		c.s.Devices.Note(c.device, domain.DeviceNote{Kind: domain.NoteReading, Subject: r.Name, Reason: string(r.Reason)})
		if len(different) < maxRefusals && !slices.Contains(different, r) {
			different = append(different, r)
		}
	}
	if len(different) > 0 {
		c.s.Log.Debug("readings were refused", "device", c.device, "first", different[0].Name,
			"reason", string(different[0].Reason), "reasons", len(different))
	}
	return different
}

// reports returns what is good of the reports. One that has a number stays although nothing of it
// is good, so that the device does not send it for ever.
func (c *check) reports(ctx context.Context, reports []domain.Report) (good []domain.Report, err error) {
	if c.sensors, err = c.s.Devices.Capabilities(ctx, c.device); err != nil {
		return nil, err
	}
	names, err := c.s.namesOf(ctx, c.device, c.now)
	if err != nil {
		return nil, err
	}
	names.mu.Lock()
	defer names.mu.Unlock()
	for _, r := range c.times(reports) {
		kept := make([]domain.Reading, 0, len(r.Readings))
		for _, reading := range r.Readings {
			if reason := c.reading(names, kept, &reading); reason != "" {
				c.refuse(reading.Name, reason)
				continue
			}
			kept = append(kept, reading)
		}
		if r.Readings = kept; len(kept) > 0 || r.HasSeq {
			good = append(good, r)
		}
	}
	return good, nil
}

// times gives each report its time, and refuses all of those of an impossible one. A clock that was
// never set still tells how long it was from one report to the next, and so does one that is ahead: the
// last one is taken to be of now. Nothing stored is of the future, so each newer value can follow.
func (c *check) times(reports []domain.Report) []domain.Report {
	reports = slices.Clone(reports)
	var last, ahead time.Time // of the reports of a clock that was never set, and of one that is ahead
	latest := c.now.Add(maxAhead)
	for i := range reports {
		r := &reports[i]
		if r.At.After(ahead) && !r.At.After(latest) {
			ahead = r.At
		}
		if neverSet(r) && r.At.After(last) {
			last = r.At
		}
	}
	keep := c.s.Keep.Raw
	for i := range reports {
		r := &reports[i]
		reason := domain.RefusalReason("")
		switch {
		case r.At.IsZero():
			r.At, r.Quality = c.now, domain.ReceivedTime
		case neverSet(r):
			r.At, r.Quality = c.now.Add(r.At.Sub(last)), domain.EstimatedTime
		case r.At.After(latest):
			reason = domain.RefusedFuture
		case r.At.After(c.now.Add(clockJitter)):
			r.At, r.Quality = c.now.Add(r.At.Sub(ahead)), domain.EstimatedTime
		}
		if keep > 0 && r.At.Before(c.now.Add(-keep)) || r.At.Before(clocksBegin) {
			reason = domain.RefusedTooOld
		}
		if reason != "" {
			for range max(1, len(r.Readings)) {
				c.refuse("", reason)
			}
			r.At, r.Readings = c.now, nil
		}
		r.At = r.At.UTC().Truncate(time.Millisecond)
	}
	return reports
}

// reading says why a reading is refused; empty: it is good. kept are those of the same report.
func (c *check) reading(names *names, kept []domain.Reading, r *domain.Reading) domain.RefusalReason {
	if !domain.CheckSensorName(r.Name) {
		r.Name = "" // it may be anything
		return domain.RefusedName
	}
	if domain.CheckUnit("", r.Unit) != nil {
		return domain.RefusedUnit
	}
	sensor, declared := c.sensors.Sensor(r.Name)
	if declared && string(sensor.Kind) != r.Value.Kind.String() {
		if string(sensor.Kind) == domain.NumberValue.String() && r.Value.Kind == domain.TextValue && notFinite(r.Value.Text) {
			return domain.RefusedNotFinite
		}
		return domain.RefusedKind
	}
	if declared && r.Unit == "" {
		r.Unit = sensor.Unit
	}
	switch v := r.Value; v.Kind {
	case domain.NumberValue:
		if math.IsNaN(v.Number) || math.IsInf(v.Number, 0) {
			return domain.RefusedNotFinite
		}
	case domain.TextValue:
		if !declared && names.all[r.Name] != domain.TextValue && notFinite(v.Text) {
			return domain.RefusedNotFinite
		}
		if len(v.Text) > domain.MaxReadingText || !utf8.ValidString(v.Text) {
			return domain.RefusedText
		}
	case domain.BoolValue:
	default:
		return domain.RefusedKind
	}
	if slices.ContainsFunc(kept, func(k domain.Reading) bool { return k.Name == r.Name }) {
		return domain.RefusedTwice
	}
	if reason := names.know(r.Name, r.Value.Kind, declared, c.now); reason != "" {
		return reason
	}
	if r.Value.Kind == domain.TextValue && !names.text(r.Name, r.Value.Text, c.now) {
		return domain.RefusedTexts
	}
	return ""
}

// notFinite reports whether a text is how programs write a number that is none.
func notFinite(text string) bool {
	n, err := strconv.ParseFloat(text, 64)
	return err == nil && (math.IsNaN(n) || math.IsInf(n, 0))
}
