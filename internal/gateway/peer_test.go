package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

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

const patience = 2 * time.Minute

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

// answered sends a request and returns the frame that answers it.
func (p *peer) answered(typ string, data any) frame {
	p.t.Helper()
	id := p.request(typ, data)
	for {
		if f := p.frame(); f.ID == id {
			return f
		}
	}
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
