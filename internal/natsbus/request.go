package natsbus

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

const (
	requestTime = 30 * time.Second
	handlers    = 256        // requests of other nodes being answered at a time
	group       = "handlers" // of nodes that handle a subject: one of them answers
	errorHeader = "Unhidra-Error"
)

// requests is what this node answers.
type requests struct {
	slots chan struct{}
	mu    sync.Mutex
	count map[string]int // handlers of a subject here
}

func (r *requests) init() {
	r.slots, r.count = make(chan struct{}, handlers), make(map[string]int)
}

func (r *requests) add(subject string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count[subject] += n; r.count[subject] == 0 {
		delete(r.count, subject)
	}
}

func (r *requests) here(subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[subject] > 0
}

// Request implements bus.Bus. What this node handles it does not ask others.
func (b *Bus) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	if b.handling.here(subject) {
		return b.local.Request(ctx, subject, data)
	}
	asked, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	m, err := b.nc.RequestWithContext(asked, b.prefix+subject, data)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, domain.Unavailable.Errorf("no_responder", "no part of the server answers this at the moment; try again").Because(err)
	}
	return m.Data, decodeError(m)
}

// Handle implements bus.Bus.
func (b *Bus) Handle(subject string, fn func(context.Context, bus.Message) ([]byte, error)) (func(), error) {
	remove, err := b.local.Handle(subject, fn)
	if err != nil {
		return nil, err
	}
	sub, err := b.nc.QueueSubscribe(b.prefix+subject, group, func(m *nats.Msg) { b.answer(m, fn) })
	if err != nil {
		remove()
		return nil, err
	}
	b.handling.add(subject, 1)
	return sync.OnceFunc(func() {
		b.handling.add(subject, -1)
		remove()
		_ = sub.Unsubscribe() // fails only if the connection has ended
	}), nil
}

// answer answers a request of another node, beside others.
func (b *Bus) answer(m *nats.Msg, fn func(context.Context, bus.Message) ([]byte, error)) {
	select {
	case b.handling.slots <- struct{}{}:
	default:
		b.respond(m, nil, domain.Unavailable.Errorf("busy", "the server is busy; try again").After(time.Second))
		return
	}
	go func() {
		defer func() { <-b.handling.slots }()
		ctx, cancel := context.WithTimeout(b.ctx, requestTime)
		defer cancel()
		data, err := fn(ctx, bus.Message{Subject: m.Subject[len(b.prefix):], Data: m.Data})
		b.respond(m, data, err)
	}()
}

func (b *Bus) respond(m *nats.Msg, data []byte, err error) {
	r := nats.NewMsg(m.Reply)
	r.Data = data
	if err != nil {
		if domain.KindOf(err) == domain.Internal {
			b.log.Error("answer a request of another node", "subject", m.Subject, "err", err)
		}
		r.Header.Set(errorHeader, encodeError(err))
	}
	if err := m.RespondMsg(r); err != nil {
		b.log.Warn("answer a request of another node", "subject", m.Subject, "err", err)
	}
}

// failure is an error on its way between nodes.
type failure struct {
	Kind   domain.Kind    `json:"kind"`
	Code   string         `json:"code,omitempty"`
	Msg    string         `json:"msg"`
	Fields []domain.Field `json:"fields,omitempty"`
	Retry  time.Duration  `json:"retry,omitempty"`
}

// encodeError keeps of an error what a caller may know; the cause stays in the
// log of the node that has it.
func encodeError(err error) string {
	f := failure{Kind: domain.Internal, Msg: "another node failed to answer"}
	var e *domain.Error
	if errors.As(err, &e) {
		f = failure{e.Kind, e.Code, e.Msg, e.Fields, e.RetryAfter}
	}
	b, _ := json.Marshal(f) // cannot fail: the type can always be encoded
	return string(b)
}

func decodeError(m *nats.Msg) error {
	h := m.Header.Get(errorHeader)
	if h == "" {
		return nil
	}
	var f failure
	if err := json.Unmarshal([]byte(h), &f); err != nil {
		return domain.Internal.Errorf("", "another node's answer is not understood").Because(err)
	}
	return &domain.Error{Kind: f.Kind, Code: f.Code, Msg: f.Msg, Fields: f.Fields, RetryAfter: f.Retry}
}
