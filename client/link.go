package client

import (
	"context"
	"encoding/json"
	"errors"
	mrand "math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// link is one connection to the server.
type link struct {
	l     *Live
	nc    net.Conn
	token string

	writeMu sync.Mutex

	mu      sync.Mutex
	nextID  int
	waiting map[string]chan reply // nil after the connection has ended

	traces atomic.Bool // the server's hello says that it traces

	// Used only by the reader.
	syncing bool
	first   *Hello // the hello so far, while more pages of it follow; nil after the last
}

type reply struct {
	data json.RawMessage
	err  error
}

// inbound is a frame from the server.
type inbound struct {
	ID    string          `json:"id"`
	Type  string          `json:"type"`
	Data  json.RawMessage `json:"data"`
	Error *wire.ErrorBody `json:"error"`
}

// errLost is the error of requests whose connection ended before the response.
var errLost = errors.New("the connection ended before the server answered")

// serve opens a connection and reads it until it ends. served reports whether the server accepted
// it.
func (l *Live) serve(ctx context.Context, refused string) (token string, served bool, err error) {
	dialing, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	token, err = l.c.token(dialing, refused)
	if err != nil {
		return token, false, err
	}
	kind := "bearer"
	if strings.HasPrefix(token, domain.DeviceKeyPrefix) {
		kind = "device"
	}
	nc, early, err := ws.Dial(dialing, l.c.base+"/ws", nil, []string{kind, token}, l.c.tls)
	if err != nil {
		return token, false, err
	}
	k := &link{l: l, nc: nc, token: token, waiting: make(map[string]chan reply)}
	stop := context.AfterFunc(ctx, func() {
		k.writeFrame(ws.Close, ws.ClosePayload(ws.CodeNormal, ""))
		_ = nc.Close()
	})
	defer stop()
	served, err = k.read(early)
	_ = nc.Close()
	l.mu.Lock()
	l.link = nil
	l.mu.Unlock()
	k.abandon()
	return token, served, err
}

// read handles frames until the connection ends.
func (k *link) read(b []byte) (served bool, err error) {
	p := ws.Parser{Client: true, Max: 64 << 20}
	chunk := make([]byte, 16<<10)
	for {
		m, n, _, err := p.Next(b)
		if err != nil {
			return served, err
		}
		if n == 0 {
			_ = k.nc.SetReadDeadline(time.Now().Add(requestTimeout))
			n, err := k.nc.Read(chunk)
			if err != nil {
				return served, err
			}
			b = append(b, chunk[:n]...)
			continue
		}
		switch m.Op {
		case ws.Ping:
			k.writeFrame(ws.Pong, m.Payload)
		case ws.Close:
			code, reason, _ := ws.ParseClose(m.Payload)
			k.writeFrame(ws.Close, m.Payload)
			return served, &closedBy{code, reason}
		case ws.Text:
			if err := k.take(m.Payload); err != nil {
				return served, err
			}
			served = true
		}
		if b = b[n:]; len(b) == 0 {
			b = nil
		}
	}
}

// writeFrame sends a frame. An error shows up in read.
func (k *link) writeFrame(op ws.Opcode, payload []byte) {
	mask := mrand.Uint32()
	b := ws.AppendMasked(make([]byte, 0, len(payload)+ws.MaxHeader), op, payload,
		[4]byte{byte(mask), byte(mask >> 8), byte(mask >> 16), byte(mask >> 24)})
	k.writeMu.Lock()
	defer k.writeMu.Unlock()
	_ = k.nc.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	if _, err := k.nc.Write(b); err != nil {
		_ = k.nc.Close()
	}
}

// request sends a request. The response is sent to the channel.
func (k *link) request(ctx context.Context, typ string, data any) (string, <-chan reply, error) {
	raw, err := wire.Encode(data)
	if err != nil {
		return "", nil, err
	}
	answer := make(chan reply, 1)
	k.mu.Lock()
	if k.waiting == nil {
		k.mu.Unlock()
		return "", nil, errLost
	}
	k.nextID++
	id := strconv.Itoa(k.nextID)
	k.waiting[id] = answer
	k.mu.Unlock()
	req := wire.Request{ID: id, Type: typ}
	if data != nil {
		req.Data = raw
	}
	if k.traces.Load() { // servers that do not know the field refuse it
		req.Trace = k.l.c.traceparent(ctx)
	}
	b, err := wire.Encode(req)
	if err != nil {
		return "", nil, err
	}
	k.writeFrame(ws.Text, b)
	return id, answer, nil
}

func (k *link) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.waiting, id)
}

// abandon fails all requests that wait for a response.
func (k *link) abandon() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, answer := range k.waiting {
		answer <- reply{err: errLost}
	}
	k.waiting = nil
}

func (k *link) answered(f inbound) {
	k.mu.Lock()
	answer := k.waiting[f.ID]
	delete(k.waiting, f.ID)
	k.mu.Unlock()
	if answer == nil {
		return
	}
	if f.Error != nil {
		answer <- reply{err: fromBody(f.Error)}
		return
	}
	answer <- reply{data: f.Data}
}

// renew sends a new token before token, the current one, expires: at expires by the server's
// clock.
func (k *link) renew(token string, expires time.Time) {
	wait := time.Until(k.l.c.expiry(token, expires)) - time.Minute
	time.AfterFunc(max(wait, time.Second), func() {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		k.mu.Lock()
		ended, old := k.waiting == nil, k.token
		k.mu.Unlock()
		if ended {
			return
		}
		token, err := k.l.c.token(ctx, old)
		if err != nil {
			return // the server closes the connection when the token expires
		}
		_, answer, err := k.request(ctx, wire.TypeRefresh, wire.Refresh{Token: token})
		if err != nil {
			return
		}
		var until wire.Until
		if r := <-answer; r.err == nil && json.Unmarshal(r.data, &until) == nil && until.Expires.After(expires) {
			k.mu.Lock()
			k.token = token
			k.mu.Unlock()
			k.renew(token, until.Expires)
		}
	})
}
