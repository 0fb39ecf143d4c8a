package outgoing

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) slashRoutes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/rooms/{room}/slash-commands" + path,
			Tags: []string{"webhooks"}, Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("list-slash-commands", "GET", "", "The slash commands that one has in a room, by name", 200),
		s.getCommands)
	httpx.Register(api, op("create-slash-command", "POST", "", "Make a slash command, which asks an address", 201),
		s.postCommand)
	httpx.Register(api, op("update-slash-command", "PATCH", "/{slash}",
		"Change what a slash command says of itself and whom it asks; switch it on or off", 200), s.patchCommand)
	httpx.Register(api, op("rotate-slash-command", "POST", "/{slash}/secret",
		"Give a slash command another secret; for a day it signs by both", 200), s.rotateCommand)
	httpx.Register(api, op("delete-slash-command", "DELETE", "/{slash}",
		"Remove a slash command; what it wrote stays", 204), s.deleteCommand)
	httpx.Register(api, op("run-slash-command", "POST", "/run", "Write a slash command, and get its first answer", 200),
		s.runCommand)
}

// OfSlash is the input of operations on a slash command.
type OfSlash struct {
	OfRoom
	Slash string `path:"slash" maxLength:"64"`
}

// slashBody is a slash command as the API shows it.
type slashBody struct {
	ID          string         `json:"id"`
	Name        string         `json:"name" doc:"what is written after the slash" example:"deploy"`
	Description string         `json:"description,omitempty"`
	Hint        string         `json:"hint,omitempty" doc:"what is written after the name" example:"SERVICE"`
	Off         domain.HookOff `json:"off,omitempty" enum:"admin,left" doc:"why it asks nobody; absent: it does"`
	Server      bool           `json:"server,omitempty" doc:"it is of the server, which all rooms of a kind have"`
	// The others are for those who may manage webhooks.
	URL       string     `json:"url,omitempty" doc:"to admins of the room, or the server, alone, like all that follows"`
	Secret    string     `json:"secret,omitempty" doc:"checks signatures; shown once, when it is made or replaced"`
	CreatedBy *wire.User `json:"created_by,omitempty" doc:"who made it, or switched it on last"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	RotatedAt *time.Time `json:"rotated_at,omitempty" doc:"when its secret was replaced"`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"when the receiver last answered, to about a minute"`
	FailedAt  *time.Time `json:"failed_at,omitempty" doc:"when it last failed, to about a minute; absent: not since then"`
	Failure   string     `json:"failure,omitempty" doc:"what was wrong"`
	// Of a command of the server.
	Rooms  domain.RoomKind `json:"rooms,omitempty" enum:"public,private" doc:"which rooms have it; absent: both"`
	Guests bool            `json:"guests,omitempty" doc:"guests may use it, in rooms that they are in"`
}

type slashOutput struct{ Body slashBody }

func shownCommand(c domain.SlashCommand, manage bool) slashBody {
	b := slashBody{ID: c.ID, Name: c.Name, Description: c.Description, Hint: c.Hint, Off: c.Off, Server: c.OfServer()}
	if manage {
		by := wire.FromUser(c.CreatedBy)
		b.URL, b.Secret, b.CreatedBy, b.CreatedAt, b.RotatedAt = c.URL, c.Secret, &by, &c.CreatedAt, optional(c.RotatedAt)
		b.UsedAt, b.FailedAt, b.Failure = optional(c.UsedAt), optional(c.FailedAt), c.Failure
	}
	if manage && c.OfServer() {
		b.Rooms, b.Guests = c.Kind, c.Guests
	}
	return b
}

func commandAnswer(c domain.SlashCommand, err error) (*slashOutput, error) {
	if err != nil {
		return nil, err
	}
	return &slashOutput{shownCommand(c, true)}, nil
}

// slashPage is the answer with all slash commands of a room.
type slashPage struct {
	Body struct {
		Items []slashBody `json:"items" nullable:"false"`
	}
}

func (s *Service) getCommands(ctx context.Context, in *OfRoom) (*slashPage, error) {
	all, manage, err := s.Commands(ctx, httpx.Principal(ctx), in.Room)
	if err != nil {
		return nil, err
	}
	var out slashPage
	out.Body.Items = make([]slashBody, len(all))
	for i, c := range all {
		out.Body.Items[i] = shownCommand(c, manage && !c.OfServer())
	}
	return &out, nil
}

func (s *Service) postCommand(ctx context.Context, in *struct {
	OfRoom
	Body struct {
		Name        string `json:"name" doc:"small letters, digits, _ and -" example:"deploy"`
		Description string `json:"description,omitempty" example:"Bring a service to production"`
		Hint        string `json:"hint,omitempty" example:"SERVICE"`
		URL         string `json:"url" example:"https://ci.example.org/chat"`
	}
}) (*slashOutput, error) {
	b := in.Body
	return commandAnswer(s.CreateCommand(ctx, httpx.Principal(ctx), domain.SlashCommand{Room: in.Room, Name: b.Name,
		Description: b.Description, Hint: b.Hint, URL: b.URL}))
}

func (s *Service) patchCommand(ctx context.Context, in *struct {
	OfSlash
	Body struct {
		Description *string `json:"description,omitempty"`
		Hint        *string `json:"hint,omitempty"`
		URL         *string `json:"url,omitempty"`
		On          *bool   `json:"on,omitempty" doc:"whether it asks its receiver"`
	}
}) (*slashOutput, error) {
	b := in.Body
	return commandAnswer(s.ChangeCommand(ctx, httpx.Principal(ctx), in.Room, in.Slash,
		CommandChange{Description: b.Description, Hint: b.Hint, URL: b.URL, On: b.On}))
}

func (s *Service) rotateCommand(ctx context.Context, in *OfSlash) (*slashOutput, error) {
	return commandAnswer(s.RotateCommand(ctx, httpx.Principal(ctx), in.Room, in.Slash))
}

func (s *Service) deleteCommand(ctx context.Context, in *OfSlash) (*struct{}, error) {
	return nil, s.RemoveCommand(ctx, httpx.Principal(ctx), in.Room, in.Slash)
}

// slashReply is the first answer to a slash command.
type slashReply struct {
	Body struct {
		Text string `json:"text,omitempty" doc:"what the receiver answers to whoever wrote it, in Markdown"`
		Seq  int64  `json:"seq,omitempty" doc:"number of the message, if it answered to the room"`
	}
}

func (s *Service) runCommand(ctx context.Context, in *struct {
	OfRoom
	Body struct {
		Command string `json:"command" doc:"its name" example:"deploy"`
		Text    string `json:"text,omitempty" doc:"what follows it" example:"api"`
		Thread  int64  `json:"thread,omitempty" doc:"seq of the message in whose thread it is written"`
	}
}) (*slashReply, error) {
	r, seq, err := s.RunCommand(ctx, httpx.Principal(ctx),
		Written{Room: in.Room, Name: in.Body.Command, Text: in.Body.Text, Thread: in.Body.Thread})
	if err != nil {
		return nil, err
	}
	var out slashReply
	if out.Body.Seq = seq; seq == 0 {
		out.Body.Text = r.Text
	}
	return &out, nil
}
