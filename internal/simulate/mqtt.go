package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/wire"
)

// KeepAlive is how often an MQTT device says something at least.
const KeepAlive = time.Minute

// session is a link over MQTT.
type session struct {
	mailbox
	nc      net.Conn
	version packet.Version
	base    string // of the device's own topics
	acks    chan packet.Ack
	opened  chan packet.Connack
	actions chan action
	parts   chan part

	asking sync.Mutex // held while a message is not acknowledged
	lastID uint16

	writing sync.Mutex
}

// action is the server's answer to what a device says of an update, and part that to what it reads.
type (
	action struct {
		Update string `json:"update"`
		wire.FirmwareAnswer
	}
	part struct {
		offset int64
		data   []byte
	}
)

// openSession connects with a device's key, and subscribes to commands.
func openSession(nc net.Conn, v packet.Version, id Identity, name string) (*session, error) {
	s := &session{mailbox: newMailbox(), nc: nc, version: v, base: "uh/d/" + id.ID + "/", acks: make(chan packet.Ack, 1),
		opened: make(chan packet.Connack, 1), actions: make(chan action, 1), parts: make(chan part, 1)}
	go s.read()
	err := s.open(packet.Connect{Version: v, CleanStart: true, KeepAlive: uint16(KeepAlive / time.Second), ClientID: name,
		HasUser: true, User: "any", HasPassword: true, Password: id.Key})
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) open(c packet.Connect) error {
	if err := s.write(packet.AppendConnect(nil, c)); err != nil {
		return err
	}
	ack, err := await(&s.mailbox, s.opened)
	switch {
	case err != nil:
		return err
	case ack.Code == packet.OldBadCredentials || ack.Code == packet.BadCredentials:
		return &no{text: "bad user name or password", key: true}
	case ack.Code != packet.Success:
		return &no{text: fmt.Sprintf("CONNECT was answered with 0x%02x", byte(ack.Code))}
	}
	s.lastID++
	return s.write(packet.AppendSubscribe(nil, s.version, packet.Subscribe{ID: s.lastID,
		Filters: []packet.Filter{{Topic: s.base + "c", QoS: 1}, {Topic: s.base + "up/ack", QoS: 1},
			{Topic: s.base + "firmware/offer", QoS: 1}, {Topic: s.base + "firmware/action", QoS: 1},
			{Topic: s.base + "firmware/data/+"}}}))
}

func (s *session) write(b []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.nc.Write(b)
	return err
}

// read handles packets until the connection ends.
func (s *session) read() {
	defer s.end()
	defer s.nc.Close()
	var b []byte
	for {
		h, body, n, need, err := packet.Split(b, packet.MaxLength)
		if err != nil {
			return
		}
		if n == 0 {
			if cap(b)-len(b) == 0 || cap(b) < need {
				b = append(make([]byte, 0, max(need, 2*len(b), 512)), b...)
			}
			_ = s.nc.SetReadDeadline(time.Now().Add(2 * KeepAlive))
			got, err := s.nc.Read(b[len(b):cap(b)])
			if b = b[:len(b)+got]; err != nil {
				return
			}
			continue
		}
		if !s.take(h, body) {
			return
		}
		b = append(b[:0], b[n:]...)
	}
}

// take handles a packet; false ends the connection.
func (s *session) take(h packet.Header, body []byte) bool {
	switch h.Type {
	case packet.CONNACK:
		ack, err := packet.ParseConnack(body, s.version)
		select {
		case s.opened <- ack:
			return err == nil
		default:
			return false // a second one
		}
	case packet.PUBACK:
		ack, err := packet.ParseAck(h.Type, body, s.version)
		if err != nil {
			return false
		}
		select {
		case s.acks <- ack:
		default: // of a message that was given up
		}
	case packet.PUBLISH:
		p, err := packet.ParsePublish(h, body, s.version)
		if err != nil {
			return false
		}
		s.hear(p)
	case packet.DISCONNECT:
		return false
	}
	return true
}

func (s *session) hear(p packet.Publish) {
	if p.QoS > 0 {
		_ = s.write(packet.AppendAck(nil, packet.PUBACK, s.version, packet.Ack{ID: p.ID}))
	}
	topic := strings.TrimPrefix(p.Topic, s.base)
	if offset, ok := strings.CutPrefix(topic, "firmware/data/"); ok {
		at, _ := strconv.ParseInt(offset, 10, 64) // what is wrong is not what was asked for
		latest(s.parts, part{at, bytes.Clone(p.Payload)})
	}
	switch topic {
	case "c":
		s.order(p.Payload)
	case "firmware/offer":
		s.offer(p.Payload)
	case "firmware/action":
		var a action
		if json.Unmarshal(p.Payload, &a) == nil {
			latest(s.actions, a)
		}
	case "up/ack":
		var said wire.Reported
		if json.Unmarshal(p.Payload, &said) == nil {
			s.refuse(said.Refused)
		}
	}
}

// latest puts v into a channel of one, in the place of what is there. One goroutine alone may.
func latest[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

// say publishes data, as JSON, to a topic of the device.
func (s *session) say(topic string, data any) error {
	payload, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.publish(s.base+topic, payload)
}

// publish sends a message of QoS 1 and waits for its acknowledgement. Before MQTT 5, a server
// acknowledges also what it refuses.
func (s *session) publish(topic string, payload []byte) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.lastID++; s.lastID == 0 {
		s.lastID = 1
	}
	b, _ := packet.AppendPublish(nil, s.version, packet.Publish{QoS: 1, Topic: topic, ID: s.lastID, Payload: payload})
	if err := s.write(b); err != nil {
		return err
	}
	for {
		ack, err := await(&s.mailbox, s.acks)
		switch {
		case err != nil:
			return err
		case ack.ID != s.lastID:
		case ack.Code >= packet.Unspecified:
			return &no{text: fmt.Sprintf("a message was answered with 0x%02x", byte(ack.Code)),
				final: ack.Code == packet.BadPayload || ack.Code == packet.NotAuthorized || ack.Code == packet.BadTopic}
		default:
			return nil
		}
	}
}

func (s *session) describe(c domain.Capabilities) error { return s.say("describe", c) }
func (s *session) report(r wire.Report) error           { return s.say("up", r) }
func (s *session) answer(r wire.CommandReport) error    { return s.say("c/res", r) }
func (s *session) ping() error                          { return s.write(packet.Ping) }
func (s *session) close()                               { _ = s.nc.Close() }

func (s *session) firmware(r wire.FirmwareReport) error { return s.say("firmware", r) }
func (s *session) crash(r wire.CrashReport) error       { return s.say("crash", r) }

func (s *session) progress(p wire.FirmwareProgress) (wire.FirmwareAnswer, error) {
	if err := s.say("firmware/progress", p); err != nil {
		return wire.FirmwareAnswer{}, err
	}
	for {
		a, err := await(&s.mailbox, s.actions)
		if err != nil || a.Update == p.Update {
			return a.FirmwareAnswer, err
		}
	}
}

func (s *session) readImage(r wire.FirmwareRead) ([]byte, error) {
	if err := s.say("firmware/read", r); err != nil {
		return nil, err
	}
	for {
		p, err := await(&s.mailbox, s.parts)
		if err != nil || p.offset == r.Offset {
			return p.data, err
		}
	}
}

func (s *session) bye(back time.Duration) error {
	if err := s.say("bye", wire.Bye{Reason: "sleep", BackIn: int(back.Seconds())}); err != nil {
		return err
	}
	return s.write(packet.AppendDisconnect(nil, packet.DISCONNECT, s.version, packet.Disconnect{}))
}
