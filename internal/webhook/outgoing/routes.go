package outgoing

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
		return huma.Operation{OperationID: id, Method: method, Path: "/rooms/{room}/outgoing-hooks" + path,
			Tags: []string{"webhooks"}, Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("list-outgoing-hooks", "GET", "", "The addresses to which a room's events are sent", 200),
		s.getHooks)
	httpx.Register(api, op("create-outgoing-hook", "POST", "", "Have a room's events sent to an address", 201), s.postHook)
	httpx.Register(api, op("update-outgoing-hook", "PATCH", "/{outgoing}",
		"Change what a webhook sends, and where to; switch it on or off", 200), s.patchHook)
	httpx.Register(api, op("rotate-outgoing-hook", "POST", "/{outgoing}/secret",
		"Give a webhook another secret; for a day it signs by both", 200), s.rotateHook)
	httpx.Register(api, op("delete-outgoing-hook", "DELETE", "/{outgoing}",
		"Remove a webhook, with what it had still to send", 204), s.deleteHook)
	httpx.Register(api, op("test-outgoing-hook", "POST", "/{outgoing}/test", "Send something that tells of no event", 202),
		s.postTest)
	httpx.Register(api, op("list-hook-deliveries", "GET", "/{outgoing}/deliveries",
		"What a webhook has to send, and has sent; the newest first", 200), s.getDeliveries)
	httpx.Register(api, op("redeliver-hook", "POST", "/{outgoing}/deliveries/{delivery}",
		"Send a delivery that has ended once more", 202), s.postDelivery)
	s.slashRoutes(api)
	s.serverRoutes(api)
}

// OfRoom is the input of operations on the outgoing webhooks of a room.
type OfRoom struct {
	Room string `path:"room" maxLength:"64"`
}

// OfHook is the input of operations on an outgoing webhook.
type OfHook struct {
	OfRoom
	Outgoing string `path:"outgoing" maxLength:"64"`
}

// outHookBody is an outgoing webhook as the API shows it.
type outHookBody struct {
	ID        string             `json:"id"`
	Name      string             `json:"name"`
	URL       string             `json:"url"`
	Events    []domain.EventType `json:"events" nullable:"false" doc:"types of events that it sends"`
	Programs  bool               `json:"programs" doc:"whether it also sends what bots and webhooks do"`
	Secret    string             `json:"secret,omitempty" doc:"checks signatures; shown once, when it is made or replaced"`
	CreatedBy wire.User          `json:"created_by" doc:"who made it, or switched it on last"`
	CreatedAt time.Time          `json:"created_at"`
	RotatedAt *time.Time         `json:"rotated_at,omitempty" doc:"when its secret was replaced"`
	Off       domain.HookOff     `json:"off,omitempty" enum:"admin,failed,gone,left" doc:"why it sends nothing; absent: it does"`
	SentAt    *time.Time         `json:"sent_at,omitempty" doc:"when the receiver last took something"`
	FailedAt  *time.Time         `json:"failed_at,omitempty" doc:"since when the receiver takes nothing; absent: it does"`
	Failure   string             `json:"failure,omitempty" doc:"what was wrong last"`
	DueAt     *time.Time         `json:"due_at,omitempty" doc:"when it is tried next"`
	Waiting   int                `json:"waiting" doc:"deliveries that wait"`
}

type outHookOutput struct{ Body outHookBody }

// outHookPage is the answer with all outgoing webhooks of a room.
type outHookPage struct {
	Body struct {
		Items []outHookBody `json:"items" nullable:"false"`
	}
}

