package ml

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// State is how a worker is.
type State string

// States of workers.
const (
	stateStarting State = "starting"
	stateReady    State = "ready"
	stateBusy     State = "busy"
	stateWaiting  State = "waiting to be started again"
	stateFailed   State = "failed"
	stateStopped  State = "stopped"
)

// A slot is a place of a pool in which one worker runs after the other.
type slot struct {
	pool   *pool
	number int // of the worker, from 1

	mu       sync.Mutex
	state    State
	process  *process
	restarts int
	answered int64
	request  uint64 // id of the last one
	lastErr  string
	dump     string // what the last worker that ended wrote at its end
}

// errRecycle ends a worker that has served its time.
var errRecycle = errors.New("it has taken more memory than it may, and is replaced")

// run keeps a worker running until ctx ends.
func (s *slot) run(ctx context.Context) {
	t := s.pool.times
	wait := t.Backoff
	for ctx.Err() == nil {
		ok, failed := s.pool.mayStart()
		began := time.Now()
		var err error
		if ok {
			err = s.live(ctx)
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errRecycle):
			s.happened(eventReplaced, err)
			continue
		case ok:
			s.note(err)
			s.happened(eventEnded, err)
			s.pool.died(ctx, err)
			failed, _ = s.pool.failure()
		}
		if time.Since(began) > t.Settled {
			wait = t.Backoff
		}
		pause, state := wait, stateWaiting
		if failed {
			pause, state = t.Probe, stateFailed
			s.pool.probed(ok)
		}
		s.set(state, nil)
		pause += time.Duration(rand.Int64N(int64(pause)/5 + 1)) //nolint:gosec // spreads, hides nothing
		wait = min(2*wait, t.BackoffMax)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	s.set(stateStopped, nil)
}

// live runs one worker from its start to its end, and says why that came.
func (s *slot) live(ctx context.Context) error {
	s.set(stateStarting, nil)
	p, err := start(s.pool.python, s.pool.runtime)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.pool.python, err)
	}
	s.set(stateStarting, p)
	s.happened(eventStarted, nil)
	defer func() {
		p.kill()
		s.mu.Lock()
		s.dump = p.stderr.String()
		s.mu.Unlock()
	}()
	stop := context.AfterFunc(ctx, p.killAll)
	defer stop()
	if err := s.load(p); err != nil {
		return err
	}
	if err := s.checkGolden(p); err != nil {
		return err
	}
	s.pool.recovered()
	s.happened(eventReady, nil)
	return s.serve(ctx, p)
}

// load greets p and has it load the model.
func (s *slot) load(p *process) error {
	t, m := s.pool.times, s.pool.manifest
	if err := send(p.control, message{kind: frameHello}, t.Hello); err != nil {
		return err
	}
	hello, err := p.await(t.Hello)
	if err != nil {
		return err
	}
	if hello.kind != frameHelloAck {
		return fmt.Errorf("%w: it does not greet", errFrame)
	}
	load := map[string]any{"folder": s.pool.folder, "class": m.Class, "memory_mb": m.MemoryMB,
		"sandbox": string(s.pool.sandbox)}
	if err := send(p.control, message{kind: frameLoad, body: load}, t.Hello); err != nil {
		return err
	}
	loaded, err := p.await(t.Load)
	switch {
	case err != nil:
		return err
	case loaded.kind == frameError:
		return fmt.Errorf("%w: %s", errLoad, messageOf(loaded.body))
	case loaded.kind != frameLoaded:
		return fmt.Errorf("%w: it does not say that it has loaded", errFrame)
	}
	fields, _ := loaded.body.(map[string]any)
	held, _ := fields["sandbox"].([]any)
	for _, name := range held {
		if text, ok := name.(string); ok {
			p.sandbox = append(p.sandbox, text)
		}
	}
	return nil
}

// checkGolden asks what the answers are known of.
func (s *slot) checkGolden(p *process) error {
	for i := range s.pool.golden {
		wrong, err := s.askGolden(p, i)
		if err != nil {
			return fmt.Errorf("golden case %d: %w", i+1, err)
		}
		if wrong != nil {
			return fmt.Errorf("%w: golden case %d: %w", errLoad, i+1, wrong)
		}
	}
	return nil
}

