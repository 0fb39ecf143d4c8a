package bot

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
	httpx.Register(api, op("list-bots", "GET", "/bots", "Your bots and their tokens", 200), s.getBots)
	httpx.Register(api, op("create-bot", "POST", "/bots", "Make a bot with a token", 201), s.postBot)
	httpx.Register(api, op("delete-bot", "DELETE", "/bots/{bot}", "Delete a bot; what it wrote stays", 204), s.deleteBot)
	httpx.Register(api, op("create-bot-token", "POST", "/bots/{bot}/tokens", "Make one more token of a bot", 201),
		s.postToken)
	httpx.Register(api, op("revoke-bot-token", "DELETE", "/bots/{bot}/tokens/{token}", "End a token", 204), s.deleteToken)
	events := op("bot-events", "GET", "/bot/events",
		"What others did in the rooms of the bot whose token this is; waits for something", 200)
	events.Metadata = httpx.ForBots()
	httpx.Register(api, events, s.getEvents)
	send := op("bot-send", "POST", "/bot/messages", "Write as the bot whose token this is; the same key gives the same "+
		"message", 201)
	send.Metadata = httpx.ForBots()
	httpx.Register(api, send, s.postMessage)
}

// OfBot is the input of operations on a bot.
type OfBot struct {
	Bot string `path:"bot" maxLength:"64"`
}

// NewBotToken is what a new token is to allow.
type NewBotToken struct {
	Name   string   `json:"name,omitempty" doc:"for you, such as where it is used"`
	Scopes []string `json:"scopes" enum:"read,write,files,manage" minItems:"1" nullable:"false"`
	Rooms  []string `json:"rooms,omitempty" maxItems:"100" doc:"ids; absent: all rooms that the bot is in"`
}

func (n NewBotToken) token() domain.BotToken {
	k := domain.BotToken{Name: n.Name}
	if len(n.Rooms) > 0 {
		k.Rooms = n.Rooms
	}
	for _, scope := range n.Scopes {
		switch domain.BotScope(scope) {
		case domain.ScopeRead:
			k.Read = true
		case domain.ScopeWrite:
			k.Write = true
		case domain.ScopeFiles:
			k.Files = true
		case domain.ScopeManage:
			k.Manage = true
		}
	}
	return k
}

type tokenBody struct {
	ID        string     `json:"id"`
	Name      string     `json:"name,omitempty"`
	Secret    string     `json:"secret,omitempty" doc:"the token; shown once, when it is made"`
	Scopes    []string   `json:"scopes" enum:"read,write,files,manage" nullable:"false"`
	Rooms     []string   `json:"rooms,omitempty" doc:"absent: all rooms that the bot is in"`
	CreatedAt time.Time  `json:"created_at"`
	UsedAt    *time.Time `json:"used_at,omitempty" doc:"to about a minute; absent: never"`
}

type botBody struct {
	User      wire.User   `json:"user"`
	CreatedAt time.Time   `json:"created_at"`
	Tokens    []tokenBody `json:"tokens" nullable:"false"`
}

func shownToken(k domain.BotToken) tokenBody {
	out := tokenBody{ID: k.ID, Name: k.Name, Secret: k.Secret, Scopes: []string{}, Rooms: k.Rooms, CreatedAt: k.CreatedAt}
	for _, scope := range k.Scopes() {
		out.Scopes = append(out.Scopes, string(scope))
	}
	if !k.UsedAt.IsZero() {
		out.UsedAt = &k.UsedAt
	}
	return out
}

func shown(b domain.Bot) botBody {
	out := botBody{User: wire.FromUser(b.User), CreatedAt: b.CreatedAt, Tokens: make([]tokenBody, len(b.Tokens))}
	for i, k := range b.Tokens {
		out.Tokens[i] = shownToken(k)
	}
	return out
}

type botList struct {
	Items []botBody `json:"items" nullable:"false"`
}

func (s *Service) getBots(ctx context.Context, _ *struct{}) (*struct{ Body botList }, error) {
	all, err := s.Store.Bots(ctx, httpx.Principal(ctx).ID)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body botList }{botList{make([]botBody, len(all))}}
	for i, b := range all {
		out.Body.Items[i] = shown(b)
	}
	return out, nil
}

func (s *Service) postBot(ctx context.Context, in *struct {
	Body struct {
		Username    string      `json:"username" example:"deploy"`
		DisplayName string      `json:"display_name,omitempty" doc:"absent: the username"`
		Token       NewBotToken `json:"token"`
	}
}) (*struct{ Body botBody }, error) {
	b := domain.Bot{User: domain.UserRef{Username: in.Body.Username, DisplayName: in.Body.DisplayName}}
	b, err := s.Create(ctx, httpx.Principal(ctx), b, in.Body.Token.token())
	if err != nil {
		return nil, err
	}
	return &struct{ Body botBody }{shown(b)}, nil
}

func (s *Service) deleteBot(ctx context.Context, in *OfBot) (*struct{}, error) {
	return nil, s.Delete(ctx, httpx.Principal(ctx), in.Bot)
}

func (s *Service) postToken(ctx context.Context, in *struct {
	OfBot
	Body NewBotToken
}) (*struct{ Body tokenBody }, error) {
	k, err := s.AddToken(ctx, httpx.Principal(ctx), in.Bot, in.Body.token())
	if err != nil {
		return nil, err
	}
	return &struct{ Body tokenBody }{shownToken(k)}, nil
}

func (s *Service) deleteToken(ctx context.Context, in *struct {
	OfBot
	Token string `path:"token" maxLength:"64"`
}) (*struct{}, error) {
	return nil, s.RevokeToken(ctx, httpx.Principal(ctx), in.Bot, in.Token)
}

type botEvents struct {
	Events []wire.Event `json:"events" nullable:"false"`
	Cursor string       `json:"cursor" doc:"for the next request, which says that these events are done with"`
}

func (s *Service) getEvents(ctx context.Context, in *struct {
	After string `query:"after" maxLength:"8192" doc:"the last cursor; absent: begin now"`
	Wait  int    `query:"wait" minimum:"0" maximum:"25" doc:"seconds to wait for something"`
}) (*struct{ Body botEvents }, error) {
	events, cursor, err := s.Events(ctx, httpx.Principal(ctx), in.After, time.Duration(in.Wait)*time.Second)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body botEvents }{botEvents{make([]wire.Event, len(events)), cursor}}
	for i, e := range events {
		out.Body.Events[i] = wire.FromEvent(e)
	}
	return out, nil
}

func (s *Service) postMessage(ctx context.Context, in *struct {
	Body struct {
		Room    string   `json:"room" maxLength:"64"`
		Key     string   `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as room:seq of what it answers"`
		Text    string   `json:"text,omitempty" example:"Tea is ready." doc:"may be absent beside files"`
		Files   []string `json:"files,omitempty" maxItems:"10" doc:"ids of files that the bot has uploaded for the room; this needs the scope files, too"`
		ReplyTo int64    `json:"reply_to,omitempty" doc:"seq of the message it answers"`
		Thread  int64    `json:"thread,omitempty" doc:"seq of the message whose thread it is a reply in"`
	}
}) (*struct{ Body wire.Sent }, error) {
	b := in.Body
	e, err := s.Send(ctx, httpx.Principal(ctx), domain.Draft{Room: b.Room, Key: b.Key, Text: b.Text, ReplyTo: b.ReplyTo,
		Thread: b.Thread, Files: b.Files})
	if err != nil {
		return nil, err
	}
	m := wire.FromMessage(*e.Message)
	return &struct{ Body wire.Sent }{wire.Sent{Seq: e.Seq, Message: &m}}, nil
}
