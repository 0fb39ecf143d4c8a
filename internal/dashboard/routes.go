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
	httpx.Register(api, huma.Operation{
		OperationID: "get-dashboard", Method: "GET", Path: "/rooms/{room}/dashboard", Tags: []string{"devices"},
		Security: httpx.Bearer, Summary: "What the members of a room have arranged of its devices",
	}, s.getDashboard)
	httpx.Register(api, huma.Operation{
		OperationID: "put-dashboard", Method: "PUT", Path: "/rooms/{room}/dashboard", Tags: []string{"devices"},
		Security: httpx.Bearer, Summary: "Arrange the dashboard of a room, of which you have seen a version",
	}, s.putDashboard)
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

// Tile is one part of a dashboard, as it is sent and shown.
type Tile struct {
	Kind   string `json:"kind" enum:"value,chart,switch,alarms"`
	Title  string `json:"title,omitempty" doc:"absent: what the device calls it"`
	Device string `json:"device,omitempty" maxLength:"64" doc:"of all but alarms, which are those of the room"`
	Series string `json:"series,omitempty" maxLength:"64" doc:"of a value or chart"`
	Action string `json:"action,omitempty" maxLength:"64" doc:"of a switch"`
	Span   int    `json:"span,omitempty" doc:"seconds, of a chart; absent: a day"`
	Wide   bool   `json:"wide,omitempty" doc:"as wide as the dashboard"`
}

// dashboardBody is a dashboard as the API shows it.
type dashboardBody struct {
	Version   int64      `json:"version" doc:"counts changes; 0: nobody has arranged it"`
	Tiles     []Tile     `json:"tiles" nullable:"false"`
	ChangedBy *wire.User `json:"changed_by,omitempty"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type dashboardOutput struct{ Body dashboardBody }

func shown(d domain.Dashboard, err error) (*dashboardOutput, error) {
	if err != nil {
		return nil, err
	}
	out := &dashboardOutput{dashboardBody{Version: d.Version, Tiles: make([]Tile, len(d.Tiles))}}
	for i, t := range d.Tiles {
		out.Body.Tiles[i] = Tile{Kind: string(t.Kind), Title: t.Title, Device: t.Device, Series: t.Series, Action: t.Action,
			Span: int(t.Span / time.Second), Wide: t.Wide}
	}
	if d.Version > 0 {
		by := wire.FromUser(d.ChangedBy)
		out.Body.ChangedBy, out.Body.ChangedAt = &by, &d.ChangedAt
	}
	return out, nil
}

func (s *Service) getDashboard(ctx context.Context, in *InRoom) (*dashboardOutput, error) {
	return shown(s.Dashboard(ctx, httpx.Principal(ctx), in.Room))
}

func (s *Service) putDashboard(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Version int64  `json:"version" minimum:"0" doc:"that you have seen"`
		Tiles   []Tile `json:"tiles" maxItems:"48" nullable:"false"`
	}
}) (*dashboardOutput, error) {
	d := domain.Dashboard{Room: in.Room, Version: in.Body.Version, Tiles: make([]domain.Tile, len(in.Body.Tiles))}
	for i, t := range in.Body.Tiles {
		d.Tiles[i] = domain.Tile{Kind: domain.TileKind(t.Kind), Title: t.Title, Device: t.Device, Series: t.Series,
			Action: t.Action, Span: domain.Seconds(t.Span), Wide: t.Wide}
	}
	return shown(s.Arrange(ctx, httpx.Principal(ctx), d))
}
