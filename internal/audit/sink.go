package audit

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Sink is a receiver of records: a file, or a system that watches over others.
type Sink interface {
	// Name tells sinks apart, in the store and in metrics. Another name begins
	// anew with the oldest record.
	Name() string
	// Send brings records, which follow one another, and returns once the receiver
	// has them. After an error all of them are sent again.
	Send(ctx context.Context, records []domain.AuditRecord) error
	// Close lets go of what Send keeps open.
	Close() error
}

const (
	sinkBatch   = 500
	sinkLease   = 2 * time.Minute // longer than any Send
	sinkTimeout = 30 * time.Second
	sinkLook    = 5 * time.Second // for what other nodes recorded
	sinkFirst   = time.Second
	sinkLast    = 5 * time.Minute
	sinkFinish  = 3 * time.Second // for what is left when the server stops
)

// feed brings the log to sink until ctx is done: in order, and each record at
// least once. The log itself is what waits while the receiver is away, so that
// there is no other place where records could be lost. Of several nodes one
// feeds each sink.
func (s *Service) feed(ctx context.Context, sink Sink) {
	f := &feeder{Service: s, sink: sink, owner: domain.NewID("feed")}
	defer f.end(ctx)
	wait := sinkFirst
	for ctx.Err() == nil {
		news := s.news.next()
		sent, err := f.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.Metrics.retries.WithLabelValues(sink.Name()).Inc()
			s.Log.Warn("the audit log does not reach a receiver; trying again", "sink", sink.Name(), "err", err, "in", wait)
			f.claimed = time.Time{}
			if !pause(ctx, wait/2+rand.N(wait/2)) {
				return
			}
			wait = min(2*wait, sinkLast)
			continue
		}
		wait = sinkFirst
		if sent {
			continue
		}
		t := time.NewTimer(sinkLook)
		select {
		case <-ctx.Done():
		case <-news:
		case <-t.C:
		}
		t.Stop()
	}
}

// finish brings the end of the log to sink, if it takes it at once: what it
// does not take is sent after the next start.
func (s *Service) finish(ctx context.Context, sink Sink) {
	ctx, cancel := context.WithTimeout(ctx, sinkFinish)
	defer cancel()
	f := &feeder{Service: s, sink: sink, owner: domain.NewID("feed")}
	defer f.end(ctx)
	for {
		if sent, err := f.once(ctx); err != nil || !sent {
			return
		}
	}
}

// A feeder is the state of feeding one sink.
type feeder struct {
	*Service
	sink    Sink
	owner   string
	seq     int64
	claimed time.Time
	others  time.Time // until then another node has it, for all we know
}

// end leaves the sink to others.
func (f *feeder) end(ctx context.Context) {
	_ = f.sink.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sinkLook)
	defer cancel()
	if err := f.Store.ReleaseAuditSink(ctx, f.sink.Name(), f.owner); err != nil {
		f.Log.Debug("leave a receiver to others", "sink", f.sink.Name(), "err", err)
	}
}

var errTaken = errors.New("another node feeds this receiver now")

// once sends one batch, and reports whether there was any.
func (f *feeder) once(ctx context.Context) (sent bool, err error) {
	now := f.Now()
	name := f.sink.Name()
	if now.Sub(f.claimed) > sinkLease/2 {
		if now.Before(f.others) {
			return false, nil
		}
		seq, ok, err := f.Store.ClaimAuditSink(ctx, name, f.owner, now.Add(sinkLease), now)
		if err != nil || !ok {
			f.others = now.Add(sinkLook)
			return false, err
		}
		f.seq, f.claimed = seq, now
	}
	records, err := f.Store.AuditRecords(ctx, domain.AuditFilter{After: f.seq, Oldest: true, Limit: sinkBatch})
	if err != nil {
		return false, err
	}
	if len(records) == 0 {
		f.lag(0, time.Time{})
		return false, nil
	}
	f.lag(records[len(records)-1].Seq-f.seq, records[0].Time)
	missed := records[0].Seq - f.seq - 1
	if missed > 0 && f.seq == 0 {
		missed = 0 // a new receiver begins with what there is
	}
	if err := f.send(ctx, records); err != nil {
		f.behind(ctx, records[0].Time)
		return false, err
	}
	last := records[len(records)-1].Seq
	// What was sent counts, even if the server stops now.
	advance, cancel := context.WithTimeout(context.WithoutCancel(ctx), sinkTimeout)
	defer cancel()
	ok, err := f.Store.AdvanceAuditSink(advance, name, f.owner, last, missed, f.Now().Add(sinkLease), f.Now())
	if err == nil && !ok {
		err = errTaken
	}
	if err != nil {
		return false, err
	}
	f.seq, f.claimed = last, f.Now()
	f.Metrics.sent.WithLabelValues(name).Add(float64(len(records)))
	if missed > 0 {
		f.missed(ctx, missed)
	}
	return true, nil
}

func (f *feeder) send(ctx context.Context, records []domain.AuditRecord) error {
	ctx, cancel := context.WithTimeout(ctx, sinkTimeout)
	defer cancel()
	return f.sink.Send(ctx, records)
}

// missed tells of records that were deleted before they could be sent.
func (f *feeder) missed(ctx context.Context, n int64) {
	f.Metrics.missed.WithLabelValues(f.sink.Name()).Add(float64(n))
	f.Log.Error("records were deleted for their age before a receiver had them", "sink", f.sink.Name(), "records", n)
	e := f.own(domain.AuditGap, f.Now())
	e.Reason = "sink_too_late"
	e.Target = domain.AuditTarget{Kind: "sink", ID: f.sink.Name()}
	e.Details = map[string]string{"lost": strconv.FormatInt(n, 10)}
	f.Record(ctx, e)
}

// behind measures how far a receiver that is away has fallen behind.
func (f *feeder) behind(ctx context.Context, oldest time.Time) {
	if head, err := f.Store.AuditHead(ctx); err == nil {
		f.lag(head.Seq-f.seq, oldest)
	}
}

func (f *feeder) lag(records int64, oldest time.Time) {
	name := f.sink.Name()
	f.Metrics.lag.WithLabelValues(name).Set(float64(records))
	age := 0.0
	if !oldest.IsZero() {
		age = max(0, f.Now().Sub(oldest).Seconds())
	}
	f.Metrics.lagTime.WithLabelValues(name).Set(age)
}
