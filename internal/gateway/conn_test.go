package gateway

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// Each violation of RFC 6455 is answered with its close code, on a real socket. Package ws tests the
// single cases.
func TestCHK_WS_04_Breaches(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	mask := [4]byte{1, 2, 3, 4}
	for _, c := range []struct {
		name string
		send []byte
		code int
	}{
		{"not masked", ws.AppendFrame(nil, ws.Text, []byte("{}")), ws.CodeProtocol},
		{"reserved bit", []byte{0xc1, 0x80, 0, 0, 0, 0}, ws.CodeProtocol},
		{"reserved opcode", ws.AppendMasked(nil, 0x3, nil, mask), ws.CodeProtocol},
		{"continuation of nothing", ws.AppendMasked(nil, ws.Continuation, []byte("x"), mask), ws.CodeProtocol},
		{"long ping", ws.AppendMasked(nil, ws.Ping, make([]byte, 126), mask), ws.CodeProtocol},
		{"bad close code", ws.AppendMasked(nil, ws.Close, []byte{0, 1}, mask), ws.CodeProtocol},
		{"bad text", ws.AppendMasked(nil, ws.Text, []byte{0xff}, mask), ws.CodeBadUTF8},
		{"too big", ws.AppendHeader(nil, ws.Header{Fin: true, Op: ws.Text, Masked: true, Length: wire.MaxFrame + 1}),
			ws.CodeTooBig},
		{"binary", ws.AppendMasked(nil, ws.Binary, []byte("x"), mask), ws.CodeBadType},
		{"goodbye", ws.AppendMasked(nil, ws.Close, ws.ClosePayload(1001, "bye"), mask), 1001},
		{"goodbye without a code", ws.AppendMasked(nil, ws.Close, nil, mask), ws.CodeNormal},
		{"many pings", []byte(strings.Repeat(string(ws.AppendMasked(nil, ws.Ping, nil, mask)), 50)), wire.CloseRate},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _ := n.enter(t, "ada")
			p.write(c.send)
			if code, reason := p.closed(); code != c.code {
				t.Errorf("closed with %d %q, want %d", code, reason, c.code)
			}
			if _, err := p.message(); !errors.Is(err, io.EOF) {
				t.Errorf("after the close frame: %v, want the end", err)
			}
		})
	}
}

func TestLargestFrameAndFragments(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	p, _ := n.enter(t, "ada")
	// 64 KiB exactly, of which most is space, in fragments with a ping between.
	body := `{"id":"a","type":"ping"` + strings.Repeat(" ", wire.MaxFrame-24) + "}"
	mask := [4]byte{4, 3, 2, 1}
	half := len(body) / 2
	var b []byte
	b = ws.AppendHeader(b, ws.Header{Op: ws.Text, Masked: true, Length: uint64(half)})
	b = append(b, body[:half]...)
	b = ws.AppendMasked(b, ws.Ping, []byte("between"), mask)
	b = ws.AppendMasked(b, ws.Continuation, []byte(body[half:]), mask)
	go p.write(b)
	if m, err := p.message(); err != nil || m.Op != ws.Pong || string(m.Payload) != "between" {
		t.Fatalf("got %v %q %v, want the pong", m.Op, m.Payload, err)
	}
	if f := p.expect(wire.TypeOK, nil); f.ID != "a" {
		t.Fatalf("got %+v", f)
	}
}

