package telemetry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/remotewrite"
)

// Forwarded knows how far the readings of each device were forwarded.
type Forwarded interface {
	// Forwarded returns up to which time. begin is stored as that of a device of which none were yet. ok
	// is false if nothing is known of the device.
	Forwarded(ctx context.Context, device string, begin time.Time) (until time.Time, ok bool, err error)
	// SetForwarded reports false, and changes nothing, if from is not up to where they were.
	SetForwarded(ctx context.Context, device string, from, until time.Time) (ok bool, err error)
	// RewindForwarded has the readings from a time on forwarded again.
	RewindForwarded(ctx context.Context, device string, from time.Time) error
	// DevicesAfter lists devices that have readings, by their ids.
	DevicesAfter(ctx context.Context, after string, limit int) ([]string, error)
}

// Receiver takes samples: a remotewrite.Client.
type Receiver interface {
	Send(ctx context.Context, all []remotewrite.Series) error
}

const (
	forwardEvery  = 5 * time.Second
	forwardSettle = 10 * time.Second // how old readings are when they are forwarded: by then they are in their order
	forwardSweep  = 10 * time.Minute // all devices are looked at: another node may have ended
	forwardBegin  = time.Hour        // of a device of which nothing was forwarded: older ones are not taken
	forwardValues = 2000             // of a device at a time
	forwardAtOnce = 5000             // samples in a request, more or less
	forwardWait   = time.Minute      // between two attempts, at most
)

// A forwarder sends readings to a receiver. What waits for it is nowhere but in the store: for each
// device it is stored how far it has come, so that neither an outage of the receiver nor a restart loses
// anything. A reading may be sent twice, which the receiver ignores.
type forwarder struct {
	s     *Service
	mu    sync.Mutex
	dirty map[string]time.Time // devices with something to forward, and when they reported last

	begun map[string]bool // devices of which it is stored how far they have come
	swept time.Time
	wait  time.Duration // since the receiver takes nothing
	after time.Time     // no attempt is made before
}

// note has the readings of a device forwarded, soon. Those that are late are forwarded again from them on.
func (f *forwarder) note(ctx context.Context, device string, reports []domain.Report, now time.Time) error {
	if f == nil || len(reports) == 0 {
		return nil
	}
	oldest := slices.MinFunc(reports, func(a, b domain.Report) int { return a.At.Compare(b.At) }).At
	if oldest.Before(now.Add(-forwardSettle)) {
		if err := f.s.Forwarded.RewindForwarded(ctx, device, oldest); err != nil {
			return err
		}
	}
	f.mark(device, now)
	return nil
}

func (f *forwarder) mark(device string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty[device] = at
}

// round forwards what there is.
func (f *forwarder) round(ctx context.Context) {
	now := f.s.Now()
	if err := f.send(ctx, now); err != nil && ctx.Err() == nil {
		if f.wait == 0 {
			f.s.Log.WarnContext(ctx, "cannot forward readings; they wait", "err", err)
		}
		f.wait = min(max(2*f.wait, forwardEvery), forwardWait)
		f.after = now.Add(f.wait)
		var later *remotewrite.LaterError
		if errors.As(err, &later) && later.After > f.wait {
			f.after = now.Add(min(later.After, 10*forwardWait))
		}
		return
	}
	if f.wait > 0 && !now.Before(f.after) {
		f.wait = 0
		f.s.Log.InfoContext(ctx, "readings are forwarded again")
	}
}

// send sends pages of all devices until nothing is left. Devices are registered also while the receiver
// takes nothing, so that their first readings wait for it as well.
func (f *forwarder) send(ctx context.Context, now time.Time) error {
	if now.Sub(f.swept) >= forwardSweep {
		if err := f.sweep(ctx, now); err != nil {
			return err
		}
		f.swept = now
		clear(f.begun) // devices are erased, and begin anew
	}
	f.mu.Lock()
	noted := maps.Clone(f.dirty)
	f.mu.Unlock()
	for device := range noted {
		if !f.begun[device] {
			_, ok, err := f.s.Forwarded.Forwarded(ctx, device, now.Add(-forwardBegin))
			if err != nil {
				return err
			}
			f.begun[device] = ok
		}
	}
	if now.Before(f.after) {
		return nil
	}
	var b batch
	for device, at := range noted {
		for more := true; more; {
			p, err := f.page(ctx, device, now)
			if err != nil {
				return err
			}
			if more = p.more; !p.until.After(p.from) {
				if at.Before(now.Add(-forwardSettle)) {
					f.done(device, at)
				}
				break
			}
			if b.add(p); b.samples >= forwardAtOnce || more {
				if err := f.flush(ctx, &b); err != nil {
					return err
				}
			}
		}
	}
	return f.flush(ctx, &b)
}

func (f *forwarder) sweep(ctx context.Context, now time.Time) error {
	const atOnce = 1000
	for after, n := "", atOnce; n == atOnce; {
		devices, err := f.s.Forwarded.DevicesAfter(ctx, after, atOnce)
		if err != nil {
			return err
		}
		for _, d := range devices {
			f.mark(d, now)
			after = d
		}
		n = len(devices)
	}
	return nil
}

