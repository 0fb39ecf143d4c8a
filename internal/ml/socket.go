package ml

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/ws"
)

const socketIdle = 5 * time.Minute // for which a WebSocket stays on which nothing is asked

// serveSocket answers the requests of a WebSocket, one after the other. Each is a message: the body of generate_stream,
// with an id if the sender wants one. Each chunk of its answer is a message too, and so are its end, and what is wrong.
func (s *Service) serveSocket(w http.ResponseWriter, r *http.Request) {
	model := r.PathValue("model")
	version, err := ParseVersion(r.PathValue("version"))
	var m Metadata
	if err == nil {
		m, _, err = s.Describe(model, version)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if err := checkSocket(r); err != nil {
		writeJSON(w, err.Status, map[string]string{"error": err.Reason})
		return
	}
	nc, early, err := ws.Accept(w, r, "", takeTime)
	if errors.Is(err, ws.ErrGone) {
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	c := &socket{nc: nc, asked: make(chan []byte)}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer cancel()
		c.read(ctx, early)
	})
	defer func() {
		cancel()
		_ = nc.Close()
		reading.Wait()
	}()
	for {
		select {
		case <-s.over:
			c.end(ws.CodeGoingAway, "the server stops")
			return
		case <-ctx.Done():
			return
		case body := <-c.asked:
			c.busy.Store(true)
			if s.answerOn(ctx, c, r, m, version, body) != nil {
				return
			}
			c.busy.Store(false)
		}
	}
}

// checkSocket refuses what asks for no WebSocket, and pages of others in a browser of this machine.
func checkSocket(r *http.Request) *ws.Handshake {
	var refused *ws.Handshake
	if err := ws.CheckUpgrade(r); errors.As(err, &refused) {
		return refused
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return &ws.Handshake{Status: http.StatusForbidden, Reason: "a page of another address may not ask models"}
		}
	}
	return nil
}

// answerOn answers one request. An error is about the socket.
func (s *Service) answerOn(
	ctx context.Context, c *socket, r *http.Request, m Metadata, version int, body []byte,
) (broken error) {
	id, body, err := takeID(body, m.Inputs)
	say := func(v map[string]any) error {
		if id != nil {
			v["id"] = id
		}
		text, err := json.Marshal(v)
		if err == nil {
			err = c.write(ws.Text, text)
		}
		broken = err
		return err
	}
	var q Inference
	if err == nil {
		q, err = decodeGenerate(body, m.Inputs)
	}
	if err == nil {
		q.Model, q.Version = m.Name, version
		err = s.ServeChunks(ctx, q, func(a Answer) error { return say(generated(m, a)) })
	}
	switch {
	case broken != nil || ctx.Err() != nil:
		return errGone
	case err != nil:
		return say(map[string]any{"error": s.explain(r, err)})
	}
	return say(map[string]any{"done": true})
}

// takeID takes the id out of a request, unless a model has an input of that name.
func takeID(body []byte, inputs []Spec) (id, rest json.RawMessage, err error) {
	for _, spec := range inputs {
		if spec.Name == "id" {
			return nil, body, nil
		}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields["id"] == nil {
		return nil, body, nil // what is wrong is said later
	}
	id = fields["id"]
	delete(fields, "id")
	rest, err = json.Marshal(fields)
	return id, rest, err
}

// A socket is a WebSocket on which models are asked.
type socket struct {
	nc    net.Conn
	asked chan []byte // texts that came
	busy  atomic.Bool // one is being answered

	mu sync.Mutex // held while something is written
}

func (c *socket) write(op ws.Opcode, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.nc.SetWriteDeadline(time.Now().Add(takeTime))
	_, err := c.nc.Write(ws.AppendFrame(nil, op, payload))
	return err
}

func (c *socket) end(code int, reason string) { _ = c.write(ws.Close, ws.ClosePayload(code, reason)) }

// read hands over the texts that come, beginning with what has come already, until the connection ends.
func (c *socket) read(ctx context.Context, b []byte) {
	p := ws.Parser{Max: MaxBody}
	for {
		m, n, need, err := p.Next(b)
		var wrong *ws.Error
		switch {
		case errors.As(err, &wrong):
			c.end(wrong.Code, wrong.Reason)
			return
		case n == 0:
			if b, err = c.more(b, need); err != nil {
				return
			}
			continue
		}
		if !c.take(ctx, m) {
			return
		}
		b = append(b[:0], b[n:]...)
	}
}

// more reads until b has need bytes. While something is answered, nothing need be asked.
func (c *socket) more(b []byte, need int) ([]byte, error) {
	if cap(b) < need {
		b = append(make([]byte, 0, max(need, 4<<10)), b...)
	}
	for {
		_ = c.nc.SetReadDeadline(time.Now().Add(socketIdle))
		have := len(b)
		n, err := io.ReadAtLeast(c.nc, b[have:cap(b)], need-have)
		b = b[:have+n]
		switch late := net.Error(nil); {
		case err == nil || !errors.As(err, &late) || !late.Timeout():
			return b, err
		case !c.busy.Load():
			c.end(ws.CodeGoingAway, "nothing was asked for a while")
			return b, err
		}
	}
}

// take handles a message; false ends the connection.
func (c *socket) take(ctx context.Context, m ws.Message) bool {
	switch m.Op {
	case ws.Text:
		select {
		case c.asked <- bytes.Clone(m.Payload):
		case <-ctx.Done():
			return false
		}
	case ws.Binary:
		c.end(ws.CodeBadType, "a request is a text")
		return false
	case ws.Ping:
		return c.write(ws.Pong, m.Payload) == nil
	case ws.Close:
		_ = c.write(ws.Close, m.Payload)
		return false
	}
	return true
}
