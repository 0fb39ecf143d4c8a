package ml

import (
	"context"
	"crypto/subtle"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// maxChange bounds the body of a change.
const maxChange = 64 << 10

// A Model is one with its versions, as administrators see it.
type Model struct {
	Name     string         `json:"name"`
	Answers  int            `json:"answers" doc:"version that answers whom no candidate does; 0: none does"`
	Routing  Routing        `json:"routing"`
	Versions []ModelVersion `json:"versions" nullable:"false"`
}

// A ModelVersion is a version of a model, as administrators see it.
type ModelVersion struct {
	Version     int           `json:"version"`
	State       versionState  `json:"state" enum:"starting,ready,failed,unloaded"`
	Description string        `json:"description,omitempty"`
	Licence     string        `json:"licence,omitempty"`
	Inputs      []Spec        `json:"inputs" nullable:"false"`
	Outputs     []Spec        `json:"outputs" nullable:"false"`
	Example     []jsonTensor  `json:"example,omitempty" doc:"inputs that can be tried: those of the first golden case"`
	Ready       int           `json:"ready" doc:"workers that take requests"`
	Workers     int           `json:"workers" doc:"that there should be"`
	Failed      string        `json:"failed,omitempty" doc:"why it does not run"`
	Waiting     int           `json:"waiting"`
	Requests    int           `json:"requests" doc:"since it was loaded on this node"`
	Errors      int           `json:"errors" doc:"of these, which the version could not answer"`
	P50         float64       `json:"p50_ms" doc:"what half of the answers take at most"`
	P95         float64       `json:"p95_ms" doc:"what 95 of 100 answers take at most"`
	Restarts    int           `json:"restarts"`
	Memory      int64         `json:"memory_bytes" doc:"that its workers take"`
	Limit       int64         `json:"memory_limit_bytes" doc:"that each of its workers may take; one that takes more is replaced"`
	LastError   string        `json:"last_error,omitempty"`
	Sandbox     []string      `json:"sandbox,omitempty" doc:"what its workers are held by"`
	Drift       []Drift       `json:"drift" nullable:"false" doc:"how far what it is asked and answers is from what it was, on this node"`
	Processes   []workerView  `json:"processes" nullable:"false" doc:"its workers"`
	Events      []WorkerEvent `json:"events" nullable:"false" doc:"the last ones, the oldest first"`
}

type versionState string

const (
	versionStarting versionState = "starting"
	versionReady    versionState = "ready"
	versionFailed   versionState = "failed"
	versionUnloaded versionState = "unloaded"
)

// maxExample bounds the inputs that are shown as an example, in bytes.
const maxExample = 4 << 10

// Models returns the models of this node, without asking any worker.
func (s *Service) Models() []Model {
	models := []Model{}
	for _, p := range s.pools() {
		name := p.manifest.Name
		if len(models) == 0 || models[len(models)-1].Name != name {
			m := Model{Name: name}
			s.mu.Lock()
			m.Routing = s.routings[name]
			if e := s.control(name); e != nil && !e.pool.unloaded {
				m.Answers = e.pool.manifest.Version
			}
			s.mu.Unlock()
			m.Routing.Pins = maps.Clone(m.Routing.Pins)
			models = append(models, m)
		}
		m := &models[len(models)-1]
		m.Versions = append(m.Versions, p.version())
	}
	return models
}

func (p *pool) version() ModelVersion {
	m := p.manifest
	v := ModelVersion{
		Version: m.Version, Description: m.Description, Licence: m.Licence, Inputs: m.Inputs, Outputs: m.Outputs,
		State: versionStarting, Ready: p.ready(), Workers: len(p.slots), Waiting: p.waiting.len(), Limit: p.room(),
		Example: p.example(), Drift: p.drift.views(), Processes: []workerView{},
	}
	for _, slot := range p.slots {
		w := slot.view()
		v.Processes = append(v.Processes, w)
		v.Restarts += w.Restarts
		v.Memory += w.Memory
		if w.LastErr != "" {
			v.LastError = w.LastErr
		}
		if len(w.Sandbox) > 0 {
			v.Sandbox = slices.Clone(w.Sandbox)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.unloaded:
		v.State = versionUnloaded
	case p.failed != nil:
		v.State, v.Failed = versionFailed, p.failed.Error()
	case v.Ready > 0:
		v.State = versionReady
	}
	v.Events = append([]WorkerEvent{}, p.events...)
	v.Requests, v.Errors = p.tally.requests, p.tally.errors
	v.P50, v.P95 = p.tally.quantile(50).Seconds()*1000, p.tally.quantile(95).Seconds()*1000
	return v
}

// example returns the inputs of the first golden case, if they are short.
func (p *pool) example() []jsonTensor {
	if len(p.golden) == 0 {
		return nil
	}
	size := 0
	for _, t := range p.golden[0].Inputs {
		size += len(t.Data)
	}
	if size > maxExample {
		return nil
	}
	return p.golden[0].Inputs
}

func (s *Service) serveModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Models())
}

// Allowed says whether a header Authorization is of who has the server's key, and may change models.
func (s *Service) Allowed(authorization string) error {
	if s.Token == "" || subtle.ConstantTimeCompare([]byte(authorization), []byte("Bearer "+s.Token)) == 0 {
		return domain.Unauthorized.Errorf("",
			"only who has the server's key may change this; use unhidra model on its machine")
	}
	return nil
}

// byOperator is who changes models with the server's key.
func byOperator() domain.AuditEvent {
	return domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorOperator}}
}

// SetLoaded loads the versions of a model that are unloaded, or unloads all, for who has the server's key.
func (s *Service) SetLoaded(ctx context.Context, model string, load bool) error {
	action := map[bool]string{true: "load", false: "unload"}[load]
	versions := s.versions(model)
	if len(versions) == 0 {
		return domain.NotFound.Errorf(domain.CodeNoRoute, "there is no model %q", model)
	}
	for _, n := range versions {
		s.mu.Lock()
		done := slices.Contains(s.routings[model].Unloaded, n) != load
		s.mu.Unlock()
		if done {
			continue
		}
		if err := s.Change(ctx, byOperator(), model, Change{Action: action, Version: n}); err != nil {
			return err
		}
	}
	return nil
}

// serveLoad loads or unloads a model, for who has the server's key. A body is not looked at: a model has its settings
// in its folder.
func (s *Service) serveLoad(w http.ResponseWriter, r *http.Request) {
	err := s.Allowed(r.Header.Get("Authorization"))
	if err == nil {
		err = s.SetLoaded(r.Context(), r.PathValue("model"), path.Base(r.URL.Path) == "load")
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

// serveChange changes the versions of a model, for who has the server's key.
func (s *Service) serveChange(w http.ResponseWriter, r *http.Request) {
	if err := s.Allowed(r.Header.Get("Authorization")); err != nil {
		s.fail(w, r, err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChange))
	if err != nil {
		s.fail(w, r, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body did not come: %v", err))
		return
	}
	c, err := ReadChange(body)
	if err == nil {
		err = s.Change(r.Context(), byOperator(), r.PathValue("model"), c)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.serveModels(w, r)
}
