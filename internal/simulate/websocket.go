package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// socket is a link over a WebSocket.
type socket struct {
	mailbox
	nc      net.Conn
	parser  ws.Parser
	answers chan frame

	asking sync.Mutex // held while a request is not answered
	lastID int

	writing sync.Mutex
}

// frame is one from the server.
type frame struct {
	ID    string          `json:"id"`
	Type  string          `json:"type"`
	Data  json.RawMessage `json:"data"`
	Error *wire.ErrorBody `json:"error"`
}

// openSocket connects with a device's key.
func openSocket(ctx context.Context, nc net.Conn, server, key string) (*socket, error) {
	early, err := ws.Upgrade(ctx, nc, server+"/ws", []string{"device", key})
	if err != nil {
		_ = nc.Close()
		var r *ws.Refused
		if !errors.As(err, &r) {
			return nil, err
		}
		seconds, _ := strconv.Atoi(r.Header.Get("Retry-After"))
		return nil, &no{text: fmt.Sprintf("the handshake was answered with %d %s", r.Status, codeOf(r.Body)),
			key:   r.Status == http.StatusUnauthorized,
			after: time.Duration(seconds) * time.Second}
	}
	s := &socket{mailbox: newMailbox(), nc: nc, parser: ws.Parser{Client: true, Max: 1 << 20},
		answers: make(chan frame, 1)}
	go s.read(early)
	return s, nil
}

// codeOf returns the code of a problem document.
func codeOf(body []byte) string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &p) // without one there is no code
	return p.Code
}

func (s *socket) write(op ws.Opcode, b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.nc.Write(ws.AppendMasked(nil, op, b, [4]byte{}))
	return err
}

// read handles frames until the connection ends.
func (s *socket) read(b []byte) {
	defer s.end()
	defer s.nc.Close()
	for {
		m, n, need, err := s.parser.Next(b)
		if err != nil {
			return
		}
		if n == 0 {
			if cap(b)-len(b) == 0 || cap(b) < need {
				b = append(make([]byte, 0, max(need, 2*len(b), 1<<10)), b...)
			}
			_ = s.nc.SetReadDeadline(time.Now().Add(2 * time.Minute)) // the server pings each 25 s
			got, err := s.nc.Read(b[len(b):cap(b)])
			if b = b[:len(b)+got]; err != nil {
				return
			}
			continue
		}
		if m.Op == ws.Close {
			_ = s.write(ws.Close, m.Payload)
			return
		}
		s.take(m)
		b = append(b[:0], b[n:]...)
	}
}

func (s *socket) take(m ws.Message) {
	if m.Op == ws.Ping {
		_ = s.write(ws.Pong, m.Payload)
	}
	var f frame
	if m.Op != ws.Text || json.Unmarshal(m.Payload, &f) != nil {
		return
	}
	switch {
	case f.Type == wire.TypeOrder:
		s.order(f.Data)
	case f.Type == wire.TypeFirmwareOffer:
		s.offer(f.Data)
	case f.ID != "" || f.Error != nil: // without an id, a frame was not understood
		select {
		case s.answers <- f:
		default: // of a request that was given up
		}
	}
}

// ask makes a request.
func (s *socket) ask(typ string, data any) (json.RawMessage, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	s.asking.Lock()
	defer s.asking.Unlock()
	s.lastID++
	id := strconv.Itoa(s.lastID)
	if b, err = json.Marshal(wire.Request{ID: id, Type: typ, Data: b}); err != nil {
		return nil, err
	}
	if err := s.write(ws.Text, b); err != nil {
		return nil, err
	}
	for {
		f, err := await(&s.mailbox, s.answers)
		switch {
		case err != nil:
			return nil, err
		case f.ID != id && f.ID != "":
		case f.Error != nil:
			return nil, refusal(f.Error)
		default:
			return f.Data, nil
		}
	}
}

func (s *socket) describe(c domain.Capabilities) error {
	_, err := s.ask(wire.TypeDescribe, wire.Describe{Capabilities: c})
	return err
}

func (s *socket) report(r wire.Report) error {
	data, err := s.ask(wire.TypeReport, r)
	if err != nil {
		return err
	}
	var said wire.Reported
	if err := json.Unmarshal(data, &said); err != nil {
		return err
	}
	s.refuse(said.Refused)
	return nil
}

func (s *socket) answer(r wire.CommandReport) error {
	_, err := s.ask(wire.TypeReported, r)
	return err
}

func (s *socket) firmware(r wire.FirmwareReport) error {
	_, err := s.ask(wire.TypeFirmware, r)
	return err
}

func (s *socket) progress(p wire.FirmwareProgress) (a wire.FirmwareAnswer, err error) {
	data, err := s.ask(wire.TypeFirmwareProgress, p)
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	return a, err
}

func (s *socket) readImage(r wire.FirmwareRead) ([]byte, error) {
	data, err := s.ask(wire.TypeFirmwareRead, r)
	if err != nil {
		return nil, err
	}
	var d wire.FirmwareData
	err = json.Unmarshal(data, &d)
	return d.Data, err
}

func (s *socket) crash(r wire.CrashReport) error {
	_, err := s.ask(wire.TypeCrash, r)
	return err
}

func (s *socket) bye(back time.Duration) error {
	_, err := s.ask(wire.TypeBye, wire.Bye{Reason: "sleep", BackIn: int(back.Seconds())})
	_ = s.write(ws.Close, ws.ClosePayload(ws.CodeNormal, ""))
	return err
}

func (*socket) ping() error { return nil } // the server does

func (s *socket) close() { _ = s.nc.Close() }
