package assistant

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"bots"}, Security: httpx.Bearer,
			Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("list-assistants", "GET", "/assistants",
		"Where answers of assistants come from, and which of your bots are assistants", 200), s.getAssistants)
	httpx.Register(api, op("set-assistant", "PUT", "/bots/{bot}/assistant",
		"Make a bot of yours an assistant, or give it other instructions; for administrators", 204), s.putAssistant)
	httpx.Register(api, op("end-assistant", "DELETE", "/bots/{bot}/assistant",
		"Have a bot of yours be no assistant any more", 204), s.deleteAssistant)
}

// AssistantOf is the input of operations on an assistant.
type AssistantOf struct {
	Bot string `path:"bot" maxLength:"64"`
}

type assistantBody struct {
	Bot          wire.User `json:"bot"`
	Instructions string    `json:"instructions,omitempty" doc:"what the model is told beside what the server tells it"`
	CreatedAt    time.Time `json:"created_at" doc:"when it became an assistant"`
}

type assistantList struct {
	On    bool            `json:"on" doc:"the operator has named a model; else assistants do not answer"`
	Host  string          `json:"host,omitempty" doc:"of the endpoint that is asked; none: the model runs beside the server"`
	Model string          `json:"model,omitempty"`
	May   bool            `json:"may" doc:"you may make bots of yours assistants"`
	Items []assistantBody `json:"items" nullable:"false"`
}

func (s *Service) getAssistants(ctx context.Context, _ *struct{}) (*struct{ Body assistantList }, error) {
	p := httpx.Principal(ctx)
	all, err := s.Store.Assistants(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body assistantList }{assistantList{On: s.On(), Host: s.Endpoint.Host, Model: s.Endpoint.Model,
		May: p.IsAdmin(), Items: make([]assistantBody, len(all))}}
	for i, a := range all {
		out.Body.Items[i] = assistantBody{wire.FromUser(a.Bot), a.Instructions, a.CreatedAt}
	}
	return out, nil
}

func (s *Service) putAssistant(ctx context.Context, in *struct {
	AssistantOf
	Body struct {
		Instructions string `json:"instructions,omitempty" doc:"at most 4000 characters" example:"Answer in one sentence."`
	}
}) (*struct{}, error) {
	p := httpx.Principal(ctx)
	switch {
	case !p.IsAdmin():
		return nil, domain.Forbidden.Errorf(domain.CodeNotAdmin, "only administrators of the server make bots of theirs "+
			"assistants: each answer costs its operator something, and may send what people wrote elsewhere")
	case !s.On():
		return nil, domain.Conflict.Errorf(domain.CodeAssistantsOff,
			"there are no assistants: the operator of the server has named no model (UNHIDRA_ASSISTANT_MODEL)")
	}
	instructions, err := domain.CheckProse("/instructions", in.Body.Instructions, domain.MaxInstructions)
	if err == nil {
		err = s.Store.SetAssistant(ctx, p.ID, in.Bot, instructions, s.Now())
	}
	if err == nil {
		s.record(ctx, p, in.Bot, "assistant")
	}
	return nil, err
}

func (s *Service) deleteAssistant(ctx context.Context, in *AssistantOf) (*struct{}, error) {
	p := httpx.Principal(ctx)
	err := s.Store.EndAssistant(ctx, p.ID, in.Bot)
	if err == nil {
		s.record(ctx, p, in.Bot, "assistant_end")
	}
	return nil, err
}
