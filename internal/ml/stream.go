package ml

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// A worker answers a stream alone, in chunks. It may send streamCredit of them before the first is taken, and one more
// for each that is. The answer ends with a frameResponse, which says what was wrong, if anything was. After a
// frameCancel that comes soon as well.
const (
	streamCredit   = 8
	parametersMost = 64 << 10 // bytes of the parameters of a stream, packed
)

// A stream is what is special of a call that is answered in chunks.
type stream struct {
	parameters map[string]any
	chunks     chan []Tensor
	taken      chan struct{} // one for each chunk that was taken
	gone       chan struct{} // closed when nobody takes chunks any more
}

// newStream returns a stream that has room for all chunks that a worker may send.
func newStream(parameters map[string]any) *stream {
	return &stream{parameters: parameters, chunks: make(chan []Tensor, streamCredit),
		taken: make(chan struct{}, streamCredit), gone: make(chan struct{})}
}

// Stream asks a model, and hands each chunk of the answer to yield when it comes. It ends when the answer does, with
// ctx, or when yield fails; the worker is told then. The first chunk must come within wait.
func (s *Service) Stream(ctx context.Context, q Request, wait time.Duration, yield func(Answer) error) (err error) {
	ctx, span := trace.Start(ctx, "ml.infer")
	defer func() { span.End(err) }()
	for {
		p, v, unit, err := s.pick(q)
		if err != nil {
			return err
		}
		noteModel(span, p, v)
		first, err := p.stream(ctx, q, wait, func(outputs []Tensor) error {
			return yield(Answer{p.manifest.Version, v, outputs})
		})
		if errors.Is(err, errMoved) && ctx.Err() == nil {
			continue // its workers were replaced just now
		}
		counted := err
		if errors.Is(err, errGone) {
			counted = nil
		}
		s.counted(q, p, v, unit, first, counted)
		return err
	}
}

// stream asks the model. first is how long it took to the first chunk, or to the end if there was none.
func (p *pool) stream(ctx context.Context, q Request, wait time.Duration, yield func([]Tensor) error) (
	first time.Duration, err error,
) {
	if err := p.checkInputs(q.Inputs); err != nil {
		return 0, err
	}
	parameters, err := packable(q.Parameters)
	if err != nil {
		return 0, err
	}
	size := packedSize(q.Inputs) + len(pack(nil, parameters))
	if size > maxBatch {
		return 0, domain.TooLarge.Errorf(domain.CodeBodyTooLarge,
			"the inputs and parameters take %d bytes; a model takes at most %d: send less", size, maxBatch)
	}
	p.asked.Add(1)
	defer p.asked.Add(-1)
	c := &call{ctx: ctx, inputs: q.Inputs, size: size, priority: q.Priority, deadline: time.Now().Add(wait),
		stream: newStream(parameters), done: make(chan outcome, 1)}
	if p.quarantined(c) {
		return 0, errPoison(p.times.Quarantine)
	}
	began := time.Now()
	if err := p.waiting.push(c); err != nil {
		if !errors.Is(err, errMoved) {
			p.metrics.count(p, err)
		}
		return 0, err
	}
	lengths := map[string]int{} // of texts
	err = c.each(ctx, wait, p.state, func(outputs []Tensor) error {
		if first == 0 {
			first = time.Since(began)
		}
		p.metrics.chunks.WithLabelValues(p.labels()...).Inc()
		for i := range outputs {
			if t := &outputs[i]; t.Type == "BYTES" {
				lengths[t.Name] += t.textBytes()
			}
		}
		return yield(outputs)
	})
	if first == 0 {
		first = time.Since(began)
	}
	counted := err
	if errors.Is(err, errGone) {
		counted = nil
		p.metrics.cancelled.WithLabelValues(p.labels()...).Inc()
	}
	p.metrics.count(p, counted)
	p.metrics.took(p, first)
	p.mu.Lock()
	p.tally.add(first, counted)
	p.mu.Unlock()
	if err == nil {
		p.drift.streamed(q.Inputs, lengths)
	}
	return first, err
}

// packable returns parameters as they are sent. Of numbers, whole ones are sent as such.
func packable(parameters map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(parameters))
	for name, v := range parameters {
		switch v := v.(type) {
		case string, bool, int64:
			out[name] = v
		case float64:
			out[name] = v
			if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
				out[name] = int64(v)
			}
		default:
			return nil, badRequest("the parameter %q is no text, number, true or false", name)
		}
	}
	if n := len(pack(nil, out)); n > parametersMost {
		return nil, badRequest("the parameters take %d bytes; at most %d are sent to a model", n, parametersMost)
	}
	return out, nil
}

// each hands the chunks of c to yield until the answer ends, and returns how. The first must come within wait.
func (c *call) each(
	ctx context.Context, wait time.Duration, state func() string, yield func([]Tensor) error,
) error {
	defer close(c.stream.gone)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	take := func(chunk []Tensor) error {
		timer.Stop()
		if err := yield(chunk); err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		c.stream.taken <- struct{}{} // there is room: no more are taken than may be sent
		return nil
	}
	for {
		select {
		case chunk := <-c.stream.chunks:
			if err := take(chunk); err != nil {
				return err
			}
		case <-timer.C:
			return errLate(state())
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errGone, ctx.Err())
		case o := <-c.done:
			for len(c.stream.chunks) > 0 { // what came before
				if err := take(<-c.stream.chunks); err != nil {
					return err
				}
			}
			return o.err
		}
	}
}

