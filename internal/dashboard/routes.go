package dashboard

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
	httpx.Register(api, huma.Operation{
		OperationID: "post-chart", Method: "POST", Path: "/rooms/{room}/charts", Tags: []string{"devices"},
		Security: httpx.Bearer, DefaultStatus: 201,
		Summary: "Post a chart of a device that is in the room; the same key gives the same chart",
	}, s.postChart)
}

// InRoom is the input of operations in a room.
type InRoom struct {
	Room string `path:"room" maxLength:"64"`
}

func (s *Service) postChart(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Key    string   `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
		Device string   `json:"device" maxLength:"64"`
		Series []string `json:"series,omitempty" maxItems:"4" doc:"no texts; absent: the first four, by name"`
		Span   int      `json:"span,omitempty" minimum:"60" maximum:"31622400" doc:"seconds up to now; absent: a day"`
	}
}) (*struct{ Body wire.Event }, error) {
	b := in.Body
	e, err := s.PostChart(ctx, httpx.Principal(ctx), domain.NewChart{
		Room: in.Room, Device: b.Device, Key: b.Key, Series: b.Series, Span: time.Duration(b.Span) * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.Event }{wire.FromEvent(e)}, nil
}
