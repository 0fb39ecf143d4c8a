package notify

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"notifications"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("get-notifications", "GET", "/notifications", "What you want to be told of", 200), s.get)
	httpx.Register(api, op("set-notifications", "PUT", "/notifications", "Choose what you want to be told of", 200), s.put)
	httpx.Register(api, op("get-digest", "GET", "/notifications/digest",
		"When you get a mail that sums up what you missed", 200), s.getDigest)
	httpx.Register(api, op("set-digest", "PUT", "/notifications/digest",
		"Choose when you get a mail that sums up what you missed", 200), s.putDigest)
	end := op("end-digests", "POST", "/notifications/digest/unsubscribe",
		"End the digests of whom a link in one is for, in one click (RFC 8058)", 204)
	end.Security = nil
	httpx.Register(api, end, s.endDigests)
	open := op("open-end-digests", "GET", "/notifications/digest/unsubscribe",
		"Go to the page that asks whether to end digests, from mail programs without one click", 303)
	open.Security = nil
	httpx.Register(api, open, s.openEndDigests)
	httpx.Register(api, op("set-room-notifications", "PUT", "/rooms/{room}/notifications",
		"Choose what you want to be told of a room, or of a thread in it", 200), s.putRoom)
	httpx.Register(api, op("list-subscriptions", "GET", "/push", "Your browsers and apps that get pushes", 200), s.list)
	httpx.Register(api, op("subscribe", "POST", "/push/subscriptions",
		"Have pushes sent to the browser or app of this session, until the session ends", 201), s.post)
	httpx.Register(api, op("unsubscribe", "DELETE", "/push/subscriptions/{subscription}",
		"Send no more pushes to a browser or app", 204), s.delete)
}

type notifications struct{ Body wire.Notifications }

func answer(n wire.Notifications, err error) (*notifications, error) {
	if err != nil {
		return nil, err
	}
	return &notifications{n}, nil
}

func (s *Service) get(ctx context.Context, _ *struct{}) (*notifications, error) {
	return answer(s.Settings(ctx, httpx.Principal(ctx)))
}

func (s *Service) put(ctx context.Context, in *struct{ Body wire.NotifySettings }) (*notifications, error) {
	return answer(s.PutSettings(ctx, httpx.Principal(ctx), in.Body.Value()))
}

type digest struct{ Body wire.Digest }

func digestOf(d wire.Digest, err error) (*digest, error) {
	if err != nil {
		return nil, err
	}
	return &digest{d}, nil
}

func (s *Service) getDigest(ctx context.Context, _ *struct{}) (*digest, error) {
	return digestOf(s.Digest(ctx, httpx.Principal(ctx)))
}

func (s *Service) putDigest(ctx context.Context, in *struct{ Body wire.DigestSettings }) (*digest, error) {
	return digestOf(s.PutDigest(ctx, httpx.Principal(ctx), in.Body.Value()))
}

func (s *Service) endDigests(ctx context.Context, in *struct {
	Token string `query:"token" required:"true" maxLength:"128" doc:"of the link in a digest"`
	// Mail programs send a form, of either type; it says nothing that matters.
	RawBody []byte `contentType:"application/octet-stream"`
}) (*struct{}, error) {
	return nil, s.EndDigests(ctx, in.Token)
}

func (s *Service) openEndDigests(_ context.Context, in *struct {
	Token string `query:"token" required:"true" maxLength:"128" doc:"of the link in a digest"`
}) (*struct {
	Location string `header:"Location"`
}, error) {
	return &struct {
		Location string `header:"Location"`
	}{s.endPage(in.Token)}, nil
}

func (s *Service) putRoom(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
	Body struct {
		Thread int64  `json:"thread,omitempty" minimum:"0" doc:"seq of its first message; absent: of the room"`
		Level  string `json:"level,omitempty" enum:"all,mentions,nothing" doc:"absent: as the room, or the account"`
	}
}) (*notifications, error) {
	return answer(s.Choose(ctx, httpx.Principal(ctx), domain.NotifyChoice{Room: in.Room, Thread: in.Body.Thread,
		Level: domain.NotifyLevel(in.Body.Level)}))
}

// PushSubscription is a browser or app as its user sees it.
type PushSubscription struct {
	ID        string     `json:"id"`
	Current   bool       `json:"current,omitempty" doc:"it is of this session"`
	Service   string     `json:"service" doc:"host of its push service"`
	UserAgent string     `json:"user_agent,omitempty"`
	Device    string     `json:"device" example:"Firefox on Linux"`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at,omitempty" doc:"when its push service took the last push"`
	FailedAt  *time.Time `json:"failed_at,omitempty" doc:"since when its push service takes none"`
	Failure   string     `json:"failure,omitempty" doc:"why"`
}

func shown(sub domain.Subscription, session string) PushSubscription {
	v := PushSubscription{ID: sub.ID, Current: sub.Session == session, UserAgent: sub.Name, CreatedAt: sub.CreatedAt,
		Device: domain.DeviceLabel(sub.Name), Service: hostOf(sub.Endpoint), Failure: sub.Failure}
	if !sub.SentAt.IsZero() {
		v.SentAt = &sub.SentAt
	}
	if !sub.FailedAt.IsZero() {
		v.FailedAt = &sub.FailedAt
	}
	return v
}

type subscriptions struct {
	Body struct {
		Key   string             `json:"key" doc:"applicationServerKey of new subscriptions, in base64url"`
		Items []PushSubscription `json:"items" nullable:"false"`
	}
}

func (s *Service) list(ctx context.Context, _ *struct{}) (*subscriptions, error) {
	p := httpx.Principal(ctx)
	if p.Kind != domain.KindUser {
		return nil, errPeopleOnly()
	}
	all, err := s.Store.Subscriptions(ctx, p.ID, s.Now())
	if err != nil {
		return nil, err
	}
	out := &subscriptions{}
	out.Body.Key, out.Body.Items = s.Sender.PublicKey(), make([]PushSubscription, len(all))
	for i, sub := range all {
		out.Body.Items[i] = shown(sub, p.SessionID)
	}
	return out, nil
}

func (s *Service) post(ctx context.Context, in *struct {
	Body struct {
		Endpoint string `json:"endpoint" maxLength:"2048" example:"https://push.example.org/x" doc:"as the browser gives it"`
		P256DH   string `json:"p256dh" maxLength:"128" doc:"public key of the receiver, in base64url"`
		Auth     string `json:"auth" maxLength:"64" doc:"secret of the receiver, in base64url"`
	}
}) (*struct{ Body PushSubscription }, error) {
	p := httpx.Principal(ctx)
	sub := domain.Subscription{Endpoint: in.Body.Endpoint}
	for pointer, c := range map[string]struct {
		text string
		to   *[]byte
	}{"/p256dh": {in.Body.P256DH, &sub.Key}, "/auth": {in.Body.Auth, &sub.Auth}} {
		var err error
		if *c.to, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(c.text, "=")); err != nil {
			return nil, domain.InvalidField(pointer, "this is not base64url")
		}
	}
	sub, err := s.Subscribe(ctx, p, sub)
	if err != nil {
		return nil, err
	}
	sub.Name = httpx.UserAgent(ctx)
	return &struct{ Body PushSubscription }{shown(sub, p.SessionID)}, nil
}

func (s *Service) delete(ctx context.Context, in *struct {
	Subscription string `path:"subscription" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.Store.Unsubscribe(ctx, httpx.Principal(ctx).ID, in.Subscription)
}
