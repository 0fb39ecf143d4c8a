package outgoing

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

func (s *Service) serverRoutes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/admin/slash-commands" + path,
			Tags: []string{"webhooks"}, Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("admin-list-slash-commands", "GET", "", "The slash commands of the server, by name", 200),
		s.getServerCommands)
	httpx.Register(api, op("admin-create-slash-command", "POST", "",
		"Make a slash command of the server, beside those of rooms", 201), s.postServerCommand)
	httpx.Register(api, op("admin-update-slash-command", "PATCH", "/{slash}",
		"Change a slash command of the server; switch it on or off", 200), s.patchServerCommand)
	httpx.Register(api, op("admin-rotate-slash-command", "POST", "/{slash}/secret",
		"Give a slash command of the server another secret; for a day it signs by both", 200), s.rotateServerCommand)
	httpx.Register(api, op("admin-delete-slash-command", "DELETE", "/{slash}",
		"Remove a slash command of the server; what it wrote stays", 204), s.deleteServerCommand)
}

// OfServerSlash is the input of operations on a slash command of the server.
type OfServerSlash struct {
	Slash string `path:"slash" maxLength:"64" doc:"id or name"`
}

// administrator returns who asks, who must be an administrator.
func administrator(ctx context.Context) (By, error) {
	p := httpx.Principal(ctx)
	if !p.IsAdmin() {
		return By{}, domain.Forbidden.Errorf(domain.CodeNotAdmin, "this is for administrators of the server")
	}
	return By{AuditActor: domain.AuditActor{Kind: domain.ActorAdmin, ID: p.ID}, Stands: p.ID, Session: p.SessionID,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx)}, nil
}

func (s *Service) getServerCommands(ctx context.Context, _ *struct{}) (*slashPage, error) {
	if _, err := administrator(ctx); err != nil {
		return nil, err
	}
	all, err := s.ServerCommands(ctx)
	if err != nil {
		return nil, err
	}
	var out slashPage
	out.Body.Items = make([]slashBody, len(all))
	for i, c := range all {
		out.Body.Items[i] = shownCommand(c, true)
	}
	return &out, nil
}

func (s *Service) postServerCommand(ctx context.Context, in *struct {
	Body struct {
		Name        string          `json:"name" doc:"small letters, digits, _ and -" example:"oncall"`
		Description string          `json:"description,omitempty" example:"Say who is on call"`
		Hint        string          `json:"hint,omitempty" example:"TEAM"`
		URL         string          `json:"url" example:"https://ops.example.org/chat"`
		Rooms       domain.RoomKind `json:"rooms,omitempty" enum:"public,private" doc:"which rooms have it; absent: both"`
		Guests      bool            `json:"guests,omitempty" doc:"whether guests may use it, too"`
	}
}) (*slashOutput, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	return commandAnswer(s.CreateServerCommand(ctx, by, domain.SlashCommand{Name: b.Name, Description: b.Description,
		Hint: b.Hint, URL: b.URL, Kind: b.Rooms, Guests: b.Guests}))
}

func (s *Service) patchServerCommand(ctx context.Context, in *struct {
	OfServerSlash
	Body struct {
		Description *string          `json:"description,omitempty"`
		Hint        *string          `json:"hint,omitempty"`
		URL         *string          `json:"url,omitempty"`
		Rooms       *domain.RoomKind `json:"rooms,omitempty" doc:"public, private, or empty for both"`
		Guests      *bool            `json:"guests,omitempty"`
		On          *bool            `json:"on,omitempty" doc:"whether it asks its receiver"`
	}
}) (*slashOutput, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	return commandAnswer(s.ChangeServerCommand(ctx, by, in.Slash, ServerChange{Kind: b.Rooms, Guests: b.Guests,
		CommandChange: CommandChange{Description: b.Description, Hint: b.Hint, URL: b.URL, On: b.On}}))
}

func (s *Service) rotateServerCommand(ctx context.Context, in *OfServerSlash) (*slashOutput, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	return commandAnswer(s.RotateServerCommand(ctx, by, in.Slash))
}

func (s *Service) deleteServerCommand(ctx context.Context, in *OfServerSlash) (*struct{}, error) {
	by, err := administrator(ctx)
	if err != nil {
		return nil, err
	}
	return nil, s.RemoveServerCommand(ctx, by, in.Slash)
}
