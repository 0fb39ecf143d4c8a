// Package assistant has bots answered by a language model: at an endpoint that the operator names, in the form of
// OpenAI's chat completions, or one that runs beside the server. A consumer of the feed finds what is asked, after it
// was acknowledged, and stores it. Any node may answer it, by a lease: as one message, whose text grows while the
// answer comes in.
package assistant

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Store stores which bots are assistants, and what they are asked.
type Store interface {
	SetAssistant(ctx context.Context, owner, bot, instructions string, now time.Time) error
	EndAssistant(ctx context.Context, owner, bot string) error
	Assistants(ctx context.Context, owner string) ([]domain.Assistant, error)
	AssistantsIn(ctx context.Context, room string) (all []domain.Assistant, pair bool, err error)
	WroteIn(ctx context.Context, room string, thread int64, bot string) (bool, error)
	Ask(ctx context.Context, q domain.Question, l domain.QuestionLimits, now time.Time) (stored bool, err error)
	Stop(ctx context.Context, room string, seq int64) error
	ClaimAnswer(ctx context.Context, until, now time.Time) (a domain.Answering, ok bool, err error)
	RenewAnswer(ctx context.Context, a *domain.Answering, until time.Time) (stopped, ok bool, err error)
	FinishAnswer(ctx context.Context, a domain.Answering) error
	RetryAnswer(ctx context.Context, a domain.Answering, at time.Time) error
	PruneAnswers(ctx context.Context, now time.Time) error
}

// RoomLog reads messages of rooms.
type RoomLog interface {
	Timeline(ctx context.Context, v domain.View, q domain.PageQuery) (domain.Page, error)
	Thread(ctx context.Context, v domain.View, root int64, q domain.PageQuery) (domain.Page, error)
	MessageAt(ctx context.Context, v domain.View, seq int64) (domain.Message, error)
}

// Rooms knows rooms and who is in them.
type Rooms interface {
	RoomAndMember(ctx context.Context, room, user string) (domain.Room, domain.Member, error)
}

// Chat takes messages.
type Chat interface {
	MayWrite(ctx context.Context, p domain.Principal, room string) error
	Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error)
	Grow(ctx context.Context, p domain.Principal, room string, seq int64, text string) (domain.Event, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	RoomLog  RoomLog
	Rooms    Rooms
	Chat     Chat
	Audit    Recorder
	Endpoint Endpoint
	Models   Models       // which answer if the endpoint has no URL
	Client   *http.Client // for the endpoint; Timeout is longer than any answer takes
	PerHour  int          // questions of one person; those of a room may be roomShare times as many
	Server   string       // its name
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time // nil: time.Now
}

// Endpoint is where answers come from: an API, or a model beside the server.
type Endpoint struct {
	URL   string // without /chat/completions; empty: the model runs beside the server
	Host  string // of the URL, as people see it
	Key   string // empty: none is sent
	Model string // empty: there is none, and nobody is answered
}

// name is how administrators know it.
func (e Endpoint) name() string {
	if e.URL == "" {
		return e.Model
	}
	return e.Host
}

// ConsumerName is that of the consumer's cursor.
const ConsumerName = "assistants"

// StopEmoji is the reaction by which a person ends an answer.
const StopEmoji = "🛑"

// Timeout is how long a request to the endpoint may take.
const Timeout = maxTime + maxSilent

const (
	roomShare  = 4                // times PerHour are the questions in one room
	maxAge     = 10 * time.Minute // of a message: older ones are not answered
	atOnce     = 4                // answers that this node writes at a time
	pollEvery  = time.Second      // what other nodes stored, and what is due
	pruneEvery = 10 * time.Minute
)

// Service is the module of assistants.
type Service struct {
	Deps
	metrics *metrics
	wake    chan struct{} // there may be something to answer
	beat    time.Duration // see beat in answer.go; shorter in tests

	mu     sync.Mutex
	paused time.Time // until then nothing is asked
	failed *failure  // of the last request; nil: it was answered
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, metrics: newMetrics(d.Metrics), wake: make(chan struct{}, 1), beat: beat}
}

// On reports whether somebody answers.
func (s *Service) On() bool { return s.Endpoint.Model != "" }

// Consumer returns the consumer of the feed that finds questions. It waits for no answer.
func (s *Service) Consumer() feed.Consumer[domain.Event] {
	return feed.Consumer[domain.Event]{Name: ConsumerName, From: feed.Now, Handle: s.handle}
}

