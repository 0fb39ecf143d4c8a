package ml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

const (
	maxBody     = 16 << 20
	bodyTime    = 15 * time.Second
	defaultWait = 30 * time.Second // for an answer; a model may allow less
)

// Handler serves the Open Inference Protocol V2 at /v2, and the health of models at /internal/ml. It asks
// for no password: it is for the operator's listener.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2", s.serveServer)
	mux.HandleFunc("GET /v2/health/live", serveLive)
	mux.HandleFunc("GET /v2/health/ready", s.serveReady)
	mux.HandleFunc("POST /v2/repository/index", s.serveIndex)
	for _, path := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		mux.HandleFunc("GET "+path, s.serveModel)
		mux.HandleFunc("GET "+path+"/ready", s.serveModelReady)
		mux.HandleFunc("POST "+path+"/infer", s.serveInfer)
	}
	mux.HandleFunc("GET /internal/ml/live", serveLive)
	mux.HandleFunc("GET /internal/ml/ready", s.serveReady)
	mux.HandleFunc("GET /internal/ml/health", s.serveHealth)
	mux.HandleFunc("GET /internal/ml/models", s.serveModels)
	mux.HandleFunc("POST /internal/ml/models/{model}", s.serveChange)
	// A page in a browser of this machine may not have it compute.
	return http.NewCrossOriginProtection().Handler(mux)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// fail answers with an error as the protocol has it.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *domain.Error
	text := "something went wrong here; the log says what"
	if errors.As(err, &e) {
		text = e.Msg
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
		}
	}
	kind := domain.KindOf(err)
	if kind == domain.Internal {
		s.Log.WarnContext(r.Context(), "a model failed on a request", "model", r.PathValue("model"), "err", err)
	}
	writeJSON(w, httpx.Status(kind), map[string]string{"error": text})
}

func serveLive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

func (s *Service) serveServer(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"name": "unhidra", "version": "1", "extensions": []string{"model_repository"},
	})
}

func (s *Service) serveReady(w http.ResponseWriter, _ *http.Request) {
	ready := s.Health().Ready
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]bool{"ready": ready})
}

func (s *Service) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := s.Health()
	status := http.StatusOK
	if !h.Ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(h)
}

// asked returns the version that the path of r names; 0: none.
func asked(r *http.Request) (version int, err error) {
	text := r.PathValue("version")
	if text == "" {
		return 0, nil
	}
	if version, err = strconv.Atoi(text); err != nil || version < 1 {
		return 0, domain.NotFound.Errorf(domain.CodeNoRoute, "versions are whole numbers from 1; %q is none", text)
	}
	return version, nil
}

// pool returns the pool that the path of r names.
func (s *Service) pool(r *http.Request) (*pool, error) {
	version, err := asked(r)
	if err != nil {
		return nil, err
	}
	p, _, _, err := s.pick(Request{Model: r.PathValue("model"), Version: version})
	return p, err
}

