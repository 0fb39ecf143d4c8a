package ml

import (
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

// MaxBody bounds the body of an inference, in bytes.
const MaxBody = 16 << 20

const (
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
	mux.HandleFunc("POST /v2/repository/models/{model}/load", s.serveLoad)
	mux.HandleFunc("POST /v2/repository/models/{model}/unload", s.serveLoad)
	for _, path := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		mux.HandleFunc("GET "+path, s.serveModel)
		mux.HandleFunc("GET "+path+"/ready", s.serveModelReady)
		mux.HandleFunc("POST "+path+"/infer", s.serveInfer)
		mux.HandleFunc("POST "+path+"/generate", s.serveGenerate)
		mux.HandleFunc("POST "+path+"/generate_stream", s.serveStream)
		mux.HandleFunc("GET "+path+"/generate_stream", s.serveSocket)
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
	if errors.As(err, &e) && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	writeJSON(w, httpx.Status(domain.KindOf(err)), map[string]string{"error": s.explain(r, err)})
}

// explain returns what whoever asked is told of an error. What is not for them goes into the log.
func (s *Service) explain(r *http.Request, err error) string {
	if domain.KindOf(err) == domain.Internal && !errors.Is(err, errGone) {
		s.Log.WarnContext(r.Context(), "a model failed on a request", "model", r.PathValue("model"), "err", err)
	}
	var e *domain.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return "something went wrong here; the log says what"
}

func serveLive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

// What the metadata of the server say, by REST and by gRPC.
const (
	ServerName    = "unhidra"
	ServerVersion = "1"
)

// Extensions are the extensions of the protocol that are served.
func Extensions() []string { return []string{"model_repository", "binary_tensor_data", "generate"} }

func (s *Service) serveServer(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"name": ServerName, "version": ServerVersion, "extensions": Extensions(),
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

// ParseVersion reads the number of a version; an empty text is 0, which leaves it to the routing.
func ParseVersion(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return 0, domain.NotFound.Errorf(domain.CodeNoRoute, "versions are whole numbers from 1; %q is none", text)
	}
	return version, nil
}

// Metadata describes a model, as the protocol has it.
type Metadata struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"`
	Platform string   `json:"platform"`
	Inputs   []Spec   `json:"inputs"`
	Outputs  []Spec   `json:"outputs"`
}

// Describe returns the metadata of a version, and whether a worker of it is ready. Version 0 is the one that answers.
func (s *Service) Describe(model string, version int) (m Metadata, ready bool, err error) {
	p, _, _, err := s.pick(Request{Model: model, Version: version})
	if err != nil {
		return m, false, err
	}
	m = Metadata{Name: model, Platform: "unhidra_worker", Inputs: p.manifest.Inputs, Outputs: p.manifest.Outputs}
	for _, n := range s.versions(model) {
		m.Versions = append(m.Versions, strconv.Itoa(n))
	}
	return m, p.ready() > 0, nil
}

// versions returns the numbers of the versions of a model.
func (s *Service) versions(model string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.models[model]))
}

// describe is Describe for the model and version that the path of r names.
func (s *Service) describe(r *http.Request) (m Metadata, ready bool, err error) {
	version, err := ParseVersion(r.PathValue("version"))
	if err != nil {
		return m, false, err
	}
	return s.Describe(r.PathValue("model"), version)
}

func (s *Service) serveModel(w http.ResponseWriter, r *http.Request) {
	m, _, err := s.describe(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, m)
}

func (s *Service) serveModelReady(w http.ResponseWriter, r *http.Request) {
	m, ready, err := s.describe(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]any{"name": m.Name, "ready": ready})
}

// An IndexRow says of a version whether it answers.
type IndexRow struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	State   string `json:"state"` // StateReady or StateUnavailable
	Reason  string `json:"reason"`
}

// The states of an IndexRow.
const (
	StateReady       = "READY"
	StateUnavailable = "UNAVAILABLE"
)

// Index returns all versions of all models.
func (s *Service) Index() []IndexRow {
	rows := []IndexRow{}
	for _, v := range s.Health().Versions {
		row := IndexRow{Name: v.Model, Version: strconv.Itoa(v.Version), State: StateReady}
		if v.Ready == 0 {
			row.State, row.Reason = StateUnavailable, v.Detail
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Service) serveIndex(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Index())
}

func (s *Service) serveInfer(w http.ResponseWriter, r *http.Request) {
	version, err := ParseVersion(r.PathValue("version"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	body, err := readInfer(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	q, err := decodeInfer(body, r.Header.Get(headerLength))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	in, err := q.inference(r.PathValue("model"), version)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a, err := s.Serve(r.Context(), in)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if err := q.answer(w, in.Model, a); err != nil {
		s.fail(w, r, err)
	}
}

// readInfer reads the body of an inference, which must come within bodyTime. What the model then takes does not count.
func readInfer(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	until := http.NewResponseController(w).SetReadDeadline
	_ = until(time.Now().Add(bodyTime)) // fails only for a test's recorder
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	_ = until(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", MaxBody)
	case err != nil:
		return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body did not come: %v", err)
	}
	return body, nil
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
		if p.unloaded {
			v.Detail = errUnloaded.Msg
		} else {
			ready[v.Model] = ready[v.Model] || v.Ready > 0
		}
		h.Versions = append(h.Versions, v)
	}
	h.Ready = !h.On || h.Detail == ""
	for _, ok := range ready {
		h.Ready = h.Ready && ok
	}
	return h
}