// A flow is what the server knows of a stream that a worker answers.
type flow struct {
	id     uint64
	specs  []Spec
	credit int // chunks that may still come
}

// chunk checks a chunk, and returns it. An error of domain.Internal is about the model, others about the worker.
func (f *flow) chunk(m message) ([]Tensor, error) {
	f.credit--
	if m.id != f.id || f.credit < 0 {
		return nil, fmt.Errorf("%w: a chunk that nobody waits for", errFrame)
	}
	fields, _ := m.body.(map[string]any)
	outputs, err := unpackTensors(fields["outputs"])
	if err == nil {
		err = fits(outputs, f.specs)
	}
	if err != nil {
		return nil, domain.Internal.Errorf("", "the model answered what model.toml does not say").Because(err)
	}
	return outputs, nil
}

// end checks how a stream ended. wrong is what the model says, err is about the worker.
func (f *flow) end(m message) (wrong, err error) {
	fields, ok := m.body.(map[string]any)
	if m.kind != frameResponse || m.id != f.id || !ok {
		return nil, fmt.Errorf("%w: the end of something else", errFrame)
	}
	if failure, failed := fields["error"]; failed {
		wrong = itemError(failure)
	}
	return wrong, nil
}

// stream has p answer c. An error means that p is of no use any more.
func (s *slot) stream(p *process, c *call) (err error) {
	ctx, span := trace.Start(c.ctx, "ml.predict")
	defer func() { span.End(err) }()
	t, limit := s.pool.times, s.pool.manifest.Chunk
	select {
	case <-c.stream.gone:
		return nil
	default:
	}
	f := &flow{id: s.next(), specs: s.pool.manifest.Outputs, credit: streamCredit}
	request := message{kind: frameStream, id: f.id, budget: limit, body: map[string]any{
		"inputs": packTensors(c.inputs), "parameters": c.stream.parameters, "credit": streamCredit}}
	traced(request, trace.Parent(ctx))
	if err := send(p.data, request, limit+t.Grace); err != nil {
		return s.end(p, err)
	}
	next := time.NewTimer(limit) // of the next chunk, or of whoever takes it
	defer next.Stop()
	whole := time.NewTimer(t.Stream)
	defer whole.Stop()
	ended := false // c is answered: what p still sends is dropped
	gone := c.stream.gone
	// cancel answers c, and has p end the stream; it must not take longer than for the next chunk.
	cancel := func(why error, within time.Duration) error {
		if ended {
			return nil
		}
		ended, gone = true, nil
		c.finish(outcome{err: why})
		next.Reset(within)
		return send(p.control, message{kind: frameCancel, id: f.id}, t.Grace+t.Step)
	}
	chunk := func(m message) error {
		outputs, err := f.chunk(m)
		switch {
		case errors.Is(err, errFrame):
			return err
		case ended:
			return nil
		case err != nil:
			return cancel(err, limit+t.Grace)
		}
		c.stream.chunks <- outputs // there is room for what it has credit for
		if f.credit == 0 {
			next.Reset(t.Take)
		} else {
			next.Reset(limit)
		}
		return nil
	}
	for {
		var err error
		select {
		case m := <-p.chunks:
			err = chunk(m)
		case m := <-p.results:
			for len(p.chunks) > 0 && err == nil { // it has sent them before
				err = chunk(<-p.chunks)
			}
			var wrong error
			if err == nil {
				wrong, err = f.end(m)
			}
			if err == nil {
				c.finish(outcome{err: wrong})
				return nil
			}
		case err = <-p.faults:
		case <-p.dead:
			return p.ended()
		case <-c.stream.taken:
			if f.credit++; f.credit == 1 && !ended {
				next.Reset(limit)
			}
			err = send(p.control, message{kind: frameCredit, id: f.id, body: map[string]any{"chunks": 1}}, t.Grace+t.Step)
		case <-gone:
			err = cancel(errGone, limit+t.Grace)
		case <-whole.C:
			err = cancel(errLong(t.Stream), limit+t.Grace)
		case <-next.C:
			switch {
			case ended:
				return s.end(p, errHung)
			case f.credit == 0:
				err = cancel(errSlow(t.Take), t.Grace)
			default:
				err = cancel(errChunkLate(limit), t.Grace)
			}
		}
		if err != nil {
			return s.end(p, err)
		}
	}
}

// askStream asks a golden case of a stream, and says what is wrong with it or its answer. An error means that p has
// ended.
func (s *slot) askStream(p *process, g GoldenCase, inputs []Tensor) (_, err error) {
	c := &call{ctx: context.Background(), inputs: inputs, stream: newStream(g.Parameters), done: make(chan outcome, 1)}
	result := make(chan error, 1)
	go func() {
		n, wrong := 0, error(nil)
		err := c.each(context.Background(), s.pool.times.Stream, s.pool.state, func(outputs []Tensor) error {
			if n++; n > len(g.Chunks) {
				return nil
			}
			wrong = same(outputs, g.Chunks[n-1], g.Tolerance)
			return wrong
		})
		if wrong != nil {
			err = wrong
		}
		if err == nil && n != len(g.Chunks) {
			err = fmt.Errorf("it is answered in %d chunks, and should be in %d", n, len(g.Chunks))
		}
		result <- err
	}()
	if err := s.stream(p, c); err != nil {
		c.finish(outcome{err: err})
		<-result
		return nil, err
	}
	return <-result, nil
}