func TestFramesByteByByte(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	p, _ := n.enter(t, "ada")
	for _, b := range ws.AppendMasked(nil, ws.Text, []byte(`{"id":"a","type":"ping"}`), [4]byte{1, 2, 3, 4}) {
		p.write([]byte{b})
	}
	p.expect(wire.TypeOK, nil)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	p, _ := n.enter(t, "ada")
	for _, c := range []struct {
		send string
		code domain.Code
	}{
		{`{"id":"1","type":"no.such"}`, domain.CodeUnknownType},
		{`{"id":"1","type":"message.send"}`, domain.CodeBadData},
		{`{"id":"1","type":"message.send","data":{"room":"r1","key":"k","text":"x","colour":"red"}}`,
			domain.CodeBadData},
		{`{"id":"1","type":"message.send","data":{"room":7}}`, domain.CodeBadData},
		{`{"id":"1","type":"message.send","data":{"room":"r9","key":"k","text":"x"}}`, domain.CodeNoRoom},
		{`{"id":"1","type":"sync","data":{"rooms":[]}}`, domain.CodeBadData},
		{`{"id":"1","type":"auth.refresh","data":{"token":"bad"}}`, domain.CodeBadToken},
		{`{"id":"1","type":"auth.refresh","data":{"token":"lin"}}`, domain.CodeOtherSession},
	} {
		p.text(c.send)
		if f := p.expect(wire.TypeError, nil); f.ID != "1" || f.Error.Code != c.code || f.Error.Detail == "" {
			t.Errorf("%s: got %+v %+v, want %s", c.send, f, f.Error, c.code)
		}
	}
	p.ask(wire.TypePing, nil, nil) // it survives all of that
}

// A hello that is larger than the queue's limit, as for a user in many rooms, does not close the
// connection of a client that reads it slowly.
func TestGreetingsCountAgainstNoBound(t *testing.T) {
	t.Parallel()
	q := queue{held: true}
	q.open(make([]byte, 3000), make([]byte, 2000))
	put := func(size int, want bool) {
		t.Helper()
		if _, full := q.put(make([]byte, size), 1000); full == want {
			t.Errorf("taken: %v, with %d bytes in the queue, %d of them of the greeting", !full, q.bytes, q.greeting)
		}
	}
	put(900, true)
	put(900, false)
	q.wrote(3000)
	put(200, false)
	q.wrote(2000)
	put(200, false)
	q.wrote(900)
	put(1000, true)
	if q.greeting != 0 || q.pages != 0 {
		t.Errorf("%d bytes of %d pages are left", q.greeting, q.pages)
	}
	q = queue{held: true}
	q.open(make([]byte, 3000), make([]byte, 2000))
	q.end(true, make([]byte, 10))
	if q.bytes != 10 || q.greeting != 0 || len(q.frames) != 1 {
		t.Errorf("after the end %d bytes wait in %d frames, %d of the greeting", q.bytes, len(q.frames), q.greeting)
	}
}

func TestCHK_WS_05_SlowReader(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), func(d *Deps) { d.Limits.Queue = 256 << 10 })
	n.join("ada", "r1")
	n.join("lin", "r1")
	slow, _ := n.enter(t, "ada")
	quick, h := n.enter(t, "lin")
	last := h.Rooms[0].Head
	text := strings.Repeat("x", 15<<10)
	for range 1000 { // far more than the sockets' buffers hold
		e := n.say("bob", "r1", text)
		for last < e.Seq {
			last = quick.nextEvent().Seq // the other does not hold this one up
		}
		if n.g.conns.count.Load() == 2 && n.slowOnes() > 0 {
			break
		}
	}
	code, _ := slow.closed()
	if code != wire.CloseSlow {
		t.Errorf("the slow reader was closed with %d", code)
	}
	quick.ask(wire.TypePing, nil, nil)
}

func (n *node) slowOnes() (k int) {
	for _, c := range n.g.allConns() {
		if c.closing.Load() {
			k++
		}
	}
	return k
}

func TestCHK_WS_06_TokenEnds(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	p, h := n.enter(t, "ada/s1/1m")
	if h.Expires == nil {
		t.Fatal("hello does not say when the token ends")
	}
	c := n.g.allConns()[0]
	c.heard.Store(h.Expires.UnixNano())
	c.sweep(h.Expires.Add(29 * time.Second))
	var u wire.Until
	p.ask(wire.TypeRefresh, wire.Refresh{Token: "ada/s1/2m"}, &u)
	if !u.Expires.After(*h.Expires) {
		t.Fatalf("extended to %v", u.Expires)
	}
	c.heard.Store(u.Expires.Add(time.Hour).UnixNano())
	c.sweep(u.Expires.Add(31 * time.Second))
	if code, _ := p.closed(); code != wire.CloseToken {
		t.Errorf("closed with %d", code)
	}
}

