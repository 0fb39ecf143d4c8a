package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/wire"
)

// world is a store, a chat service and an authenticator in memory: enough to
// hold what the gateway promises against.
type world struct {
	bus *bus.Local

	mu    sync.Mutex
	logs  map[string][]domain.Event
	in    map[string]map[string]bool // room, user
	lose  bool                       // the bus loses what is published
	fail  error                      // of every read
	blind error                      // of every replay
	hang  chan struct{}              // replays of the room "slow", until it is closed
	ended map[string]bool            // sessions
	muted map[string]bool            // users, everywhere
}

func newWorld() *world {
	return &world{bus: bus.NewLocal(), logs: map[string][]domain.Event{}, in: map[string]map[string]bool{},
		ended: map[string]bool{}, muted: map[string]bool{}}
}

// Tokens are "user", "user/session" or "user/session/seconds that are left".
func (w *world) Authenticate(_ context.Context, token string) (domain.Principal, error) {
	parts := strings.Split(token, "/")
	p := domain.Principal{ID: parts[0], Kind: domain.KindUser, Epoch: 1}
	if len(parts) > 1 {
		p.SessionID = parts[1]
	}
	if len(parts) > 2 {
		d, _ := time.ParseDuration(parts[2])
		p.Expires = time.Now().Add(d)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if token == "bad" || w.ended[p.SessionID] {
		return p, domain.Unauthorized.Errorf(domain.CodeBadToken, "this token is not valid")
	}
	return p, nil
}

func ref(user string) domain.UserRef {
	return domain.UserRef{ID: user, Kind: domain.KindUser, Username: user, DisplayName: user}
}

func (w *world) UsersByID(_ context.Context, ids []string) (us []domain.User, _ error) {
	for _, id := range ids {
		us = append(us, domain.User{ID: id, Kind: domain.KindUser, Username: id, DisplayName: id, Role: domain.SystemUser})
	}
	return us, nil
}

func (w *world) state(room string) domain.RoomState {
	return domain.RoomState{
		Room: domain.Room{ID: room, Kind: domain.PublicRoom, Name: room, Head: int64(len(w.logs[room])),
			Members: len(w.in[room])},
		Role: domain.RegularMember,
	}
}

func (w *world) SharesRoom(_ context.Context, user string, others []string) (ids []string, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range others {
		for _, members := range w.in {
			if members[user] && members[other] {
				ids = append(ids, other)
				break
			}
		}
	}
	return ids, nil
}

func (w *world) Greeting(_ context.Context, user string) (g domain.Greeting, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for room, in := range w.in {
		if in[user] {
			g.Rooms = append(g.Rooms, w.state(room))
		}
	}
	slices.SortFunc(g.Rooms, func(a, b domain.RoomState) int { return strings.Compare(a.Room.ID, b.Room.ID) })
	return g, w.fail
}

func (w *world) RoomState(_ context.Context, user, room string) (domain.RoomState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.in[room][user] {
		return domain.RoomState{}, domain.ErrNoRoom()
	}
	return w.state(room), w.fail
}

func (w *world) JoinedSince(context.Context, time.Time) (ms []domain.Member, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for room, in := range w.in {
		for user := range in {
			ms = append(ms, domain.Member{Room: room, User: ref(user)})
		}
	}
	return ms, w.fail
}

func (w *world) Replay(_ context.Context, v domain.View, after int64, limit int) ([]domain.Event, error) {
	w.mu.Lock()
	hang := w.hang
	w.mu.Unlock()
	if hang != nil && v.Room == "slow" {
		<-hang
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.blind != nil {
		return nil, w.blind
	}
	log := w.logs[v.Room]
	if w.fail != nil || int(after) >= len(log) {
		return nil, w.fail
	}
	return slices.Clone(log[after:min(int(after)+limit, len(log))]), nil
}

func (w *world) Heads(_ context.Context, rooms []string) (map[string]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heads := make(map[string]int64)
	for _, r := range rooms {
		if _, ok := w.in[r]; ok {
			heads[r] = int64(len(w.logs[r]))
		}
	}
	return heads, w.fail
}

// add appends an event and tells the bus, as the chat service does.
func (w *world) add(room string, e domain.Event) domain.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.Room, e.Seq, e.At = room, int64(len(w.logs[room])+1), time.Now()
	if e.Message != nil && e.Message.Seq == 0 {
		e.Message.Room, e.Message.Seq = room, e.Seq
	}
	w.logs[room] = append(w.logs[room], e)
	if w.lose {
		return e
	}
	b, err := wire.PackEvent(e)
	if err != nil {
		panic(err)
	}
	w.bus.Publish(wire.RoomSubject(room), b)
	return e
}

func (w *world) join(user, room string) {
	w.mu.Lock()
	if w.in[room] == nil {
		w.in[room] = map[string]bool{}
	}
	w.in[room][user] = true
	w.mu.Unlock()
	s := ref(user)
	e := w.add(room, domain.Event{Type: domain.MemberJoined, Actor: s, Subject: &s})
	frame, _ := json.Marshal(wire.InRoom{Room: room})
	b, _ := wire.Pack(wire.Header{Seq: e.Seq, Type: string(domain.MemberJoined), Subject: user}, frame)
	if w.loses() {
		return
	}
	w.bus.Publish(wire.UserSubject(user), b)
}

func (w *world) loses() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lose
}

func (w *world) kick(user, room string) {
	w.mu.Lock()
	delete(w.in[room], user)
	w.mu.Unlock()
	s := ref(user)
	w.add(room, domain.Event{Type: domain.MemberKicked, Actor: ref("admin"), Subject: &s})
}