// askGolden asks golden case i, and says what is wrong with it or its answer. An error means that p has ended.
func (s *slot) askGolden(p *process, i int) (wrong, err error) {
	g := s.pool.golden[i]
	inputs, err := fromJSON(g.Inputs)
	if err == nil {
		err = s.pool.checkInputs(inputs)
	}
	if err != nil {
		return err, nil
	}
	if g.Chunks != nil {
		return s.askStream(p, g, inputs)
	}
	c := &call{ctx: context.Background(), inputs: inputs, deadline: time.Now().Add(s.pool.times.Load),
		done: make(chan outcome, 1)}
	if err := s.work(p, []*call{c}); err != nil {
		return nil, err
	}
	o := <-c.done
	if o.err == nil {
		o.err = same(o.outputs, g.Outputs, g.Tolerance)
	}
	return o.err, nil
}

// serve gives p what waits, until it ends or is ended.
func (s *slot) serve(ctx context.Context, p *process) error {
	t := s.pool.times
	ping, look := time.NewTicker(t.Ping), time.NewTicker(t.Memory)
	defer ping.Stop()
	defer look.Stop()
	s.set(stateReady, p)
	looked := time.Time{}
	for id := uint64(1); ; {
		if batch := s.pool.waiting.take(s.pool.manifest.MaxBatch, time.Now()); len(batch) > 0 {
			s.set(stateBusy, p)
			if err := s.work(p, batch); err != nil {
				s.pool.ended(batch, err)
				return err
			}
			p.missed.Store(0) // a model that computes may keep it from answering
			s.set(stateReady, p)
			s.mu.Lock()
			s.answered += int64(len(batch))
			s.mu.Unlock()
			if now := time.Now(); now.Sub(looked) >= lookEvery {
				if looked = now; s.tooLarge(p) {
					return errRecycle
				}
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.dead:
			return p.ended()
		case err := <-p.faults:
			return err
		case <-s.pool.waiting.wake:
		case <-ping.C:
			if int(p.missed.Add(1)) > t.Missed {
				return s.end(p, fmt.Errorf("%w: idle, it missed %d questions", errHung, t.Missed))
			}
			id++
			if err := send(p.control, message{kind: framePing, id: id}, t.Ping); err != nil {
				return err
			}
		case <-look.C:
			if s.tooLarge(p) {
				return errRecycle
			}
		}
	}
}

// BaseMB is what a worker may take beside the memory_mb of its model, in MiB: what Python takes by itself.
const BaseMB = 64

// lookEvery is how long a worker that is busy goes without a look at its memory, which costs as much as a small answer.
const lookEvery = 50 * time.Millisecond

// tooLarge says whether p takes more memory than it may.
func (s *slot) tooLarge(p *process) bool { return p.memory() > s.pool.room() }

// room is the memory that each worker may take.
func (p *pool) room() int64 { return int64(p.manifest.MemoryMB+BaseMB) << 20 }

// memory is what all workers take.
func (p *pool) memory() (bytes int64) {
	for _, s := range p.slots {
		bytes += s.view().Memory
	}
	return bytes
}

func (s *slot) set(state State, p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.process = state, p
}

// is returns the state alone, for which no worker has to be looked at.
func (s *slot) is() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// note records why a worker ended.
func (s *slot) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restarts++
	s.lastErr = err.Error()
}

// A workerView is a worker on the page of health.
type workerView struct {
	State    State     `json:"state" enum:"starting,ready,busy,waiting to be started again,failed,stopped"`
	PID      int       `json:"pid,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	LastPong time.Time `json:"last_pong,omitzero"`
	Memory   int64     `json:"memory_bytes,omitempty"`
	Sandbox  []string  `json:"sandbox,omitempty"`
	Answered int64     `json:"answered"`
	Restarts int       `json:"restarts"`
	LastErr  string    `json:"last_error,omitempty" doc:"why the last one that ended did"`
	Output   string    `json:"output,omitempty" doc:"the end of what it wrote to its standard error"`
	Dump     string    `json:"last_output,omitempty" doc:"the same of the last one that ended; of one that hung, where it was"`
}

func (s *slot) view() workerView {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := workerView{State: s.state, Answered: s.answered, Restarts: s.restarts, LastErr: s.lastErr, Dump: s.dump}
	if p := s.process; p != nil {
		v.PID, v.Started, v.Memory = p.cmd.Process.Pid, p.started, p.memory()
		if s.state != stateStarting {
			v.Sandbox = p.sandbox
		}
		v.Output = p.stderr.String()
		if pong := p.pong.Load(); pong > 0 {
			v.LastPong = time.Unix(0, pong)
		}
	}
	return v
}
