package presence

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes registers the REST operations.
func (s *Service) Routes(api huma.API) {
	httpx.Register(api, huma.Operation{
		OperationID: "get-presence", Method: http.MethodGet, Path: "/presence", Tags: []string{"presence"},
		Security: httpx.Bearer,
		Summary:  "Who is there",
		Description: "People who share no room with the caller are left out. To be told of changes, send `presence.watch` " +
			"on the WebSocket.",
	}, s.getPresence)
}

type getPresence struct {
	Users string `query:"users" required:"true" maxLength:"32000" doc:"User ids, separated by commas; at most 500."`
}

type presences struct{ Body wire.Presences }

func (s *Service) getPresence(ctx context.Context, in *getPresence) (*presences, error) {
	ids := strings.Split(in.Users, ",")
	if len(ids) > MaxWatched {
		return nil, domain.InvalidField("?users", "at most %d people at once", MaxWatched)
	}
	ps, err := s.Presences(ctx, httpx.Principal(ctx).ID, ids)
	if err != nil {
		return nil, err
	}
	out := &presences{wire.Presences{Users: make([]wire.Presence, len(ps))}}
	for i, p := range ps {
		out.Body.Users[i] = wire.FromPresence(p)
	}
	return out, nil
}