func (s *Service) handle(ctx context.Context, entries []feed.Entry[domain.Event]) error {
	in := map[string]*present{}
	for _, e := range entries {
		if err := s.notice(ctx, e.Value, in); err != nil {
			return err
		}
	}
	return nil
}

// present are the assistants of a room.
type present struct {
	all  []domain.Assistant
	pair bool // the room is a direct one of two
}

// notice stores what a message asks, and ends answers that nobody wants any more.
func (s *Service) notice(ctx context.Context, e domain.Event, in map[string]*present) error {
	m := e.Message
	switch {
	case e.Type == domain.MessageDeleted && m != nil:
		return s.Store.Stop(ctx, e.Room, m.Seq)
	case e.Type == domain.ReactionAdded && e.Actor.Kind == domain.KindUser:
		if r, ok := e.Payload.(domain.ReactionAddedPayload); ok && r.Emoji == StopEmoji {
			return s.Store.Stop(ctx, e.Room, r.Of)
		}
		return nil
	case e.Type != domain.MessageCreated || m == nil || !asks(m) || s.Now().Sub(e.At) > maxAge:
		return nil
	}
	if in[e.Room] == nil {
		all, pair, err := s.Store.AssistantsIn(ctx, e.Room)
		if err != nil {
			return err
		}
		in[e.Room] = &present{all, pair}
	}
	for _, a := range in[e.Room].all {
		if err := s.noticeFor(ctx, m, a, in[e.Room].pair); err != nil {
			return err
		}
	}
	return nil
}

// asks reports whether a message may ask something: a person wrote it, in words. So no program asks another one.
func asks(m *domain.Message) bool {
	return m.Sender.Kind == domain.KindUser && m.DeletedAt.IsZero() && m.Text != "" &&
		m.ContentType == domain.ContentMarkdown
}

// noticeFor stores what a message asks an assistant, if it does.
func (s *Service) noticeFor(ctx context.Context, m *domain.Message, a domain.Assistant, pair bool) error {
	asked := pair || slices.Contains(m.Mentions, a.Bot.ID) || m.ReplyTo != nil && m.ReplyTo.Sender.ID == a.Bot.ID
	if !asked && m.Thread != 0 {
		var err error
		if asked, err = s.Store.WroteIn(ctx, m.Room, m.Thread, a.Bot.ID); err != nil {
			return err
		}
	}
	if !asked {
		return nil
	}
	q := domain.Question{Room: m.Room, Seq: m.Seq, Bot: a.Bot.ID, Asker: m.Sender.ID, Thread: m.Thread}
	stored, err := s.Store.Ask(ctx, q, domain.QuestionLimits{Person: s.PerHour, Room: roomShare * s.PerHour}, s.Now())
	if stored {
		s.wakeUp()
	}
	return err
}

func (s *Service) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run answers questions until ctx is done. Any number of nodes may run it: a question is leased by one.
func (s *Service) Run(ctx context.Context) error {
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	var answers sync.WaitGroup
	defer answers.Wait()
	free := make(chan struct{}, atOnce)
	var pruned time.Time
	for {
		if now := s.Now(); now.Sub(pruned) > pruneEvery {
			pruned = now
			if err := s.Store.PruneAnswers(ctx, now); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "forget old questions to assistants; will try again", "err", err)
			}
		}
		for len(free) < atOnce { // only this goroutine takes
			a, ok := s.claim(ctx)
			if !ok {
				break
			}
			free <- struct{}{}
			answers.Go(func() {
				defer s.wakeUp()
				defer func() { <-free }()
				s.answer(ctx, a)
			})
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		case <-s.wake:
		}
	}
}

// claim leases a question that is to be answered now.
func (s *Service) claim(ctx context.Context) (a domain.Answering, ok bool) {
	now := s.Now()
	s.mu.Lock()
	paused := s.paused.After(now)
	s.mu.Unlock()
	if paused || ctx.Err() != nil {
		return a, false
	}
	a, ok, err := s.Store.ClaimAnswer(ctx, now.Add(lease), now)
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for questions to assistants; will try again", "err", err)
	}
	return a, ok
}

// CheckHealth tells administrators that the endpoint fails.
func (s *Service) CheckHealth(_ context.Context, r *domain.HealthReport) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed == nil:
	case s.failed.final:
		r.Fail("assistant_failed", s.Endpoint.name())
	default:
		r.Warn("assistant_failed", s.Endpoint.name())
	}
	return nil
}

func (s *Service) record(ctx context.Context, p domain.Principal, bot, what string) {
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditBot, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: string(domain.KindBot), ID: bot}, Session: p.SessionID,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Details: map[string]string{"what": what},
	})
}