func TestCHK_WS_05_PingsAndSilence(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	p, h := n.enter(t, "ada")
	if h.Heartbeat != 25 {
		t.Errorf("heartbeat is %d", h.Heartbeat)
	}
	c := n.g.allConns()[0]
	now := time.Now()
	c.sweep(now.Add(heartbeat))
	if m, err := p.message(); err != nil || m.Op != ws.Ping {
		t.Fatalf("got %v %v, want a ping", m.Op, err)
	}
	c.sweep(now.Add(deadAfter + time.Second))
	if code, _ := p.closed(); code != wire.CloseTimeout {
		t.Errorf("closed with %d", code)
	}
}

// Revoked sessions are closed at once, and no others.
func TestCHK_TK_04_Revocation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, revocation string
		ends             bool
	}{
		{"of the session", `{"user":"ada","session":"s1","reason":"signed_out"}`, true},
		{"of another session", `{"user":"ada","session":"s2","reason":"signed_out"}`, false},
		{"of another user", `{"user":"lin","session":"s1","reason":"signed_out"}`, false},
		{"of all earlier tokens", `{"user":"ada","epoch":2,"reason":"password_changed"}`, true},
		{"of tokens that are earlier still", `{"user":"ada","epoch":1,"reason":"password_changed"}`, false},
		{"of everything", `{"user":"ada","reason":"disabled"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := start(t, newWorld(), nil)
			p, _ := n.enter(t, "ada/s1")
			n.bus.Publish(bus.RevokeSubject, []byte(c.revocation))
			eventually(t, "it is handled", func() bool { return n.g.revocations.Load() > 0 })
			if !c.ends {
				p.ask(wire.TypePing, nil, nil)
				return
			}
			var r wire.Revoked
			p.expect(wire.TypeRevoked, &r)
			if code, _ := p.closed(); code != wire.CloseRevoked || r.Reason == "" {
				t.Errorf("closed with %d, reason %q", code, r.Reason)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	var peers []*peer
	for range 5 {
		p, _ := n.enter(t, "ada")
		peers = append(peers, p)
	}
	n.say("lin", "r1", "last words")
	go n.stop()
	for _, p := range peers {
		if e := p.nextEvent(); e.Message.Text != "last words" {
			t.Errorf("got %+v", e)
		}
		code, reason := p.closed()
		if s, err := strconv.Atoi(reason); code != wire.CloseRestarting || err != nil || s < 1 {
			t.Errorf("closed with %d %q", code, reason)
		}
		_ = p.nc.Close()
	}
	n.stop()
}

func TestTyping(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	n.join("lin", "r1")
	ada, _ := n.enter(t, "ada")
	lin, _ := n.enter(t, "lin")
	bob, _ := n.enter(t, "bob")
	bob.request(wire.TypeTyping, wire.InRoom{Room: "r1"}) // not a member
	bob.ask(wire.TypePing, nil, nil)
	for range 50 {
		ada.request(wire.TypeTyping, wire.InRoom{Room: "r1"})
	}
	ada.ask(wire.TypePing, nil, nil) // none of it comes back to her
	var what wire.Typing
	lin.expect(wire.TypeIsTyping, &what)
	if what.User.ID != "ada" || what.Room != "r1" {
		t.Fatalf("got %+v", what)
	}
	n.say("ada", "r1", "done")
	for heard := 1; ; heard++ {
		if f := lin.frame(); f.Type == wire.TypeEvent {
			break
		}
		if heard > 5 {
			t.Fatal("typing notices are not limited")
		}
	}
}

// Typing of members who may not write is not shown.
func TestTypingOfTheMutedIsNotTold(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	n.join("lin", "r1")
	ada, _ := n.enter(t, "ada")
	lin, _ := n.enter(t, "lin")
	n.set(func(w *world) { w.muted["ada"] = true })
	ada.request(wire.TypeTyping, wire.InRoom{Room: "r1"})
	ada.ask(wire.TypePing, nil, nil) // the notice has been looked at
	n.say("lin", "r1", "done")
	if f := lin.frame(); f.Type != wire.TypeEvent {
		t.Fatalf("got %q of a muted member", f.Type)
	}
}

func TestReadMarksAndPresence(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	p, h := n.enter(t, "ada")
	var m wire.Mark
	p.ask(wire.TypeRead, wire.Mark{Room: "r1", Seq: 1}, &m)
	if m != (wire.Mark{Room: "r1", Seq: 1, Unread: 1}) {
		t.Errorf("got %+v", m)
	}
	var ps wire.Presences
	p.ask(wire.TypeWatch, wire.Watch{Users: []string{"lin"}}, &ps)
	if len(ps.Users) != 1 || ps.Users[0].Is != "online" {
		t.Errorf("got %+v", ps)
	}
	p.ask(wire.TypeActivity, wire.Activity{Active: true}, nil)
	n.presence.mu.Lock()
	deliver := n.presence.connected[h.Conn]
	active := n.presence.active[h.Conn]
	n.presence.mu.Unlock()
	if !active {
		t.Error("activity is not passed on")
	}
	deliver([]byte(`{"type":"presence","data":{"users":[]}}`))
	p.expect(wire.TypePresence, nil)
	// What is said to a user reaches their connections as it stands.
	b, _ := wire.Pack(wire.Header{Type: wire.TypeReadMoved}, []byte(`{"type":"read","data":{"room":"r1","seq":1}}`))
	n.bus.Publish(wire.UserSubject("ada"), b)
	p.expect(wire.TypeReadMoved, &m)
	_ = p.nc.Close()
	eventually(t, "presence knows of the end", func() bool {
		n.presence.mu.Lock()
		defer n.presence.mu.Unlock()
		return len(n.presence.connected) == 0
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	n := start(t, newWorld(), nil)
	n.join("ada", "r1")
	p, _ := n.enter(t, "ada/s1")
	p.ask(wire.TypePing, nil, nil)
	s := n.g.Stats()
	if s.Connections != 1 || s.Users != 1 || s.Rooms != 1 || len(s.List) != 1 {
		t.Fatalf("got %+v", s)
	}
	c := s.List[0]
	if c.User != "ada" || c.Session != "s1" || c.Addr != "127.0.0.1" || c.Rooms != 1 || c.MessagesIn != 1 ||
		c.BytesIn == 0 || c.MessagesOut < 1 || c.BytesOut == 0 {
		t.Errorf("got %+v", c)
	}
}

// An idle connection costs little only as long as conn fits into 576 bytes, with the eight that the
// runtime adds to what is over 512; the next larger size is 640.
func TestConnFitsItsSizeClass(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(conn{}); size > 568 {
		t.Errorf("conn has %d bytes", size)
	}
}

// What an idle connection does, answering pings, fits into the 2 kB that its goroutine begins with.
func TestIdleConnectionsKeepTheirFirstStack(t *testing.T) {
	if raced() {
		t.Skip("the race detector makes stacks larger")
	}
	const n = 200
	w := newWorld()
	node := start(t, w, func(d *Deps) { d.Limits.MessagesPerSec = 10 })
	peers := make([]*peer, n)
	for i := range peers {
		peers[i], _ = node.enter(t, fmt.Sprint("u", i))
	}
	stacks := func() int {
		runtime.GC() // which makes stacks smaller that are too large
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		return int(ms.StackInuse)
	}
	stacks()
	before := stacks()
	for _, p := range peers {
		p.write(ws.AppendMasked(nil, ws.Pong, nil, [4]byte{}))
	}
	eventually(t, "all are heard", func() bool {
		return !slices.ContainsFunc(node.g.allConns(), func(c *conn) bool { return c.bytesIn.Load() == 0 })
	})
	stacks()
	if more := (stacks() - before) / n; more > 1<<9 {
		t.Errorf("stacks are larger by %d bytes for each connection", more)
	}
}

// raced reports whether this is built with the race detector.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
