package simulate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// spoil has one report of three say what cannot be.
func spoil(item *wire.ReportItem, r *rand.Rand) {
	if r.IntN(3) > 0 {
		return
	}
	values := item.Readings
	raw := func(name, json string) { values[name] = []byte(json) }
	switch r.IntN(9) {
	case 0:
		raw("temperature", "1e999")
	case 1:
		raw("temperature", `"nan"`)
	case 2:
		raw("temperature", `{"value":21}`)
	case 3:
		raw("power", `"much"`)
	case 4:
		raw("no such name", "1")
	case 5:
		raw("state", `"`+strings.Repeat("open ", 20)+`"`)
	case 6:
		raw(fmt.Sprint("ghost", r.IntN(1000)), "1")
	case 7:
		item.At = item.At.Add(time.Hour)
	case 8:
		item.At = item.At.AddDate(-1, 0, 0)
	}
}

// outcome is what became of an attack.
type outcome string

const (
	repelled   outcome = "repelled"
	letThrough outcome = "let through"
	notHeard   outcome = "not answered"
	noServer   outcome = "no server"
)

// attack is one that a hostile device makes, over a connection of its own.
type attack struct {
	name string
	over Transport
	do   func(ctx context.Context, d *device, nc net.Conn) error // nil: it went through
}

// errNotTried is the error of an attack that did not take place.
var errNotTried = errors.New("the attack was not tried")

func attacks() []attack {
	return []attack{
		{"wrong key", WebSocket, wrongKey},
		{"no JSON", WebSocket, inFrame(`{"id":"1","type":`)},
		{"deep JSON", WebSocket, inFrame(`{"id":"1","type":"report","data":{"readings":{"a":` + strings.Repeat("[", 20_000))},
		{"unknown request", WebSocket, inFrame(`{"id":"1","type":"shutdown"}`)},
		{"command to another", WebSocket, inFrame(
			`{"id":"1","type":"command","data":{"device":"dev_01jd8m5q8re0t9v3x7k2p4s6zc","key":"k","action":"fan"}}`)},
		{"huge frame", WebSocket, hugeFrame},
		{"unmasked frame", WebSocket, unmasked},
		{"wrong password", MQTT, wrongPassword},
		{"noise", MQTT, noise},
		{"endless packet", MQTT, endlessPacket},
		{"another's topic", MQTT, publishes("uh/d/dev_01jd8m5q8re0t9v3x7k2p4s6zc/up", []byte(`{"air":99}`))},
		{"the server's topic", MQTT, publishes("$SYS/broker/uptime", []byte("0"))},
		{"huge payload", MQTT, publishes("log/dump", make([]byte, 100<<10))},
		{"payload bomb", MQTT, publishesOwn("up", []byte(strings.Repeat(`{"a":`, 10_000)))},
		{"command for itself", MQTT, publishesOwn("c", []byte(`{"id":"x","action":"fan"}`))},
	}
}

// attackAll attacks the server until ctx ends, one attack after the other, at the device's pace.
func (d *device) attackAll(ctx context.Context) {
	var can []attack
	for _, a := range attacks() {
		if a.over == WebSocket && d.f.o.Server != "" || a.over == MQTT && d.f.o.MQTT != "" {
			can = append(can, a)
		}
	}
	pace := max(d.f.o.Every, d.f.o.attackPace())
	for i := d.plan.Number; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pace):
		}
		a := can[i%len(can)]
		if became := d.attack(ctx, a); ctx.Err() == nil {
			d.f.stats.attack(a.name, string(became))
		}
	}
}

// attackPace keeps hostile devices within what the server lets any device try.
func (o *Options) attackPace() time.Duration { return min(3*time.Second, 3*o.Every) }

