package ml

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// An Inference is a request of the Open Inference Protocol V2, by whatever it came.
type Inference struct {
	Model      string
	Version    int            // 0: that which the routing of the model chooses
	Parameters map[string]any // user, room, device, timeout and priority count; numbers are float64
	Inputs     []Tensor
	Outputs    []string // names; none: all
}

// Serve answers q, within its timeout.
func (s *Service) Serve(ctx context.Context, q Inference) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, q.wait())
	defer cancel()
	a, err := s.Infer(ctx, Request{
		Model: q.Model, Version: q.Version, Units: q.units(), Inputs: q.Inputs, Priority: q.priority(),
	})
	if err != nil {
		return Answer{}, err
	}
	a.Outputs, err = q.wanted(a.Outputs)
	return a, err
}

// units are the parameters user, room and device.
func (q Inference) units() map[Unit]string {
	units := map[Unit]string{}
	for _, u := range []Unit{ByUser, ByRoom, ByDevice} {
		if text, ok := q.Parameters[string(u)].(string); ok && text != "" {
			units[u] = text
		}
	}
	return units
}

// wait is the parameter timeout, in microseconds.
func (q Inference) wait() time.Duration {
	if f, ok := q.Parameters["timeout"].(float64); ok && f > 0 && f < float64(defaultWait.Microseconds()) {
		return time.Duration(f) * time.Microsecond
	}
	return defaultWait
}

// priority is the parameter priority: 1 is the highest, 3 and more the lowest.
func (q Inference) priority() Priority {
	switch f, _ := q.Parameters["priority"].(float64); {
	case f == 1:
		return Interactive
	case f >= 3:
		return Background
	}
	return Normal
}

// wanted returns those outputs that q names, or all.
func (q Inference) wanted(outputs []Tensor) ([]Tensor, error) {
	if len(q.Outputs) == 0 {
		return outputs, nil
	}
	var out []Tensor
	for _, name := range q.Outputs {
		i := slices.IndexFunc(outputs, func(t Tensor) bool { return t.Name == name })
		if i < 0 {
			return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the model has no output %q", name)
		}
		out = append(out, outputs[i])
	}
	return out, nil
}

// headerLength is the header that says how long the JSON of a body is, behind which the data of tensors come: the
// binary tensor data extension of the protocol. The data are as a Tensor has them, in the order of the tensors.
const headerLength = "Inference-Header-Content-Length"

// inferRequest is an inference by REST.
type inferRequest struct {
	ID         string         `json:"id"`
	Parameters map[string]any `json:"parameters"`
	Inputs     []inferTensor  `json:"inputs"`
	Outputs    []struct {
		Name       string     `json:"name"`
		Parameters binaryData `json:"parameters"`
	} `json:"outputs"`

	data []byte // what comes behind the JSON
}

// inferTensor is an input or output of an inference by REST: it has data, or says how many bytes of the body are its.
type inferTensor struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Type       string          `json:"datatype"`
	Parameters *binaryData     `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

type binaryData struct {
	Size   *int  `json:"binary_data_size,omitempty"` // of a tensor
	Wanted *bool `json:"binary_data,omitempty"`      // of an output that is asked for
}

// inferResponse is its answer.
type inferResponse struct {
	Model      string         `json:"model_name"`
	Version    string         `json:"model_version"`
	ID         string         `json:"id,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Outputs    []inferTensor  `json:"outputs"`
}

func badRequest(format string, args ...any) error {
	return domain.Invalid.Errorf(domain.CodeInvalidRequest, format, args...)
}

// decodeInfer reads the body of an inference. length is the header headerLength; empty: the body is JSON alone.
func decodeInfer(body []byte, length string) (q inferRequest, err error) {
	text, data := body, []byte(nil)
	if length != "" {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > len(body) {
			return q, badRequest("the body has the length %d, and the JSON in it %q by the header %s", len(body), length,
				headerLength)
		}
		text, data = body[:n], body[n:]
	}
	if err := json.Unmarshal(text, &q); err != nil {
		return q, badRequest("the body is no request of the protocol: %v", err)
	}
	q.data = data
	return q, nil
}

// inference returns q as an Inference.
func (q inferRequest) inference(model string, version int) (Inference, error) {
	in := Inference{Model: model, Version: version, Parameters: q.Parameters}
	for _, t := range q.Inputs {
		read, err := q.tensor(&t)
		if err != nil {
			return in, err
		}
		in.Inputs = append(in.Inputs, read)
	}
	if len(q.data) > 0 {
		return in, badRequest("%d bytes behind the JSON are of no input: each says its binary_data_size", len(q.data))
	}
	for _, o := range q.Outputs {
		in.Outputs = append(in.Outputs, o.Name)
	}
	return in, nil
}

// tensor reads an input, and takes what is its from the data behind the JSON.
func (q *inferRequest) tensor(t *inferTensor) (Tensor, error) {
	if t.Parameters == nil || t.Parameters.Size == nil {
		read, err := fromJSON([]jsonTensor{{Name: t.Name, Shape: t.Shape, Type: t.Type, Data: t.Data}})
		if err != nil {
			return Tensor{}, badRequest("%v", err)
		}
		return read[0], nil
	}
	n := *t.Parameters.Size
	if n < 0 || n > len(q.data) || t.Data != nil {
		return Tensor{}, badRequest("the input %q has %d bytes behind the JSON, of %d that are left, and no data in it",
			t.Name, n, len(q.data))
	}
	read := Tensor{Name: t.Name, Type: strings.ToUpper(t.Type), Shape: t.Shape, Data: q.data[:n:n]}
	q.data = q.data[n:]
	if err := read.Check(); err != nil {
		return Tensor{}, badRequest("%v", err)
	}
	return read, nil
}

// answer writes the answer to q. Nothing is written if it fails.
func (q inferRequest) answer(w http.ResponseWriter, model string, a Answer) error {
	out := inferResponse{Model: model, Version: strconv.Itoa(a.Version), ID: q.ID,
		Parameters: map[string]any{"variant": a.Variant}, Outputs: []inferTensor{}}
	var data [][]byte
	for i, t := range a.Outputs {
		shown := inferTensor{Name: t.Name, Shape: t.Shape, Type: t.Type}
		if q.binary(i) {
			size := len(t.Data)
			shown.Parameters = &binaryData{Size: &size}
			data = append(data, t.Data)
		} else {
			var err error
			if shown.Data, err = json.Marshal(t.Elements()); err != nil {
				return err
			}
		}
		out.Outputs = append(out.Outputs, shown)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if data != nil {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(headerLength, strconv.Itoa(len(text)))
	}
	_, _ = w.Write(text)
	for _, d := range data {
		_, _ = w.Write(d)
	}
	return nil
}

// binary says whether the output i of the answer is wanted as bytes.
func (q inferRequest) binary(i int) bool {
	if i < len(q.Outputs) && q.Outputs[i].Parameters.Wanted != nil {
		return *q.Outputs[i].Parameters.Wanted
	}
	all, _ := q.Parameters["binary_data_output"].(bool)
	return all
}
