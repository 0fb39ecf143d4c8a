// Package audit keeps the audit log: who did what, from where, with which outcome. The log is
// tamper-evident: each record's hash includes that of the record before, and signed checkpoints
// attest the head of the chain. The package also sends the records to receivers such as a SIEM,
// deletes old records, and erases personal data earlier without breaking the chain.
//
// The callers decide which events are recorded.
package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/trace"
)

// Store stores the log. Package store/audit implements it.
type Store interface {
	AppendAudit(
		ctx context.Context, chain string, seal func(domain.AuditHead) ([]domain.AuditRow, *domain.AuditCheckpoint, error),
	) (domain.AuditHead, error)
	EraseAuditBefore(ctx context.Context, before time.Time) (int64, error)
	EraseAuditActor(ctx context.Context, actor string) (int64, error)
	OldestAuditDay(ctx context.Context) (day, first, last int64, err error)
	DropAuditSegment(ctx context.Context, s domain.AuditSegment) error
	Reader
	Cursors
}

// Reader is the part of the store that Verify needs.
type Reader interface {
	AuditHead(ctx context.Context) (domain.AuditHead, error)
	AuditRecords(ctx context.Context, f domain.AuditFilter) ([]domain.AuditRecord, error)
	AuditCheckpoints(ctx context.Context, after int64, limit int) ([]domain.AuditCheckpoint, error)
	AuditSegments(ctx context.Context) ([]domain.AuditSegment, error)
}

// Cursors stores the position of each receiver.
type Cursors interface {
	ClaimAuditSink(ctx context.Context, name, owner string, until, now time.Time) (seq int64, ok bool, err error)
	AdvanceAuditSink(
		ctx context.Context, name, owner string, seq, dropped int64, until, now time.Time,
	) (ok bool, err error)
	ReleaseAuditSink(ctx context.Context, name, owner string) error
	AuditReceivers(ctx context.Context) ([]domain.AuditReceiver, error)
}

// People returns accounts, so that records can be shown with their current names.
type People interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store Store
	// Seed is the seed of the Ed25519 key that signs checkpoints. HashKey is the HMAC key for
	// sessions and mistyped names. Both are 32 bytes, the same on every node, and not in the store.
	Seed    []byte
	HashKey []byte
	Node    string // the name of this process in records; empty: the host's name
	Version string // of the server, for receivers
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	// Keep is how long records are kept, and KeepPersonal how long their personal data; 0 means
	// forever.
	Keep         time.Duration
	KeepPersonal time.Duration
	Sinks        []Sink
	People       People                // nil: records are shown without names
	Metrics      prometheus.Registerer // may be nil
	Trace        *trace.Tracer         // nil: off
}

const (
	queueLength     = 64 << 10 // events waiting for the store; further ones are dropped and counted
	batchLength     = 500      // records in one commit
	checkpointEvery = time.Minute
	checkpointAfter = 1000 // records
	minBackoff      = 100 * time.Millisecond
	maxBackoff      = 10 * time.Second
	unhealthyAfter  = 10 * time.Second
	stopTimeout     = 10 * time.Second // for the events that wait when the server stops
)

// Service is the audit log of this process.
type Service struct {
	Deps
	metrics *metrics
	sign    ed25519.PrivateKey
	public  ed25519.PublicKey
	keyID   string
	hashKey []byte

	queue        chan entry
	committed    feed.Signal // notified after a commit
	commitFailed feed.Signal // notified after a failed commit
	rates        coalescer
	started      atomic.Bool
	waiting      atomic.Int64 // events in the queue or in a commit
	failing      atomic.Int64 // since when commits fail, in Unix milliseconds; 0: they succeed

	mu      sync.Mutex
	dropped int64                // events lost without a record, not reported yet
	readers map[string]time.Time // when an administrator's reading was last recorded
}

// An entry is an event in the queue. If wait is not nil, RecordSync waits for its commit.
type entry struct {
	event *domain.AuditEvent // a pointer, because the queue's whole buffer is allocated once
	*wait
}

// A wait is claimed by whoever comes first: the writer, which then sends the result of the commit,
// or RecordSync, which gives up waiting.
type wait struct {
	done    chan error
	claimed atomic.Bool
}

func (w *wait) claim() bool { return w.claimed.CompareAndSwap(false, true) }

// New returns a log. Events can be recorded at once. Run commits them in batches, signs checkpoints
// and serves receivers.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Node == "" {
		d.Node = hostname()
	}
	s := &Service{Deps: d, queue: make(chan entry, queueLength), hashKey: d.HashKey, readers: make(map[string]time.Time)}
	s.sign = ed25519.NewKeyFromSeed(d.Seed)
	s.public = s.sign.Public().(ed25519.PublicKey)
	s.keyID = KeyID(s.public)
	s.rates.seen = make(map[string]*repeated)
	s.metrics = newMetrics(d.Metrics)
	s.metrics.watch(s)
	return s
}

// PublicKey returns the key that verifies checkpoints.
func (s *Service) PublicKey() ed25519.PublicKey { return s.public }

