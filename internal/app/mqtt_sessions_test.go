package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// kept is a CONNECT of a session that outlives its connection.
func kept(v packet.Version, id, secret string) packet.Connect {
	p := connectAs(v, id, secret)
	p.CleanStart = false
	if v == packet.V5 {
		p.Props = packet.Properties{{ID: packet.SessionExpiry, Num: 3600}}
	}
	return p
}

// A session that is kept gets what was published while its client was away, over a restart of the
// server, in order, and what it had not acknowledged once more.
func TestMQTTSessionOutlivesTheServer(t *testing.T) {
	t.Parallel()
	for _, v := range []packet.Version{packet.V311, packet.V5} {
		t.Run(suffix(v), func(t *testing.T) {
			live.EachSetup(t, func(t *testing.T, start live.Starter) {
				s := start()
				ann := s.User("ann")
				d := registerDevice(t, ann, "Pump")
				key := accessOf(t, ann)
				pump, ack := mqtttest.Connect(t, s.MQTT, kept(v, "pump", d.Key))
				if ack.Present {
					t.Error("a new session was there")
				}
				pump.Subscribe(packet.Filter{Topic: "cmnd/#", QoS: 2}, packet.Filter{Topic: "gone", QoS: 1})
				pump.Send(packet.AppendUnsubscribe(nil, v, packet.Unsubscribe{ID: pump.ID(), Filters: []string{"gone"}}))
				if p := pump.Next(); p.Type != packet.UNSUBACK {
					t.Errorf("got %+v", p)
				}
				owner := mqtttest.Must(t, s.MQTT, connectAs(v, "owner", key))
				owner.Publish(packet.Publish{Topic: "cmnd/0", QoS: 1, Payload: []byte("0")})
				first := pump.Next().Body.(packet.Publish) // not acknowledged
				pump.Close()
				for i := 1; i < 30; i++ { // more than are under way at a time
					owner.Publish(packet.Publish{Topic: fmt.Sprint("cmnd/", i), QoS: byte(1 + i%2), Payload: []byte("x")})
				}
				owner.Publish(packet.Publish{Topic: "gone", QoS: 1})
				s.Stop()
				s = start()
				again, ack := mqtttest.Connect(t, s.MQTT, kept(v, "pump", d.Key))
				if !ack.Present {
					t.Fatal("the session is gone")
				}
				for i := range 30 {
					m := again.Message()
					if m.Topic != fmt.Sprint("cmnd/", i) || m.Retain || i == 0 && (!m.Dup || m.ID != first.ID) {
						t.Errorf("message %d is %+v", i, m)
					}
				}
				again.Silent()
				again.Close()
				p := kept(v, "pump", d.Key)
				p.CleanStart = true
				if _, ack := mqtttest.Connect(t, s.MQTT, p); ack.Present {
					t.Error("a clean start found a session")
				}
			})
		})
	}
}

// A message of QoS 2 that was sent again is passed on once, whatever was in between.
func TestMQTTQoS2IsExactlyOnce(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		bob := s.User("bob")
		key := accessOf(t, bob)
		reader := mqtttest.Must(t, s.MQTT, kept(packet.V5, "reader", key))
		reader.Subscribe(packet.Filter{Topic: "#", QoS: 2})
		sender := mqtttest.Must(t, s.MQTT, kept(packet.V5, "sender", key))
		b, _ := packet.AppendPublish(nil, packet.V5, packet.Publish{QoS: 2, ID: 7, Topic: "a", Payload: []byte("once")})
		for range 2 {
			sender.Send(b)
			if p := sender.Next(); p.Type != packet.PUBREC {
				t.Errorf("got %+v", p)
			}
		}
		m := reader.Next().Body.(packet.Publish)
		reader.Send(packet.AppendAck(nil, packet.PUBREC, packet.V5, packet.Ack{ID: m.ID}))
		if p := reader.Next(); p.Type != packet.PUBREL {
			t.Errorf("got %+v", p)
		}
		s.Stop() // before PUBREL and PUBCOMP
		s = start()
		sender, ack := mqtttest.Connect(t, s.MQTT, kept(packet.V5, "sender", key))
		if !ack.Present {
			t.Fatal("the session is gone")
		}
		sender.Send(b)
		if p := sender.Next(); p.Type != packet.PUBREC {
			t.Errorf("got %+v", p)
		}
		sender.Send(packet.AppendAck(nil, packet.PUBREL, packet.V5, packet.Ack{ID: 7}))
		if a, ok := sender.Next().Body.(packet.Ack); !ok || a.Code != 0 {
			t.Errorf("PUBREL was answered %+v", a)
		}
		reader, _ = mqtttest.Connect(t, s.MQTT, kept(packet.V5, "reader", key))
		if p := reader.Next(); p.Type != packet.PUBREL || p.Body.(packet.Ack).ID != m.ID {
			t.Errorf("got %+v instead of PUBREL", p)
		}
		reader.Send(packet.AppendAck(nil, packet.PUBCOMP, packet.V5, packet.Ack{ID: m.ID}))
		reader.Silent()
		sender.Publish(packet.Publish{QoS: 2, ID: 7, Topic: "a", Payload: []byte("another")}) // the id is free again
		if m := reader.Message(); string(m.Payload) != "another" {
			t.Errorf("got %+v", m)
		}
	})
}

