package audit

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
)

// A Sink is a receiver of records: a file, or a system such as a SIEM.
type Sink interface {
	// Name identifies the sink in the store and in metrics. A sink with a new name starts with the
	// oldest record.
	Name() string
	// Send sends consecutive records, and returns once the receiver has them. After an error all of
	// them are sent again.
	Send(ctx context.Context, records []domain.AuditRecord) error
	// Close releases what Send keeps open.
	Close() error
}

const (
	sinkBatch   = 500
	sinkTimeout = 30 * time.Second
	sinkFinish  = 3 * time.Second // for the remaining records when the server stops
)

// deliver sends the log to sink until ctx is done: in order, and each record at least once. While
// the receiver is unavailable, records wait in the log itself and nowhere else. In a cluster one
// node at a time serves a sink.
func (s *Service) deliver(ctx context.Context, sink Sink) {
	defer func() { _ = sink.Close() }()
	d, c := s.sinkFeed(sink)
	feed.Run(ctx, d, c, &s.committed)
}

// finish sends the remaining records to sink, once, before the server stops. Those that it cannot
// send follow after the next start.
func (s *Service) finish(ctx context.Context, sink Sink) {
	ctx, cancel := context.WithTimeout(ctx, sinkFinish)
	defer cancel()
	defer func() { _ = sink.Close() }()
	d, c := s.sinkFeed(sink)
	feed.Drain(ctx, d, c)
}

func (s *Service) sinkFeed(sink Sink) (feed.Deps[domain.AuditRecord], feed.Consumer[domain.AuditRecord]) {
	f := &sinkFeed{Service: s, sink: sink}
	return feed.Deps[domain.AuditRecord]{Source: f, Cursors: f, Observer: f, Log: s.Log.With("sink", sink.Name()),
			Trace: s.Trace, Now: s.Now},
		feed.Consumer[domain.AuditRecord]{
			Name: sink.Name(), From: feed.Beginning, Batch: sinkBatch, Timeout: sinkTimeout, Handle: f.send,
		}
}

// A sinkFeed is the feed of one sink: the audit log, from the sink's position on.
type sinkFeed struct {
	*Service
	sink   Sink
	gap    int64 // records deleted between this page and the one before
	missed int64 // of earlier gaps, not stored yet
}

// Next returns records, and counts those that were deleted before they could be sent. A new sink
// starts with the oldest record.
func (f *sinkFeed) Next(ctx context.Context, after int64, limit int) (feed.Page[domain.AuditRecord], error) {
	page := feed.Page[domain.AuditRecord]{Last: after}
	records, err := f.Store.AuditRecords(ctx, domain.AuditFilter{After: after, Oldest: true, Limit: limit})
	if err != nil {
		return page, err
	}
	behind, age := f.metrics.lag.WithLabelValues(f.sink.Name()), f.metrics.lagTime.WithLabelValues(f.sink.Name())
	if len(records) == 0 {
		behind.Set(0)
		age.Set(0)
		return page, nil
	}
	if head, err := f.Store.AuditHead(ctx); err == nil {
		behind.Set(float64(head.Seq - after))
	}
	age.Set(max(0, f.Now().Sub(records[0].Time).Seconds()))
	f.gap = records[0].Seq - after - 1
	if after == 0 {
		f.gap = 0
	}
	for _, r := range records {
		page.Entries = append(page.Entries, feed.Entry[domain.AuditRecord]{
			Pos: r.Seq, Key: strconv.FormatInt(r.Seq, 10), Time: r.Time, Trace: traceOf(r), Value: r,
		})
		page.Last = r.Seq
	}
	return page, nil
}

// traceOf returns the traceparent of a record.
func traceOf(r domain.AuditRecord) string {
	if !bytes.Contains(r.Body, []byte(`"traceparent":`)) {
		return "" // as in most records
	}
	return open(r).o.str("traceparent")
}

func (f *sinkFeed) send(ctx context.Context, entries []feed.Entry[domain.AuditRecord]) error {
	records := make([]domain.AuditRecord, len(entries))
	for i, e := range entries {
		records[i] = e.Value
	}
	if err := f.sink.Send(ctx, records); err != nil {
		return err
	}
	if f.gap > 0 {
		f.tellGap(ctx, f.gap)
		f.missed, f.gap = f.missed+f.gap, 0
	}
	return nil
}

// tellGap reports records that were deleted before they could be sent.
func (f *sinkFeed) tellGap(ctx context.Context, n int64) {
	f.metrics.missed.WithLabelValues(f.sink.Name()).Add(float64(n))
	f.Log.ErrorContext(ctx, "records were deleted for their age before a receiver had them",
		"sink", f.sink.Name(), "records", n)
	e := f.systemEvent(domain.AuditGap, f.Now())
	e.Reason = "sink_too_late"
	e.Target = domain.AuditTarget{Kind: "sink", ID: f.sink.Name()}
	e.Details = map[string]string{"lost": strconv.FormatInt(n, 10)}
	f.Record(ctx, e)
}

func (f *sinkFeed) ClaimCursor(
	ctx context.Context, name, owner string, _ feed.From, until, now time.Time,
) (feed.Cursor, bool, error) {
	seq, ok, err := f.Store.ClaimAuditSink(ctx, name, owner, until, now)
	return feed.Cursor{Pos: seq, Until: until}, ok, err
}

func (f *sinkFeed) AdvanceCursor(
	ctx context.Context, name, owner string, c feed.Cursor, now time.Time,
) (time.Time, bool, error) {
	ok, err := f.Store.AdvanceAuditSink(ctx, name, owner, c.Pos, f.missed, c.Until, now)
	if err == nil {
		f.missed = 0
	}
	return c.Until, ok, err
}

func (f *sinkFeed) ReleaseCursor(ctx context.Context, name, owner string) error {
	return f.Store.ReleaseAuditSink(ctx, name, owner)
}

// Handled counts the records that the receiver has taken.
func (f *sinkFeed) Handled(name string, n int) { f.metrics.sent.WithLabelValues(name).Add(float64(n)) }

// Failed counts a failed attempt.
func (f *sinkFeed) Failed(name string) { f.metrics.retries.WithLabelValues(name).Inc() }