// PublicKeyHex returns PublicKey in hexadecimal, for people to compare.
func (s *Service) PublicKeyHex() string { return hex.EncodeToString(s.public) }

// Record adds e to the log. It waits neither for the store nor for receivers: e is committed within
// milliseconds, in a batch with others, and retried until the store is available. If the process is
// killed before that, e is lost: what must not happen unrecorded needs RecordSync. If the queue is
// full, e is dropped; a record of type audit.gap then has the number of dropped events.
func (s *Service) Record(ctx context.Context, e domain.AuditEvent) {
	e = s.withDefaults(e)
	e.Trace = trace.Parent(ctx)
	if e.Type == domain.AuditRateLimited && !s.rates.first(&e) {
		return
	}
	s.waiting.Add(1)
	select {
	case s.queue <- entry{event: &e}:
	default:
		s.waiting.Add(-1)
		s.drop(1)
	}
}

// RecordSync adds e to the log and returns once it is durable. After an error e is not in the log,
// or may not be, and the caller must not do what e would record.
func (s *Service) RecordSync(ctx context.Context, e domain.AuditEvent) error {
	e = s.withDefaults(e)
	e.Trace = trace.Parent(ctx)
	if !s.started.Load() {
		// A command beside the server, or a server that is starting or stopping.
		return s.errUnavailable(s.append(ctx, []domain.AuditEvent{e}))
	}
	trouble := s.commitFailed.Wait()
	w := &wait{done: make(chan error, 1)}
	s.waiting.Add(1)
	select {
	case s.queue <- entry{&e, w}:
	default:
		s.waiting.Add(-1)
		return s.errUnavailable(errors.New("the queue is full"))
	}
	var err error
	select {
	case err = <-w.done:
		return s.errUnavailable(err)
	case <-trouble:
		err = s.errUnavailable(errors.New("the store is away"))
	case <-ctx.Done():
		err = ctx.Err()
	}
	if w.claim() {
		return err
	}
	return s.errUnavailable(<-w.done)
}

func (s *Service) errUnavailable(err error) error {
	if err == nil {
		return nil
	}
	return domain.Unavailable.Errorf(domain.CodeAuditUnavailable,
		"this cannot be recorded just now, and so is not done; try again").After(maxBackoff).Because(err)
}

func (s *Service) withDefaults(e domain.AuditEvent) domain.AuditEvent {
	if e.Time.IsZero() {
		e.Time = s.Now()
	}
	if e.ID == "" {
		e.ID = domain.NewID(idPrefix)
	}
	if e.Node == "" {
		e.Node = s.Node
	}
	return e
}

const (
	idPrefix    = "aev"
	chainPrefix = "aud"
)

// systemEvent returns an event caused by the log itself.
func (s *Service) systemEvent(t domain.AuditType, now time.Time) domain.AuditEvent {
	return s.withDefaults(domain.AuditEvent{Type: t, Time: now, Actor: domain.AuditActor{Kind: domain.ActorSystem}})
}

func (s *Service) drop(n int64) {
	s.mu.Lock()
	s.dropped += n
	s.mu.Unlock()
	s.metrics.dropped.Add(float64(n))
}

// append seals and commits events.
func (s *Service) append(ctx context.Context, events []domain.AuditEvent) error {
	begin := time.Now()
	made := 0
	_, err := s.Store.AppendAudit(ctx, domain.NewID(chainPrefix),
		func(h domain.AuditHead) ([]domain.AuditRow, *domain.AuditCheckpoint, error) {
			rows, check := s.seal(h, events)
			made = len(rows)
			return rows, check, nil
		})
	if err != nil {
		return err
	}
	s.metrics.records.Add(float64(made))
	s.metrics.seconds.Observe(time.Since(begin).Seconds())
	s.failing.Store(0)
	s.committed.Notify()
	return nil
}

// seal returns the records of events that follow h, and a checkpoint if one is due: after many
// records, at the begin of a day, or if events is empty.
func (s *Service) seal(h domain.AuditHead, events []domain.AuditEvent) ([]domain.AuditRow, *domain.AuditCheckpoint) {
	var check *domain.AuditCheckpoint
	rows := make([]domain.AuditRow, 0, len(events)+1)
	add := func(e domain.AuditEvent) {
		r := s.row(e, h.Seq+1, h.Day, h.Hash)
		h.Seq, h.Hash, h.Day = r.Seq, r.Hash, r.Day
		rows = append(rows, r)
	}
	now := s.Now()
	if len(events) > 0 && h.Seq > h.Check && dayOf(events[0].Time) > h.Day {
		check = s.checkpoint(h, now)
	}
	for _, e := range events {
		add(e)
	}
	if check == nil && (len(events) == 0 && h.Seq > h.Check+1 || h.Seq-h.Check >= checkpointAfter) {
		check = s.checkpoint(h, now)
	}
	if check != nil {
		add(s.checkpointEvent(check, now))
	}
	return rows, check
}

// Checkpoint signs the head of the chain, unless no record was added since the last checkpoint.
func (s *Service) Checkpoint(ctx context.Context) error { return s.append(ctx, nil) }