func optional(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func shown(h domain.OutHook) outHookBody {
	return outHookBody{ID: h.ID, Name: h.User.DisplayName, URL: h.URL, Events: h.Types, Programs: h.Programs,
		Secret: h.Secret, CreatedBy: wire.FromUser(h.CreatedBy), CreatedAt: h.CreatedAt, RotatedAt: optional(h.RotatedAt),
		Off: h.Off, SentAt: optional(h.SentAt), FailedAt: optional(h.FailedAt), Failure: h.Failure, DueAt: optional(h.DueAt),
		Waiting: h.Waiting}
}

func answer(h domain.OutHook, err error) (*outHookOutput, error) {
	if err != nil {
		return nil, err
	}
	return &outHookOutput{shown(h)}, nil
}

func (s *Service) getHooks(ctx context.Context, in *OfRoom) (*outHookPage, error) {
	all, err := s.Hooks(ctx, httpx.Principal(ctx), in.Room)
	if err != nil {
		return nil, err
	}
	var out outHookPage
	out.Body.Items = make([]outHookBody, len(all))
	for i, h := range all {
		out.Body.Items[i] = shown(h)
	}
	return &out, nil
}

func (s *Service) postHook(ctx context.Context, in *struct {
	OfRoom
	Body struct {
		Name     string             `json:"name" doc:"under which members of the room see it" example:"Ticket system"`
		URL      string             `json:"url" example:"https://tickets.example.org/chat"`
		Events   []domain.EventType `json:"events,omitempty" maxItems:"100" doc:"types of events; absent: new messages"`
		Programs bool               `json:"programs,omitempty" doc:"also what bots and webhooks do"`
	}
}) (*outHookOutput, error) {
	b := in.Body
	if b.Events == nil {
		b.Events = []domain.EventType{domain.MessageCreated}
	}
	return answer(s.Create(ctx, httpx.Principal(ctx), domain.OutHook{Room: in.Room, URL: b.URL, Types: b.Events,
		Programs: b.Programs, User: domain.UserRef{DisplayName: b.Name}}))
}

func (s *Service) patchHook(ctx context.Context, in *struct {
	OfHook
	Body struct {
		URL      *string            `json:"url,omitempty"`
		Events   []domain.EventType `json:"events,omitempty" maxItems:"100"`
		Programs *bool              `json:"programs,omitempty"`
		On       *bool              `json:"on,omitempty" doc:"whether it sends; what happened while it did not is not sent"`
	}
}) (*outHookOutput, error) {
	b := in.Body
	return answer(s.Change(ctx, httpx.Principal(ctx), in.Room, in.Outgoing,
		Change{URL: b.URL, Types: b.Events, Programs: b.Programs, On: b.On}))
}

func (s *Service) rotateHook(ctx context.Context, in *OfHook) (*outHookOutput, error) {
	return answer(s.Rotate(ctx, httpx.Principal(ctx), in.Room, in.Outgoing))
}

func (s *Service) deleteHook(ctx context.Context, in *OfHook) (*struct{}, error) {
	return nil, s.Remove(ctx, httpx.Principal(ctx), in.Room, in.Outgoing)
}

func (s *Service) postTest(ctx context.Context, in *OfHook) (*struct{}, error) {
	return nil, s.Test(ctx, httpx.Principal(ctx), in.Room, in.Outgoing)
}

// deliveryBody is a delivery as the API shows it.
type deliveryBody struct {
	ID       string               `json:"id" doc:"the header webhook-id, the same for each attempt"`
	Seq      int64                `json:"seq,omitempty" doc:"number of the event in the room; absent: a test"`
	Type     domain.EventType     `json:"type"`
	At       time.Time            `json:"at" doc:"of the event"`
	State    domain.DeliveryState `json:"state" enum:"waiting,delivered,failed,dropped"`
	Tries    int                  `json:"tries"`
	TriedAt  *time.Time           `json:"tried_at,omitempty" doc:"when it was last tried"`
	Duration int64                `json:"duration_ms,omitempty" doc:"milliseconds of the last attempt"`
	Status   int                  `json:"status,omitempty" doc:"of the answer; absent: there was none"`
	Answer   string               `json:"answer,omitempty" doc:"its first 512 bytes, as text of one line"`
	Failure  string               `json:"failure,omitempty" doc:"what was wrong"`
}

func (s *Service) getDeliveries(ctx context.Context, in *OfHook) (*struct {
	Body struct {
		Items []deliveryBody `json:"items" nullable:"false"`
	}
}, error) {
	all, err := s.Deliveries(ctx, httpx.Principal(ctx), in.Room, in.Outgoing)
	if err != nil {
		return nil, err
	}
	var out struct {
		Body struct {
			Items []deliveryBody `json:"items" nullable:"false"`
		}
	}
	out.Body.Items = make([]deliveryBody, len(all))
	for i, d := range all {
		out.Body.Items[i] = deliveryBody{ID: d.ID, Seq: d.Seq, Type: d.Type, At: d.At, State: d.State, Tries: d.Tries,
			TriedAt: optional(d.TriedAt), Duration: d.Duration.Milliseconds(), Status: d.Status, Answer: d.Answer,
			Failure: d.Failure}
	}
	return &out, nil
}

func (s *Service) postDelivery(ctx context.Context, in *struct {
	OfHook
	Delivery string `path:"delivery" maxLength:"128"`
}) (*struct{}, error) {
	return nil, s.Redeliver(ctx, httpx.Principal(ctx), in.Room, in.Outgoing, in.Delivery)
}