func (d *device) attack(ctx context.Context, a attack) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	address := d.f.o.Server
	if a.over == MQTT {
		address = d.f.o.MQTT
	}
	nc, err := d.f.dialURL(ctx, d.plan.Number, address)
	if err != nil {
		return noServer
	}
	defer nc.Close()
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	switch err := a.do(ctx, d, nc); {
	case errors.Is(err, errNotTried):
		return noServer
	case errors.Is(err, errSilent):
		return notHeard
	case err != nil:
		return repelled
	}
	return letThrough
}

func wrongKey(ctx context.Context, d *device, nc net.Conn) error {
	_, err := openSocket(ctx, nc, d.f.o.Server, domain.DeviceKeyPrefix+strings.Repeat("x", 40))
	return err
}

// intruder is the connection of a device that says what it should not.
func intruder(ctx context.Context, d *device, nc net.Conn) (*socket, error) {
	s, err := openSocket(ctx, nc, d.f.o.Server, d.who.Key)
	if err != nil {
		return nil, errors.Join(errNotTried, err)
	}
	return s, nil
}

// inFrame sends a frame, which must be answered with an error or the end.
func inFrame(text string) func(context.Context, *device, net.Conn) error {
	return func(ctx context.Context, d *device, nc net.Conn) error {
		s, err := intruder(ctx, d, nc)
		if err != nil {
			return err
		}
		defer s.close()
		if err := s.write(ws.Text, []byte(text)); err != nil {
			return err
		}
		f, err := await(&s.mailbox, s.answers)
		if err == nil && f.Error != nil {
			err = refusal(f.Error)
		}
		return err
	}
}

func hugeFrame(ctx context.Context, d *device, nc net.Conn) error {
	s, err := intruder(ctx, d, nc)
	if err != nil {
		return err
	}
	defer s.close()
	return s.sent(ws.AppendMasked(nil, ws.Text, make([]byte, 200<<10), [4]byte{}))
}

func unmasked(ctx context.Context, d *device, nc net.Conn) error {
	s, err := intruder(ctx, d, nc)
	if err != nil {
		return err
	}
	defer s.close()
	return s.sent([]byte{0x81, 2, '{', '}'})
}

// sent writes bytes that must end the connection.
func (s *socket) sent(b []byte) error {
	if _, err := s.nc.Write(b); err != nil {
		return err
	}
	_, err := await(&s.mailbox, s.answers)
	return err
}

func wrongPassword(_ context.Context, d *device, nc net.Conn) error {
	_, err := openSession(nc, d.plan.Version, Identity{ID: d.who.ID, Key: domain.DeviceKeyPrefix + "wrong"}, "attack")
	return err
}

// sendRaw writes bytes that must end the connection.
func sendRaw(nc net.Conn, b []byte) error {
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := nc.Write(b); err != nil {
		return err
	}
	_, err := nc.Read(make([]byte, 1))
	return err
}

func noise(_ context.Context, d *device, nc net.Conn) error {
	r := rand.New(rand.NewPCG(d.f.o.Seed, uint64(d.plan.Number)))
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	b[0] &= 0x0f // no type of packet
	return sendRaw(nc, b)
}

func endlessPacket(_ context.Context, _ *device, nc net.Conn) error {
	return sendRaw(nc, []byte{byte(packet.CONNECT) << 4, 0xff, 0xff, 0xff, 0x7f, 0, 4, 'M', 'Q', 'T', 'T'})
}

// publishes publishes to a topic, which must be refused. It speaks MQTT 5, in which the server says so.
func publishes(topic string, payload []byte) func(context.Context, *device, net.Conn) error {
	return func(_ context.Context, d *device, nc net.Conn) error {
		s, err := openSession(nc, packet.V5, d.who, fmt.Sprint("attack-", d.plan.Number))
		if err != nil {
			return errors.Join(errNotTried, err)
		}
		defer s.close()
		return s.publish(topic, payload)
	}
}

func publishesOwn(topic string, payload []byte) func(context.Context, *device, net.Conn) error {
	return func(ctx context.Context, d *device, nc net.Conn) error {
		return publishes("uh/d/"+d.who.ID+"/"+topic, payload)(ctx, d, nc)
	}
}