func (s *Service) serveModel(w http.ResponseWriter, r *http.Request) {
	p, err := s.pool(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	m := p.manifest
	var numbers []string
	s.mu.Lock()
	for _, n := range slices.Sorted(maps.Keys(s.models[m.Name])) {
		numbers = append(numbers, strconv.Itoa(n))
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{
		"name": m.Name, "versions": numbers, "platform": "unhidra_worker", "inputs": m.Inputs, "outputs": m.Outputs,
	})
}

func (s *Service) serveModelReady(w http.ResponseWriter, r *http.Request) {
	p, err := s.pool(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if p.ready() == 0 {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]any{"name": p.manifest.Name, "ready": p.ready() > 0})
}

func (s *Service) serveIndex(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		Name    string `json:"name"`
		Version string `json:"version"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
	}
	rows := []row{}
	for _, v := range s.Health().Versions {
		state, reason := "READY", ""
		if v.Ready == 0 {
			state, reason = "UNAVAILABLE", v.Detail
		}
		rows = append(rows, row{v.Model, strconv.Itoa(v.Version), state, reason})
	}
	writeJSON(w, http.StatusOK, rows)
}

func (s *Service) serveInfer(w http.ResponseWriter, r *http.Request) {
	version, err := asked(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body, err := readInfer(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer, err := s.serve(r.Context(), r.PathValue("model"), version, body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// readInfer reads the body of an inference, which must come within bodyTime. What the model then takes does not count.
func readInfer(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	until := http.NewResponseController(w).SetReadDeadline
	_ = until(time.Now().Add(bodyTime)) // fails only for a test's recorder
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	_ = until(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", maxBody)
	case err != nil:
		return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body did not come: %v", err)
	}
	return body, nil
}

// serve answers one inference.
func (s *Service) serve(ctx context.Context, model string, version int, body []byte) (inferResponse, error) {
	var q inferRequest
	var none inferResponse
	if err := json.Unmarshal(body, &q); err != nil {
		return none, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body is no request of the protocol: %v", err)
	}
	inputs, err := fromJSON(q.Inputs)
	if err != nil {
		return none, domain.Invalid.Errorf(domain.CodeInvalidRequest, "%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, q.wait())
	defer cancel()
	a, err := s.Infer(ctx, Request{
		Model: model, Version: version, Units: q.units(), Inputs: inputs, Priority: q.priority(),
	})
	if err != nil {
		return none, err
	}
	outputs, err := q.wanted(a.Outputs)
	if err != nil {
		return none, err
	}
	out, err := toJSON(outputs)
	return inferResponse{Model: model, Version: strconv.Itoa(a.Version), ID: q.ID,
		Parameters: map[string]any{"variant": a.Variant}, Outputs: out}, err
}

// units are the parameters user, room and device.
func (q inferRequest) units() map[Unit]string {
	units := map[Unit]string{}
	for _, u := range []Unit{ByUser, ByRoom, ByDevice} {
		if text, ok := q.Parameters[string(u)].(string); ok && text != "" {
			units[u] = text
		}
	}
	return units
}

// wait is the parameter timeout, in microseconds.
func (q inferRequest) wait() time.Duration {
	if f, ok := q.Parameters["timeout"].(float64); ok && f > 0 && f < float64(defaultWait.Microseconds()) {
		return time.Duration(f) * time.Microsecond
	}
	return defaultWait
}

// priority is the parameter priority: 1 is the highest, 3 and more the lowest.
func (q inferRequest) priority() Priority {
	switch f, _ := q.Parameters["priority"].(float64); {
	case f == 1:
		return Interactive
	case f >= 3:
		return Background
	}
	return Normal
}

// wanted returns those outputs that the request names, or all.
func (q inferRequest) wanted(outputs []Tensor) ([]Tensor, error) {
	if len(q.Outputs) == 0 {
		return outputs, nil
	}
	var out []Tensor
	for _, o := range q.Outputs {
		i := slices.IndexFunc(outputs, func(t Tensor) bool { return t.Name == o.Name })
		if i < 0 {
			return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the model has no output %q", o.Name)
		}
		out = append(out, outputs[i])
	}
	return out, nil
}

// A Health says how models are.
type Health struct {
	On       bool              `json:"on"`
	Ready    bool              `json:"ready"`            // each model has a worker that takes requests
	Detail   string            `json:"detail,omitempty"` // why none run
	Versions []VersionHealth   `json:"versions"`
	Folders  map[string]string `json:"folders,omitempty"` // those that are no versions, and why
}

// VersionHealth says how one version is.
type VersionHealth struct {
	Model   string       `json:"model"`
	Version int          `json:"version"`
	Ready   int          `json:"ready"` // workers
	Waiting int          `json:"waiting"`
	Detail  string       `json:"detail,omitempty"`
	Workers []workerView `json:"workers"`
}

// Health returns how models are, without asking any worker.
func (s *Service) Health() Health {
	s.mu.Lock()
	h := Health{On: s.On, Detail: s.off, Versions: []VersionHealth{}, Folders: maps.Clone(s.bad)}
	s.mu.Unlock()
	pools := s.pools()
	ready := map[string]bool{}
	for _, p := range pools {
		v := VersionHealth{Model: p.manifest.Name, Version: p.manifest.Version, Ready: p.ready(), Waiting: p.waiting.len()}
		if failed, why := p.failure(); failed {
			v.Detail = fmt.Sprint(why)
		}
		for _, slot := range p.slots {
			v.Workers = append(v.Workers, slot.view())
		}
		ready[v.Model] = ready[v.Model] || v.Ready > 0
		h.Versions = append(h.Versions, v)
	}
	h.Ready = !h.On || h.Detail == ""
	for _, ok := range ready {
		h.Ready = h.Ready && ok
	}
	return h
}
