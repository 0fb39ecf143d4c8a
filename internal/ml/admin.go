package ml

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Proofs knows who has just proven who they are; others get step_up_required.
type Proofs interface {
	Fresh(ctx context.Context, p domain.Principal) error
}

// Routes adds the operations of administrators to api. They are about the models of the node that answers; what is
// changed of routings counts on all.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/admin/models" + path, Tags: []string{"admin"},
			Security: httpx.Bearer, Summary: summary}
	}
	httpx.Register(api, op("admin-list-models", "GET", "",
		"Models, their versions and workers, and which versions answer"), s.listModels)
	httpx.Register(api, op("admin-change-model", "POST", "/{model}", "Change which versions of a model answer"),
		s.changeModel)
	httpx.Register(api, op("admin-try-model", "POST", "/{model}/infer", "Ask a model, as an inference of the protocol V2"),
		s.tryModel)
}

// A BadFolder is a folder that is no version of a model.
type BadFolder struct {
	Folder string `json:"folder" example:"shout/2"`
	Reason string `json:"reason" doc:"what is wrong with it, in English"`
}

type modelsOutput struct {
	Body struct {
		On      bool        `json:"on" doc:"the server is to run models"`
		Detail  string      `json:"detail,omitempty" doc:"why it runs none, in English"`
		Sandbox Sandbox     `json:"sandbox" enum:"best-effort,required,off"`
		Items   []Model     `json:"items" nullable:"false"`
		Folders []BadFolder `json:"folders" nullable:"false"`
	}
}

func (s *Service) listModels(ctx context.Context, _ *struct{}) (*modelsOutput, error) {
	if err := allowed(ctx); err != nil {
		return nil, err
	}
	out := &modelsOutput{}
	b := &out.Body
	b.On, b.Sandbox, b.Items, b.Folders = s.On, s.Sandbox, s.Models(), []BadFolder{}
	if b.Sandbox == "" {
		b.Sandbox = SandboxBestEffort
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Detail = s.off
	for _, folder := range slices.Sorted(maps.Keys(s.bad)) {
		b.Folders = append(b.Folders, BadFolder{folder, s.bad[folder]})
	}
	return out, nil
}

// allowed refuses everybody but administrators.
func allowed(ctx context.Context) error {
	if !httpx.Principal(ctx).IsAdmin() {
		return domain.Forbidden.Errorf(domain.CodeNotAdmin, "this is for administrators of the server")
	}
	return nil
}

// modelChange is a Change, by another name: other modules have changes, too.
type modelChange Change

// changeTime is how long an administrator waits for new workers. They go on loading after that.
const changeTime = 45 * time.Second

func (s *Service) changeModel(ctx context.Context, in *struct {
	Model string `path:"model" maxLength:"40"`
	Body  modelChange
}) (*modelsOutput, error) {
	if err := allowed(ctx); err != nil {
		return nil, err
	}
	p := httpx.Principal(ctx)
	if err := s.Proofs.Fresh(ctx, p); err != nil {
		return nil, err
	}
	event := domain.AuditEvent{
		Actor: domain.AuditActor{Kind: domain.ActorAdmin, ID: p.ID}, Session: p.SessionID, Addr: httpx.ClientAddr(ctx),
		UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
	}
	wait, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	if err := s.Change(wait, event, in.Model, Change(in.Body)); err != nil {
		return nil, err
	}
	return s.listModels(ctx, nil)
}

type tryOutput struct {
	Body struct {
		Version int          `json:"version" doc:"that answered"`
		Variant Variant      `json:"variant" enum:"default,candidate,pinned" doc:"why this one"`
		Millis  float64      `json:"took_ms"`
		Outputs []jsonTensor `json:"outputs" nullable:"false"`
	}
}

func (s *Service) tryModel(ctx context.Context, in *struct {
	Model string `path:"model" maxLength:"40"`
	Body  struct {
		Version int          `json:"version,omitempty" minimum:"1" doc:"absent: the one that the routing has for the caller"`
		Inputs  []jsonTensor `json:"inputs" nullable:"false" maxItems:"64"`
	}
}) (*tryOutput, error) {
	if err := allowed(ctx); err != nil {
		return nil, err
	}
	if !s.On {
		return nil, domain.NotFound.Errorf(domain.CodeNoRoute, "there is no model %q: UNHIDRA_ML=on turns models on",
			in.Model)
	}
	ctx, cancel := context.WithTimeout(ctx, defaultWait)
	defer cancel()
	inputs, err := fromJSON(in.Body.Inputs)
	if err != nil {
		return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest, "%v", err)
	}
	began := time.Now()
	a, err := s.Infer(ctx, Request{Model: in.Model, Version: in.Body.Version, Inputs: inputs, Priority: Interactive,
		Units: map[Unit]string{ByUser: httpx.Principal(ctx).ID}})
	if err != nil {
		return nil, err
	}
	out := &tryOutput{}
	out.Body.Version, out.Body.Variant, out.Body.Millis = a.Version, a.Variant, time.Since(began).Seconds()*1000
	out.Body.Outputs, err = toJSON(a.Outputs)
	return out, err
}