// done forgets that a device has something to forward, unless it has reported since.
func (f *forwarder) done(device string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirty[device].Equal(at) {
		delete(f.dirty, device)
	}
}

// A page is what is forwarded of a device at a time: its readings after from and up to until.
type page struct {
	device      string
	from, until time.Time
	series      []remotewrite.Series
	more        bool
}

func (f *forwarder) page(ctx context.Context, device string, now time.Time) (p page, err error) {
	p.device = device
	var known bool
	if p.from, known, err = f.s.Forwarded.Forwarded(ctx, device, now.Add(-forwardBegin)); err != nil || !known {
		return p, err
	}
	p.until = p.from
	all, err := f.s.Store.Series(ctx, device)
	if err != nil {
		return p, err
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	end := now.Add(-forwardSettle)
	for limit := forwardValues; p.from.Before(end) && !p.until.After(p.from); limit *= 2 {
		points, err := f.s.Store.Points(ctx, device, names, p.from.Add(time.Millisecond), end, limit)
		if err != nil {
			return p, err
		}
		n, last := 0, time.Time{}
		for _, of := range points {
			if n += len(of); of[len(of)-1].At.After(last) {
				last = of[len(of)-1].At
			}
		}
		if n == 0 {
			return p, nil
		}
		if p.until, p.more = last, n >= limit; p.more { // the last ones may not be all of their time
			p.until = last.Add(-time.Millisecond)
		}
		p.series = seriesOf(device, all, points, p.until)
	}
	return p, nil
}

// seriesOf returns points up to a time as a receiver gets them: numbers and bools. Of several values of
// one time it is the last.
func seriesOf(
	device string, all []domain.Series, points map[string][]domain.Point, until time.Time,
) (out []remotewrite.Series) {
	for _, s := range all {
		var samples []remotewrite.Sample
		for _, p := range points[s.Name] {
			if p.At.After(until) || p.Value.Kind == domain.TextValue {
				continue
			}
			if n := len(samples); n > 0 && samples[n-1].At == p.At.UnixMilli() {
				samples = samples[:n-1]
			}
			samples = append(samples, remotewrite.Sample{At: p.At.UnixMilli(), Value: p.Value.Float()})
		}
		if len(samples) > 0 {
			out = append(out, remotewrite.Series{Labels: labelsOf(device, s), Samples: samples})
		}
	}
	return out
}

// labelsOf are the labels of a series, as PromQL and receivers of remote write see it.
func labelsOf(device string, s domain.Series) []remotewrite.Label {
	labels := []remotewrite.Label{{Name: "__name__", Value: metricName}, {Name: "device", Value: device},
		{Name: "series", Value: s.Name}}
	if s.Unit != "" {
		labels = append(labels, remotewrite.Label{Name: "unit", Value: s.Unit})
	}
	return labels
}

// metricName is the name of all readings as a metric of Prometheus.
const metricName = "reading"

// A batch is what is sent in one request.
type batch struct {
	pages   []page
	series  []remotewrite.Series
	samples int
}

func (b *batch) add(p page) {
	b.pages, b.series = append(b.pages, p), append(b.series, p.series...)
	for _, s := range p.series {
		b.samples += len(s.Samples)
	}
}

// flush sends a batch and stores how far it has come.
func (f *forwarder) flush(ctx context.Context, b *batch) error {
	if len(b.pages) == 0 {
		return nil
	}
	if len(b.series) > 0 {
		if err := f.sendOrDrop(ctx, b.series); err != nil {
			return err
		}
	}
	for _, p := range b.pages { // one that was set back meanwhile comes again
		if _, err := f.s.Forwarded.SetForwarded(ctx, p.device, p.from, p.until); err != nil {
			return err
		}
	}
	*b = batch{}
	return nil
}

// sendOrDrop sends series. Of what is refused it finds the samples that are to blame, the oldest first, and
// drops these: a receiver refuses a whole request for one of them.
func (f *forwarder) sendOrDrop(ctx context.Context, all []remotewrite.Series) error {
	n := 0
	for _, s := range all {
		n += len(s.Samples)
	}
	err := f.s.Receiver.Send(ctx, all)
	if err == nil {
		f.s.metrics.forwarded.Add(float64(n))
		return nil
	}
	if !errors.Is(err, remotewrite.ErrRefused) {
		f.s.metrics.forwardFailures.Inc()
		return err
	}
	if n == 1 {
		f.s.metrics.forwardRefused.Inc()
		f.s.Log.DebugContext(ctx, "a forwarded reading was refused", "device", all[0].Labels[1].Value, "err", err)
		return nil
	}
	var first, second []remotewrite.Series
	if len(all) > 1 {
		first, second = all[:len(all)/2], all[len(all)/2:]
	} else {
		s := all[0]
		first = []remotewrite.Series{{Labels: s.Labels, Samples: s.Samples[:n/2]}}
		second = []remotewrite.Series{{Labels: s.Labels, Samples: s.Samples[n/2:]}}
	}
	if err := f.sendOrDrop(ctx, first); err != nil {
		return err
	}
	return f.sendOrDrop(ctx, second)
}