func (w *world) set(do func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do(w)
}

func (w *world) say(user, room, text string) domain.Event {
	return w.add(room, domain.Event{Type: domain.MessageCreated, Actor: ref(user),
		Message: &domain.Message{Sender: ref(user), Text: text, At: time.Now()}})
}

func (w *world) Send(_ context.Context, p domain.Principal, d domain.Draft) (domain.Event, error) {
	w.mu.Lock()
	in := w.in[d.Room][p.ID]
	w.mu.Unlock()
	if !in {
		return domain.Event{}, domain.ErrNoRoom()
	}
	return w.say(p.ID, d.Room, d.Text), nil
}

func (w *world) React(_ context.Context, p domain.Principal, r domain.Reacting) (wire.Reacted, error) {
	e := w.add(r.Room, domain.Event{Type: domain.ReactionAdded, Actor: ref(p.ID),
		Payload: domain.ReactionAddedPayload{Of: r.Seq, Emoji: r.Emoji}})
	return wire.Reacted{Seq: e.Seq}, nil
}

func (w *world) MayWrite(_ context.Context, p domain.Principal, room string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.muted[p.ID] || !w.in[room][p.ID] {
		return domain.Forbidden.Errorf(domain.CodeMuted, "you are muted in this room")
	}
	return nil
}

func (w *world) Edit(_ context.Context, p domain.Principal, room string, seq int64, text string) (domain.Event, error) {
	return w.add(room, domain.Event{Type: domain.MessageEdited, Actor: ref(p.ID),
		Message: &domain.Message{Room: room, Seq: seq, Sender: ref(p.ID), Text: text}}), nil
}

func (w *world) Delete(_ context.Context, p domain.Principal, room string, seq int64) (domain.Event, error) {
	return w.add(room, domain.Event{Type: domain.MessageDeleted, Actor: ref(p.ID),
		Message: &domain.Message{Room: room, Seq: seq, Sender: ref(p.ID)}}), nil
}

func (w *world) MarkRead(
	_ context.Context, _ domain.Principal, room string, seq int64, _ bool,
) (domain.ReadMark, error) {
	return domain.ReadMark{Room: room, Seq: seq, Unread: domain.Unread{Messages: 1}}, nil
}

func (w *world) MarkThread(
	_ context.Context, _ domain.Principal, room string, root, seq int64,
) (domain.ThreadState, error) {
	return domain.ThreadState{Room: room, Root: root, Read: seq}, nil
}

// watched stands in for the presence service.
type watched struct {
	mu        sync.Mutex
	connected map[string]func([]byte)
	active    map[string]bool
	left      []string
}

func (p *watched) Connect(conn string, _ domain.User, deliver func([]byte)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connected[conn] = deliver
}

func (p *watched) Disconnect(conn string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.connected, conn)
}

func (p *watched) SetActive(conn string, active bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active[conn] = active
}

func (p *watched) OnLeft(_ context.Context, user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = append(p.left, user)
}

func (p *watched) Watch(_ context.Context, _ string, users []string) (ps []domain.Presence, _ error) {
	for _, u := range users {
		ps = append(ps, domain.Presence{User: u, Is: domain.Online})
	}
	return ps, nil
}

// noReadings takes none.
type noReadings struct{}

func (noReadings) Report(context.Context, domain.Principal, wire.Report) (wire.Reported, error) {
	return wire.Reported{}, nil
}

func (noReadings) Watch(
	context.Context, string, domain.Principal, []string, func([]byte),
) ([]wire.DeviceReadings, error) {
	return nil, nil
}

func (noReadings) Unwatch(string) {}

// noSettings has none for any device.
type noSettings struct{ Settings }

func (noSettings) Attach(context.Context, string, func(domain.Shadow)) (detach func()) {
	return func() {}
}

// noCommands has none for any device.
type noCommands struct{ Commands }

func (noCommands) Attach(context.Context, string, func(domain.Command)) (detach func()) {
	return func() {}
}

// node is a gateway behind a real listener.
type node struct {
	*world
	g        *Service
	presence *watched
	url      string
	stop     func() // ends Run and waits
}

func start(t testing.TB, w *world, change func(*Deps)) *node {
	t.Helper()
	n := &node{world: w, presence: &watched{connected: map[string]func([]byte){}, active: map[string]bool{}}}
	d := Deps{
		Auth: w, Chat: w, Rooms: w, RoomLog: w, Users: w, Presence: n.presence, Readings: noReadings{},
		Commands: noCommands{}, Settings: noSettings{}, Bus: w.bus, Log: slog.New(slog.DiscardHandler), Version: "test",
	}
	if change != nil {
		change(&d)
	}
	d.Hub = hub.New(hub.Deps{
		Rooms: w, RoomLog: w, Presence: n.presence, Bus: w.bus, Log: d.Log, Now: d.Now,
	})
	n.g = New(d)
	srv := httptest.NewServer(n.g)
	n.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	ctx, cancel := context.WithCancel(context.Background())
	hubCtx, stopHub := context.WithCancel(context.Background())
	var gateway, hub sync.WaitGroup
	gateway.Go(func() {
		if err := n.g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	hub.Go(func() {
		if err := n.g.Hub.Run(hubCtx); err != nil {
			t.Error(err)
		}
	})
	n.stop = sync.OnceFunc(func() {
		cancel()
		gateway.Wait()
		stopHub()
		hub.Wait()
		srv.Close()
	})
	t.Cleanup(n.stop)
	return n
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}