// A session that another connection of its client takes over loses nothing, and a will waits for
// its delay.
func TestMQTTTakeoverKeepsTheSession(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		cyd := s.User("cyd")
		key := accessOf(t, cyd)
		p := kept(packet.V5, "client", key)
		p.Will = &packet.Will{Topic: "will", Payload: []byte("gone"), QoS: 1,
			Props: packet.Properties{{ID: packet.WillDelay, Num: 3600}}}
		first := mqtttest.Must(t, s.MQTT, p)
		first.Subscribe(packet.Filter{Topic: "t", QoS: 1})
		watcher := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "watcher", key))
		watcher.Subscribe(packet.Filter{Topic: "will", QoS: 1})
		const n = 50
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			sender := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "sender", key))
			for i := range byte(n) {
				sender.Publish(packet.Publish{Topic: "t", QoS: 1, Payload: []byte{i}})
			}
		}()
		seen := make(map[byte]bool)
		first.Next()
		client := mqtttest.Must(t, s.MQTT, p)
		if code := first.Ended(); code != packet.TakenOver {
			t.Errorf("the first connection was told 0x%02x", byte(code))
		}
		for len(seen) < n {
			seen[client.Message().Payload[0]] = true
		}
		<-sent
		client.Close()
		third := mqtttest.Must(t, s.MQTT, p)
		watcher.Silent() // it came back before the will was due
		d := packet.Disconnect{Code: packet.WithWill, Props: packet.Properties{{ID: packet.SessionExpiry, Num: 0}}}
		third.Send(packet.AppendDisconnect(nil, packet.DISCONNECT, packet.V5, d))
		third.Ended()
		if m := watcher.Message(); string(m.Payload) != "gone" { // the session has ended, so its will does not wait
			t.Errorf("got %+v", m)
		}
		if _, ack := mqtttest.Connect(t, s.MQTT, p); ack.Present {
			t.Error("a session that was ended is there")
		}
	})
}

// What waits for a client is bounded, and expires.
func TestMQTTQueueIsBoundedAndExpires(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		key := accessOf(t, s.User("dan"))
		client := mqtttest.Must(t, s.MQTT, kept(packet.V5, "client", key))
		client.Subscribe(packet.Filter{Topic: "t/#", QoS: 1})
		client.Send(packet.AppendDisconnect(nil, packet.DISCONNECT, packet.V5, packet.Disconnect{}))
		client.Ended()
		sender := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "sender", key))
		sender.Publish(packet.Publish{Topic: "t/short", QoS: 1,
			Props: packet.Properties{{ID: packet.MessageExpiry, Num: 1}}})
		sender.Publish(packet.Publish{Topic: "t/long", QoS: 1,
			Props: packet.Properties{{ID: packet.MessageExpiry, Num: 1000}}})
		sender.Publish(packet.Publish{Topic: "t/zero", QoS: 0})
		time.Sleep(1100 * time.Millisecond) // the shortest expiry that there is
		client, _ = mqtttest.Connect(t, s.MQTT, kept(packet.V5, "client", key))
		m := client.Message()
		if left, _ := m.Props.Num(packet.MessageExpiry); m.Topic != "t/long" || left < 900 || left > 999 {
			t.Errorf("got %+v", m)
		}
		client.Silent()
	})
}
