package webhook

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/rooms/{room}/hooks" + path, Tags: []string{"webhooks"},
			Security: httpx.Bearer, Summary: summary}
	}
	create := op("create-hook", "POST", "", "Make a webhook, by whose address other programs post to the room")
	create.DefaultStatus = 201
	remove := op("delete-hook", "DELETE", "/{hook}", "Remove a webhook; what it wrote stays")
	remove.DefaultStatus = 204
	give := op("set-hook-avatar", "PUT", "/{hook}/avatar", "Give a webhook a picture")
	give.MaxBodyBytes = picture.MaxBytes + 1
	httpx.Register(api, op("list-hooks", "GET", "", "The webhooks into a room"), s.getHooks)
	httpx.Register(api, create, s.postHook)
	httpx.Register(api, op("update-hook", "PATCH", "/{hook}",
		"Say whether messages of a webhook may have a name and a picture of their own"), s.patchHook)
	httpx.Register(api, op("renew-hook", "POST", "/{hook}/secret", "Give a webhook another address; the old one ends"),
		s.renewHook)
	httpx.Register(api, give, s.putAvatar)
	httpx.Register(api, op("delete-hook-avatar", "DELETE", "/{hook}/avatar", "Take the picture of a webhook away"),
		s.deleteAvatar)
	httpx.Register(api, remove, s.deleteHook)
}

// OfRoom is the input of operations on the webhooks of a room.
type OfRoom struct {
	Room string `path:"room" maxLength:"64"`
}

// OfHook is the input of operations on a webhook.
type OfHook struct {
	OfRoom
	Hook string `path:"hook" maxLength:"64"`
}

// hookBody is a webhook as the API shows it.
type hookBody struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Avatar    string     `json:"avatar,omitempty"`
	URL       string     `json:"url,omitempty" doc:"the address to post to; shown once, when it is made or renewed"`
	Faces     bool       `json:"faces" doc:"its messages may have a name and a picture of their own"`
	CreatedBy wire.User  `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	RenewedAt *time.Time `json:"renewed_at,omitempty"`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"when it last posted, to about a minute"`
	FailedAt  *time.Time `json:"failed_at,omitempty" doc:"when a request was last refused, to about a minute"`
	Failure   string     `json:"failure,omitempty" doc:"what was wrong with it"`
}

type hookOutput struct{ Body hookBody }

func (s *Service) shown(h domain.Hook) hookBody {
	u := wire.FromUser(h.User)
	out := hookBody{ID: h.ID, Name: u.DisplayName, Avatar: u.Avatar, Faces: h.Faces, CreatedBy: wire.FromUser(h.CreatedBy),
		CreatedAt: h.CreatedAt, Failure: h.Failure}
	for to, at := range map[**time.Time]time.Time{&out.RenewedAt: h.RenewedAt, &out.UsedAt: h.UsedAt,
		&out.FailedAt: h.FailedAt} {
		if !at.IsZero() {
			*to = &at
		}
	}
	if h.Secret != "" {
		out.URL = s.URL + httpx.HookPath + h.Secret
	}
	return out
}

func (s *Service) answer(h domain.Hook, err error) (*hookOutput, error) {
	if err != nil {
		return nil, err
	}
	return &hookOutput{s.shown(h)}, nil
}

func (s *Service) getHooks(ctx context.Context, in *OfRoom) (*struct {
	Body struct {
		Items []hookBody `json:"items" nullable:"false"`
	}
}, error) {
	all, err := s.Hooks(ctx, httpx.Principal(ctx), in.Room)
	if err != nil {
		return nil, err
	}
	var out struct {
		Body struct {
			Items []hookBody `json:"items" nullable:"false"`
		}
	}
	out.Body.Items = make([]hookBody, len(all))
	for i, h := range all {
		out.Body.Items[i] = s.shown(h)
	}
	return &out, nil
}

func (s *Service) postHook(ctx context.Context, in *struct {
	OfRoom
	Body struct {
		Name  string `json:"name" doc:"under which it posts" example:"Grafana"`
		Faces *bool  `json:"faces,omitempty" doc:"its messages may have a name and a picture of their own; absent: they may"`
	}
}) (*hookOutput, error) {
	faces := in.Body.Faces == nil || *in.Body.Faces
	return s.answer(s.Create(ctx, httpx.Principal(ctx), in.Room, in.Body.Name, faces))
}

func (s *Service) patchHook(ctx context.Context, in *struct {
	OfHook
	Body struct {
		Faces bool `json:"faces" doc:"its messages may have a name and a picture of their own"`
	}
}) (*hookOutput, error) {
	return s.answer(s.SetFaces(ctx, httpx.Principal(ctx), in.Room, in.Hook, in.Body.Faces))
}

func (s *Service) renewHook(ctx context.Context, in *OfHook) (*hookOutput, error) {
	return s.answer(s.Renew(ctx, httpx.Principal(ctx), in.Room, in.Hook))
}

func (s *Service) putAvatar(ctx context.Context, in *struct {
	OfHook
	RawBody []byte `contentType:"image/*"`
}) (*hookOutput, error) {
	return s.answer(s.SetPicture(ctx, httpx.Principal(ctx), in.Room, in.Hook, in.RawBody))
}

func (s *Service) deleteAvatar(ctx context.Context, in *OfHook) (*hookOutput, error) {
	return s.answer(s.SetPicture(ctx, httpx.Principal(ctx), in.Room, in.Hook, nil))
}

func (s *Service) deleteHook(ctx context.Context, in *OfHook) (*struct{}, error) {
	return nil, s.Remove(ctx, httpx.Principal(ctx), in.Room, in.Hook)
}
