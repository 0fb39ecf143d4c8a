package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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
	"github.com/unhidra/unhidra/internal/ws"
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

func (w *world) RequestsWaiting(context.Context, string) (int, error) { return 0, nil }

func (w *world) RoomStates(_ context.Context, user string) (sts []domain.RoomState, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for room, in := range w.in {
		if in[user] {
			sts = append(sts, w.state(room))
		}
	}
	slices.SortFunc(sts, func(a, b domain.RoomState) int { return strings.Compare(a.Room.ID, b.Room.ID) })
	return sts, w.fail
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

func (w *world) Replay(_ context.Context, room string, after int64, limit int) ([]domain.Event, error) {
	w.mu.Lock()
	hang := w.hang
	w.mu.Unlock()
	if hang != nil && room == "slow" {
		<-hang
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.blind != nil {
		return nil, w.blind
	}
	log := w.logs[room]
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

func (w *world) MarkRead(_ context.Context, _ domain.Principal, room string, seq int64) (domain.ReadMark, error) {
	return domain.ReadMark{Room: room, Seq: seq, Unread: 1}, nil
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
		Auth: w, Chat: w, Rooms: w, RoomLog: w, Users: w, Presence: n.presence, Bus: w.bus,
		Log: slog.New(slog.DiscardHandler), Version: "test",
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

// peer is a client that speaks raw frames.
type peer struct {
	t   testing.TB
	nc  net.Conn
	buf []byte
	p   ws.Parser
	id  int
}

func (n *node) dial(t testing.TB, token string) *peer {
	t.Helper()
	nc, early, err := ws.Dial(t.Context(), n.url, nil, []string{"bearer", token}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &peer{t: t, nc: nc, buf: early, p: ws.Parser{Client: true, Max: 16 << 20}}
}

// enter dials and reads hello, with all its pages.
func (n *node) enter(t testing.TB, token string) (*peer, wire.Hello) {
	t.Helper()
	p := n.dial(t, token)
	var h wire.Hello
	p.expect(wire.TypeHello, &h)
	for more := h.More; more; {
		var page wire.Hello
		p.expect(wire.TypeHello, &page)
		h.Rooms, more = append(h.Rooms, page.Rooms...), page.More
	}
	return p, h
}

const patience = 10 * time.Second

// message returns the next message or control frame.
func (p *peer) message() (ws.Message, error) {
	_ = p.nc.SetReadDeadline(time.Now().Add(patience))
	for {
		m, n, _, err := p.p.Next(p.buf)
		if err != nil {
			return m, err
		}
		if n > 0 {
			m.Payload = slices.Clone(m.Payload)
			p.buf = p.buf[n:]
			return m, nil
		}
		var b [4096]byte
		k, err := p.nc.Read(b[:])
		if err != nil {
			return m, err
		}
		p.buf = append(slices.Clone(p.buf), b[:k]...)
	}
}

// frame is any frame from the server.
type frame struct {
	ID    string
	Type  string
	Data  json.RawMessage
	Error *wire.ErrorBody
}

func (p *peer) frame() frame {
	p.t.Helper()
	for {
		m, err := p.message()
		if err != nil {
			p.t.Fatalf("reading: %v", err)
		}
		switch m.Op {
		case ws.Text:
			var f frame
			if err := json.Unmarshal(m.Payload, &f); err != nil {
				p.t.Fatal(err)
			}
			return f
		case ws.Ping:
			p.write(ws.AppendMasked(nil, ws.Pong, m.Payload, [4]byte{1, 2, 3, 4}))
		default:
			p.t.Fatalf("got %#x %q, want a text frame", m.Op, m.Payload)
		}
	}
}

// expect reads one frame, of type typ.
func (p *peer) expect(typ string, data any) frame {
	p.t.Helper()
	f := p.frame()
	if f.Type != typ {
		p.t.Fatalf("got %s %s %+v, want %s", f.Type, f.Data, f.Error, typ)
	}
	if data != nil {
		if err := json.Unmarshal(f.Data, data); err != nil {
			p.t.Fatal(err)
		}
	}
	return f
}

// closed reads until the close frame and returns it.
func (p *peer) closed() (int, string) {
	p.t.Helper()
	for {
		m, err := p.message()
		if err != nil {
			p.t.Fatalf("the connection ended without a close frame: %v", err)
		}
		if m.Op == ws.Close {
			code, reason, err := ws.ParseClose(m.Payload)
			if err != nil {
				p.t.Fatal(err)
			}
			return code, reason
		}
	}
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) text(s string) {
	p.t.Helper()
	p.write(ws.AppendMasked(nil, ws.Text, []byte(s), [4]byte{9, 8, 7, 6}))
}

// request sends a request and returns its id.
func (p *peer) request(typ string, data any) string {
	p.t.Helper()
	p.id++
	id := fmt.Sprint(p.id)
	raw, err := json.Marshal(data)
	if err != nil {
		p.t.Fatal(err)
	}
	b, err := json.Marshal(wire.Request{ID: id, Type: typ, Data: raw})
	if err != nil {
		p.t.Fatal(err)
	}
	p.text(string(b))
	return id
}

// ask sends a request and reads its answer, skipping other frames.
func (p *peer) ask(typ string, data, answer any) {
	p.t.Helper()
	id := p.request(typ, data)
	for {
		f := p.frame()
		if f.ID != id {
			continue
		}
		if f.Type != wire.TypeOK {
			p.t.Fatalf("%s was answered with %s %+v", typ, f.Type, f.Error)
		}
		if answer != nil {
			if err := json.Unmarshal(f.Data, answer); err != nil {
				p.t.Fatal(err)
			}
		}
		return
	}
}

// refused sends a request that fails, and returns why.
func (p *peer) refused(typ string, data any) *wire.ErrorBody {
	p.t.Helper()
	id := p.request(typ, data)
	for {
		f := p.frame()
		if f.ID == id && f.Type == wire.TypeError {
			return f.Error
		}
		if f.ID == id {
			p.t.Fatalf("%s was answered with %s %s", typ, f.Type, f.Data)
		}
	}
}

// nextEvent reads the next event, skipping answers.
func (p *peer) nextEvent() wire.Event {
	p.t.Helper()
	for {
		f := p.frame()
		if f.Type != wire.TypeEvent {
			continue
		}
		var e wire.Event
		if err := json.Unmarshal(f.Data, &e); err != nil {
			p.t.Fatal(err)
		}
		return e
	}
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

// get asks for an upgrade with odd headers and returns the refusal.
func (n *node) get(t testing.TB, header http.Header, protocols ...string) *ws.Refused {
	t.Helper()
	nc, _, err := ws.Dial(t.Context(), n.url, header, protocols, nil)
	if err == nil {
		_ = nc.Close()
		return nil
	}
	var r *ws.Refused
	if !errors.As(err, &r) {
		t.Fatal(err)
	}
	return r
}
