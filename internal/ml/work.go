package ml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// work gives batch to p, and its answers to whoever waits. An error means that p is of no use any more,
// and that the calls of batch are not answered.
func (s *slot) work(p *process, batch []*call) (err error) {
	if batch[0].stream != nil {
		return s.stream(p, batch[0])
	}
	span := trace.StartBatch("ml.predict", len(batch), func(i int) context.Context { return batch[i].ctx })
	defer func() { span.End(err) }()
	budget := time.Duration(0)
	items := make([]any, 0, len(batch))
	for _, c := range batch {
		budget = max(budget, time.Until(c.deadline))
		items = append(items, packTensors(c.inputs))
	}
	id := s.next()
	request := message{kind: frameRequest, id: id, budget: budget, body: map[string]any{"items": items}}
	traced(request, span.Parent())
	if err := send(p.data, request, budget+s.pool.times.Grace); err != nil {
		return s.end(p, err)
	}
	timer := time.NewTimer(budget + s.pool.times.Grace)
	defer timer.Stop()
	select {
	case m := <-p.results:
		return s.deliver(m, id, batch)
	case err := <-p.faults:
		return err
	case <-p.dead:
		return p.ended()
	case <-timer.C:
		return s.end(p, errHung)
	}
}

// traced names the span in a request of which the worker's work is a part. Without one the request stays as it is.
func traced(request message, parent string) {
	if fields, ok := request.body.(map[string]any); ok && parent != "" {
		fields["traceparent"] = parent
	}
}

// noteModel says which model a span is about.
func noteModel(span trace.Span, p *pool, v Variant) {
	span.Note(trace.String("unhidra.model", p.manifest.Name), trace.Int("unhidra.model_version", p.manifest.Version),
		trace.String("unhidra.variant", string(v)))
}

// next returns the id of the next request.
func (s *slot) next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request++
	return s.request
}

// end ends a worker that does not answer: it is asked where it is, which it writes, and then killed.
func (s *slot) end(p *process, why error) error {
	select {
	case <-p.dead:
		return p.ended()
	default:
	}
	p.abort()
	select {
	case <-p.dead:
	case <-time.After(s.pool.times.Step):
		p.kill()
	}
	return why
}

// deliver checks the answer to request id, and hands it out. What it has no room for is asked again, by itself.
func (s *slot) deliver(m message, id uint64, batch []*call) error {
	fields, _ := m.body.(map[string]any)
	items, _ := fields["items"].([]any)
	if m.kind != frameResponse || m.id != id || len(items) != len(batch) {
		return fmt.Errorf("%w: an answer to something else", errFrame)
	}
	outcomes := make([]outcome, len(batch))
	for i, item := range items {
		fields, _ := item.(map[string]any)
		if failure, failed := fields["error"]; failed {
			outcomes[i].err = itemError(failure)
			continue
		}
		outputs, err := unpackTensors(fields["outputs"])
		if err == nil {
			err = fits(outputs, s.pool.manifest.Outputs)
		}
		if err != nil {
			outcomes[i].err = domain.Internal.Errorf("", "the model answered what model.toml does not say").Because(err)
			continue
		}
		outcomes[i].outputs = outputs
	}
	for i, c := range batch {
		if len(batch) > 1 && errors.Is(outcomes[i].err, errRoom) {
			s.pool.waiting.again(c)
			continue
		}
		c.finish(outcomes[i])
	}
	return nil
}

func messageOf(body any) string {
	fields, _ := body.(map[string]any)
	text, _ := fields["message"].(string)
	if len(text) > 1000 {
		text = text[:1000]
	}
	return text
}

// itemError is what a worker says about one request of a batch.
func itemError(body any) error {
	fields, _ := body.(map[string]any)
	switch fields["code"] {
	case "input":
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "%s", messageOf(body))
	case "room":
		return errRoom
	case "memory":
		return domain.Unavailable.Errorf(domain.CodeBusy, "the model needs more memory for this than it may take").
			After(time.Second)
	}
	return domain.Internal.Errorf("", "the model failed on this input").Because(errors.New(messageOf(body)))
}

// fits says where tensors are not what specs name.
func fits(tensors []Tensor, specs []Spec) error {
	if len(tensors) != len(specs) {
		return fmt.Errorf("%w: %d of them, where model.toml names %d", errTensor, len(tensors), len(specs))
	}
	for _, spec := range specs {
		i := slices.IndexFunc(tensors, func(t Tensor) bool { return t.Name == spec.Name })
		if i < 0 {
			return fmt.Errorf("%w: %q is missing", errTensor, spec.Name)
		}
		t := tensors[i]
		ok := t.Type == spec.Type && len(t.Shape) == len(spec.Shape)
		for dim := range spec.Shape {
			ok = ok && (spec.Shape[dim] < 0 || spec.Shape[dim] == t.Shape[dim])
		}
		if !ok {
			return fmt.Errorf("%w: %q is %s of shape %v; the model has %s of shape %v", errTensor, t.Name, t.Type, t.Shape,
				spec.Type, spec.Shape)
		}
	}
	return nil
}

// same compares outputs with those of a golden case.
func same(outputs []Tensor, golden []jsonTensor, tolerance float64) error {
	wanted, err := fromJSON(golden)
	if err != nil {
		return err
	}
	for _, want := range wanted {
		i := slices.IndexFunc(outputs, func(t Tensor) bool { return t.Name == want.Name })
		if i < 0 || outputs[i].Type != want.Type || !slices.Equal(outputs[i].Shape, want.Shape) {
			return fmt.Errorf("%q is missing, or of another type or shape", want.Name)
		}
		if got := outputs[i]; !near(got, want, tolerance) {
			a, _ := json.Marshal(got.Elements())
			b, _ := json.Marshal(want.Elements())
			return fmt.Errorf("%q is %.200s, and should be %.200s", want.Name, a, b)
		}
	}
	return nil
}

// near says whether the elements of two tensors of one type and shape are equal, or numbers at most
// tolerance apart.
func near(a, b Tensor, tolerance float64) bool {
	if a.Type != "FP32" && a.Type != "FP64" {
		return string(a.Data) == string(b.Data)
	}
	x, y := a.floats(), b.floats()
	for i := range x {
		if math.Abs(x[i]-y[i]) > tolerance {
			return false
		}
	}
	return true
}
