package ml

import (
	"crypto/subtle"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// maxChange bounds the body of a change.
const maxChange = 64 << 10

// A Model is one with its versions, as administrators see it.
type Model struct {
	Name     string    `json:"name"`
	Answers  int       `json:"answers"` // version that answers whom no candidate does
	Routing  Routing   `json:"routing"`
	Versions []Version `json:"versions"`
}

// A Version of a model, as administrators see it.
type Version struct {
	Version     int      `json:"version"`
	Description string   `json:"description,omitempty"`
	Licence     string   `json:"licence,omitempty"`
	Inputs      []Spec   `json:"inputs"`
	Outputs     []Spec   `json:"outputs"`
	Ready       int      `json:"ready"`            // workers that take requests
	Workers     int      `json:"workers"`          // that there should be
	Failed      string   `json:"failed,omitempty"` // why it does not run
	Waiting     int      `json:"waiting"`
	Requests    int      `json:"requests"` // since it was loaded on this node
	Errors      int      `json:"errors"`   // of these, which the version could not answer
	P50         float64  `json:"p50_ms"`   // what half of the answers take at most
	P95         float64  `json:"p95_ms"`   // what 95 of 100 answers take at most
	Restarts    int      `json:"restarts"`
	Memory      int64    `json:"memory_bytes"`
	LastError   string   `json:"last_error,omitempty"`
	Sandbox     []string `json:"sandbox,omitempty"` // what its workers are held by
}

// Models returns the models of this node, without asking any worker.
func (s *Service) Models() []Model {
	models := []Model{}
	for _, p := range s.pools() {
		name := p.manifest.Name
		if len(models) == 0 || models[len(models)-1].Name != name {
			m := Model{Name: name}
			s.mu.Lock()
			m.Routing = s.routings[name]
			if e := s.control(name); e != nil {
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

func (p *pool) version() Version {
	m := p.manifest
	v := Version{
		Version: m.Version, Description: m.Description, Licence: m.Licence, Inputs: m.Inputs, Outputs: m.Outputs,
		Ready: p.ready(), Workers: len(p.slots), Waiting: p.waiting.len(),
	}
	for _, slot := range p.slots {
		w := slot.view()
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
	if p.failed != nil {
		v.Failed = p.failed.Error()
	}
	v.Requests, v.Errors = p.tally.requests, p.tally.errors
	v.P50, v.P95 = p.tally.quantile(50).Seconds()*1000, p.tally.quantile(95).Seconds()*1000
	return v
}

func (s *Service) serveModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Models())
}

// serveChange changes the versions of a model, for who has the server's key.
func (s *Service) serveChange(w http.ResponseWriter, r *http.Request) {
	if s.Token == "" ||
		subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.Token)) == 0 {
		writeJSON(w, http.StatusUnauthorized, map[string]string{
			"error": "only who has the server's key may change this; use unhidra model on its machine"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxChange))
	if err != nil {
		s.fail(w, r, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body did not come: %v", err))
		return
	}
	c, err := ReadChange(body)
	if err == nil {
		by := domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorOperator}}
		err = s.Change(r.Context(), by, r.PathValue("model"), c)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.serveModels(w, r)
}
