// Package audit keeps the log of who did what, from where, and what came of it,
// in a form that nobody can edit unnoticed: each record's hash is over the one
// before, and signed checkpoints say where the chain stood. It brings the
// records to the systems that watch over others, deletes them when they are old,
// and erases personal data earlier without breaking the chain.
//
// What is worth recording is decided by those who record it.
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
)

// Store is what the module needs remembered. Package store/audit has one.
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

// Reader is what it takes to read the log and to verify it.
type Reader interface {
	AuditHead(ctx context.Context) (domain.AuditHead, error)
	AuditRecords(ctx context.Context, f domain.AuditFilter) ([]domain.AuditRecord, error)
	AuditCheckpoints(ctx context.Context, after int64, limit int) ([]domain.AuditCheckpoint, error)
	AuditSegments(ctx context.Context) ([]domain.AuditSegment, error)
}

// Cursors remember how far each receiver has come.
type Cursors interface {
	ClaimAuditSink(ctx context.Context, name, owner string, until, now time.Time) (seq int64, ok bool, err error)
	AdvanceAuditSink(
		ctx context.Context, name, owner string, seq, dropped int64, until, now time.Time,
	) (ok bool, err error)
	ReleaseAuditSink(ctx context.Context, name, owner string) error
	AuditReceivers(ctx context.Context) ([]domain.AuditReceiver, error)
}

// People knows how accounts are called.
type People interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
}

// Deps are what the service needs.
type Deps struct {
	Store Store
	// Seed makes the key that signs checkpoints, and HashKey hides sessions and
	// typed names: 32 bytes each, the same on every node, and not in the store.
	Seed    []byte
	HashKey []byte
	Node    string // names this process in records; empty: its host's name
	Version string // of the server, for receivers
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
	// Keep is how long records are kept, and KeepPersonal how long the personal
	// data in them; 0: for good.
	Keep         time.Duration
	KeepPersonal time.Duration
	Sinks        []Sink
	People       People                // nil: records name nobody but by id
	Metrics      prometheus.Registerer // may be nil
}

const (
	queueLength     = 64 << 10 // events waiting for the store; more are dropped, and counted
	batchLength     = 500      // records in one commit
	checkpointEvery = time.Minute
	checkpointAfter = 1000 // records
	minBackoff      = 100 * time.Millisecond
	maxBackoff      = 10 * time.Second
	unhealthyAfter  = 10 * time.Second
	stopTimeout     = 10 * time.Second // for what is waiting when the server stops
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
	committed    feed.Signal // something was committed
	commitFailed feed.Signal // something was not
	rates        coalescer
	started      atomic.Bool
	waiting      atomic.Int64 // in queue, or on its way into the store
	failing      atomic.Int64 // since when the store takes nothing, in milliseconds; 0: it does

	mu      sync.Mutex
	dropped int64                // events that no record was made of, not told of yet
	readers map[string]time.Time // when it was recorded that an administrator reads
}

// An entry is an event on its way. Somebody may wait for its end.
type entry struct {
	event *domain.AuditEvent // by reference: the queue's memory is set aside for good
	*wait
}

// A wait goes to whoever comes first: the writer, which then says how it ended,
// or the one who waits, and no longer wants it.
type wait struct {
	done    chan error
	claimed atomic.Bool
}

func (w *wait) claim() bool { return w.claimed.CompareAndSwap(false, true) }

// New returns a log. Records can be made at once; Run commits them in groups,
// signs checkpoints and serves receivers.
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

// PublicKey is what checkpoints are verified with.
func (s *Service) PublicKey() ed25519.PublicKey { return s.public }

// PublicKeyHex is PublicKey in hexadecimal digits, as people compare it.
func (s *Service) PublicKeyHex() string { return hex.EncodeToString(s.public) }

// Record adds e to the log. It does not wait for the store, and still less for a
// receiver: e is committed within milliseconds, together with what else waits,
// and a store that is away is tried again until it is back. A process that is
// killed in between loses it: what must not happen unrecorded uses RecordSync.
// If more waits than memory is set aside for, e is dropped; a record of type
// audit.gap then says how many were.
func (s *Service) Record(_ context.Context, e domain.AuditEvent) {
	e = s.withDefaults(e)
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

// RecordSync adds e to the log and returns once it is durable. On an error it is
// not, or not for certain, and what it would record must not be done.
func (s *Service) RecordSync(ctx context.Context, e domain.AuditEvent) error {
	e = s.withDefaults(e)
	if !s.started.Load() {
		// A command beside the server, or a server on its way up or down.
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

// systemEvent is an event that the log itself is the cause of.
func (s *Service) systemEvent(t domain.AuditType, now time.Time) domain.AuditEvent {
	return s.withDefaults(domain.AuditEvent{Type: t, Time: now, Actor: domain.AuditActor{Kind: domain.ActorSystem}})
}

func (s *Service) drop(n int64) {
	s.mu.Lock()
	s.dropped += n
	s.mu.Unlock()
	s.metrics.dropped.Add(float64(n))
}

// append commits events.
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

// seal makes the records that follow on h, and a checkpoint if one is due: after
// many records, where a day begins, or because nothing else is asked for.
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

// Checkpoint signs where the chain stands, unless that was done since the last
// record.
func (s *Service) Checkpoint(ctx context.Context) error { return s.append(ctx, nil) }
