package ml

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// The generate extension of the protocol, as Triton has it: texts instead of tensors, and answers in chunks.
const (
	textInput  = "text_input"
	textOutput = "text_output"
	takeTime   = 30 * time.Second // for whoever reads a stream to take a chunk
)

// serveGenerate answers with all chunks as one.
func (s *Service) serveGenerate(w http.ResponseWriter, r *http.Request) {
	q, m, err := s.readGenerate(w, r)
	var chunks []Answer
	size := 0
	if err == nil {
		err = s.Stream(r.Context(), q.request(), q.wait(), func(a Answer) error {
			chunks = append(chunks, a)
			if size += packedSize(a.Outputs); size > maxMessage {
				return errWhole
			}
			return nil
		})
	}
	if errors.Is(err, errWhole) {
		err = errWhole
	}
	var whole Answer
	if err == nil {
		whole, err = join(chunks)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, generated(m, whole))
}

// serveStream answers with each chunk as an event of server-sent events, when it comes. What goes wrong after the first
// is an event, too.
func (s *Service) serveStream(w http.ResponseWriter, r *http.Request) {
	q, m, err := s.readGenerate(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	control := http.NewResponseController(w)
	begun := false
	event := func(v any) error {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if !begun {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			begun = true
		}
		_ = control.SetWriteDeadline(time.Now().Add(takeTime)) // fails only for a test's recorder
		if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
			return err
		}
		return control.Flush()
	}
	err = s.Stream(r.Context(), q.request(), q.wait(), func(a Answer) error { return event(generated(m, a)) })
	switch {
	case err != nil && !begun:
		s.fail(w, r, err)
	case err != nil:
		_ = event(map[string]string{"error": s.explain(r, err)})
	case !begun:
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	}
}

// readGenerate reads the body of r: the texts and numbers of the inputs, by name, and parameters.
func (s *Service) readGenerate(w http.ResponseWriter, r *http.Request) (q Inference, m Metadata, err error) {
	version, err := ParseVersion(r.PathValue("version"))
	if err != nil {
		return q, m, err
	}
	model := r.PathValue("model")
	if m, _, err = s.Describe(model, version); err != nil {
		return q, m, err
	}
	body, err := readInfer(w, r)
	if err != nil {
		return q, m, err
	}
	q, err = decodeGenerate(body, m.Inputs)
	q.Model, q.Version = model, version
	return q, m, err
}

// decodeGenerate reads a request of the extension for a model of such inputs. What is no input is a parameter.
func decodeGenerate(body []byte, inputs []Spec) (q Inference, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return q, badRequest("the body is no object such as {%q: \"a text\"}", textInput)
	}
	q.Parameters = map[string]any{}
	if p, ok := fields["parameters"]; ok {
		if err := json.Unmarshal(p, &q.Parameters); err != nil {
			return q, badRequest("parameters is no object: %v", err)
		}
		delete(fields, "parameters")
	}
	for _, spec := range inputs {
		name := spec.Name
		if name == onlyText(inputs, textInput) && fields[name] == nil {
			name = textInput
		}
		data, ok := fields[name]
		if !ok {
			return q, badRequest("%q is missing: the model has the inputs %s", name, names(inputs))
		}
		delete(fields, name)
		t, err := generateTensor(spec, data)
		if err != nil {
			return q, err
		}
		q.Inputs = append(q.Inputs, t)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var v any
		if err := json.Unmarshal(fields[name], &v); err != nil {
			return q, badRequest("%q: %v", name, err)
		}
		if q.Parameters == nil {
			q.Parameters = map[string]any{}
		}
		q.Parameters[name] = v
	}
	return q, nil
}

// generateTensor makes an input of one element, or of a list of them.
func generateTensor(spec Spec, data json.RawMessage) (Tensor, error) {
	t := Tensor{Name: spec.Name, Type: spec.Type}
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] != '[' {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return t, badRequest("%q is no value, and no list of values", spec.Name)
	}
	open := false
	for _, n := range spec.Shape {
		if n < 0 && !open { // the first that is open has them all
			n, open = int64(len(list)), true
		}
		t.Shape = append(t.Shape, max(n, 1))
	}
	if open && len(list) == 0 {
		return t, badRequest("%q has no values", spec.Name)
	}
	if err := t.readData(data); err != nil {
		return t, badRequest("%v", err)
	}
	if err := t.Check(); err != nil {
		return t, badRequest("%v; /infer takes tensors of any shape", err)
	}
	return t, nil
}

// onlyText returns the name of the only text among specs, if none is called name.
func onlyText(specs []Spec, name string) string {
	only := ""
	for _, s := range specs {
		switch {
		case s.Name == name, s.Type == "BYTES" && only != "":
			return ""
		case s.Type == "BYTES":
			only = s.Name
		}
	}
	return only
}

func names(specs []Spec) string {
	var all []string
	for _, s := range specs {
		all = append(all, strconv.Quote(s.Name))
	}
	return strings.Join(all, ", ")
}

// request is what is asked.
func (q Inference) request() Request {
	return Request{Model: q.Model, Version: q.Version, Units: q.units(), Inputs: q.Inputs, Priority: q.priority(),
		Parameters: q.Parameters}
}

// ServeChunks asks for q, and hands each chunk of the answer to yield, as Stream does. A model that has no chunks
// answers in one.
func (s *Service) ServeChunks(ctx context.Context, q Inference, yield func(Answer) error) error {
	return s.Stream(ctx, q.request(), q.wait(), func(a Answer) (err error) {
		if a.Outputs, err = q.wanted(a.Outputs); err != nil {
			return err
		}
		return yield(a)
	})
}

// generated is an answer, or a chunk of it, as the extension has it: an output of one element is that element.
func generated(m Metadata, a Answer) map[string]any {
	out := map[string]any{}
	for _, t := range a.Outputs {
		name := t.Name
		if name == onlyText(m.Outputs, textOutput) {
			name = textOutput
		}
		out[name] = t.Elements()
		if n, _ := t.count(); n == 1 {
			text, _ := json.Marshal(out[name])
			out[name] = json.RawMessage(text[1 : len(text)-1])
		}
	}
	out["model_name"], out["model_version"] = m.Name, strconv.Itoa(a.Version)
	return out
}

// join makes one answer of chunks: texts are put together.
func join(chunks []Answer) (Answer, error) {
	switch len(chunks) {
	case 0:
		return Answer{}, domain.Internal.Errorf("", "the model gave no answer")
	case 1:
		return chunks[0], nil
	}
	whole := chunks[0]
	whole.Outputs = nil
	for _, first := range chunks[0].Outputs {
		var text strings.Builder
		for _, c := range chunks {
			at := slices.IndexFunc(c.Outputs, func(t Tensor) bool { return t.Name == first.Name })
			if n, _ := c.Outputs[at].count(); first.Type != "BYTES" || n != 1 {
				return Answer{}, badRequest("the model answers in %d chunks that are not one text each: ask it by generate_stream",
					len(chunks))
			}
			_, _ = text.Write(c.Outputs[at].Data[4:])
		}
		t := TextTensor(first.Name, text.String())
		t.Shape = first.Shape
		whole.Outputs = append(whole.Outputs, t)
	}
	return whole, nil
}
