package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/ws"
)

// connectAs is a CONNECT with a key or token as password.
func connectAs(v packet.Version, id, secret string) packet.Connect {
	return packet.Connect{Version: v, ClientID: id, CleanStart: true, KeepAlive: 60, HasUser: true, User: "any",
		HasPassword: true, Password: secret}
}

func accessOf(t *testing.T, c *client.Client) string {
	t.Helper()
	return c.Tokens().Access
}

// eachVersion runs fn with both versions of the protocol on both stores.
func eachVersion(t *testing.T, fn func(t *testing.T, s *live.Server, v packet.Version)) {
	t.Helper()
	live.Each(t, func(t *testing.T, s *live.Server) {
		t.Run("3.1.1", func(t *testing.T) { fn(t, s, packet.V311) })
		t.Run("5", func(t *testing.T) { fn(t, s, packet.V5) })
	})
}

func suffix(v packet.Version) string { return string('0' + rune(v)) }

func TestMQTTLetsInByKeyAndToken(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, s *live.Server, v packet.Version) {
		ann := s.User("ann" + suffix(v))
		d := registerDevice(t, ann, "Pump")
		bad := packet.BadCredentials
		if v < packet.V5 {
			bad = packet.OldBadCredentials
		}
		for name, c := range map[string]struct {
			secret string
			code   packet.Code
		}{
			"key": {d.Key, packet.Success}, "token": {accessOf(t, ann), packet.Success}, "none": {"", bad},
			"wrong key": {d.Key[:len(d.Key)-7] + "0000000", bad}, "wrong token": {"secret", bad},
		} {
			for range 2 { // a wrong one is remembered
				if _, ack := mqtttest.Connect(t, s.MQTT, connectAs(v, "id", c.secret)); ack.Code != c.code {
					t.Errorf("%s: answered 0x%02x, want 0x%02x", name, byte(ack.Code), byte(c.code))
				}
			}
		}
		c := mqtttest.Must(t, s.MQTT, connectAs(v, "id", d.Key))
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+d.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if code := c.Ended(); v == packet.V5 && code != packet.Administrative {
			t.Errorf("a revoked device was told 0x%02x", byte(code))
		}
		if _, ack := mqtttest.Connect(t, s.MQTT, connectAs(v, "id", d.Key)); ack.Code != bad {
			t.Errorf("a revoked key was answered 0x%02x", byte(ack.Code))
		}
	})
}

func TestMQTTDelivers(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, s *live.Server, v packet.Version) {
		bob := s.User("bob" + suffix(v))
		d, e := registerDevice(t, bob, "Pump"), registerDevice(t, bob, "Spy")
		owner := mqtttest.Must(t, s.MQTT, connectAs(v, "owner", accessOf(t, bob)))
		pump := mqtttest.Must(t, s.MQTT, connectAs(v, "pump", d.Key))
		spy := mqtttest.Must(t, s.MQTT, connectAs(v, "spy", e.Key))
		stranger := mqtttest.Must(t, s.MQTT, connectAs(v, "x", accessOf(t, s.User("eve"+suffix(v)))))
		codes := owner.Subscribe(packet.Filter{Topic: "tele/#", QoS: 2}, packet.Filter{Topic: "tele/+/LWT", QoS: 1},
			packet.Filter{Topic: "a#", QoS: 1}, packet.Filter{Topic: "$SYS/#"})
		refused := []packet.Code{packet.BadFilter, packet.NotAuthorized}
		if v < packet.V5 {
			refused = []packet.Code{packet.Unspecified, packet.Unspecified}
		}
		if codes[0] != 2 || codes[1] != 1 || codes[2] != refused[0] || codes[3] != refused[1] {
			t.Errorf("SUBACK has %v", codes)
		}
		spy.Subscribe(packet.Filter{Topic: "#", QoS: 2})
		stranger.Subscribe(packet.Filter{Topic: "#", QoS: 2})
		pump.Subscribe(packet.Filter{Topic: "cmnd/pump/#", QoS: 1})
		for qos := range byte(3) {
			if code := pump.Publish(packet.Publish{Topic: "tele/pump/LWT", QoS: qos, Payload: []byte("Online")}); code != 0 {
				t.Errorf("QoS %d was answered 0x%02x", qos, byte(code))
			}
			m := owner.Message()
			if m.Topic != "tele/pump/LWT" || string(m.Payload) != "Online" || m.QoS != qos || m.Retain {
				t.Errorf("got %+v", m)
			}
		}
		owner.Publish(packet.Publish{Topic: "cmnd/pump/POWER", QoS: 1, Payload: []byte("ON")})
		if m := pump.Message(); m.Topic != "cmnd/pump/POWER" || m.QoS != 1 {
			t.Errorf("got %+v", m)
		}
		if m := spy.Message(); m.Topic != "cmnd/pump/POWER" { // what the owner says is for all
			t.Errorf("got %+v", m)
		}
		taken := packet.NotAuthorized
		if v < packet.V5 {
			taken = 0
		}
		if code := spy.Publish(packet.Publish{Topic: "tele/pump/LWT", QoS: 1, Payload: []byte("Offline")}); code != taken {
			t.Errorf("a message to another's topic was answered 0x%02x", byte(code))
		}
		if code := pump.Publish(packet.Publish{Topic: "uh/d/" + e.Device.ID + "/up", QoS: 1}); code != taken {
			t.Errorf("a message as another device was answered 0x%02x", byte(code))
		}
		spy.Silent()
		owner.Silent()
		stranger.Silent()
	})
}

func TestMQTTRetainsOverRestart(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		cyd := s.User("cyd")
		d := registerDevice(t, cyd, "Pump")
		pump := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", d.Key))
		for i, topic := range []string{"a", "a/b", "a/c", "ab"} {
			pump.Publish(packet.Publish{Topic: topic, QoS: byte(i % 2), Retain: true, Payload: []byte(topic),
				Props: packet.Properties{{ID: packet.UserProperty, Text: "k", Value: "v"}}})
		}
		pump.Publish(packet.Publish{Topic: "a/c", QoS: 1, Retain: true})
		key := accessOf(t, cyd)
		s.Stop()
		again := live.Start(t, s.Store)
		owner := mqtttest.Must(t, again.MQTT, connectAs(packet.V5, "owner", key))
		owner.Subscribe(packet.Filter{Topic: "a/#", QoS: 1})
		for _, want := range []string{"a", "a/b"} {
			m := owner.Message()
			value, _ := m.Props.Text(packet.UserProperty)
			if m.Topic != want || string(m.Payload) != want || !m.Retain || value != "k" {
				t.Errorf("got %+v, want %s", m, want)
			}
		}
		owner.Silent()
		owner.Subscribe(packet.Filter{Topic: "a/#", QoS: 1, RetainHandling: 1}, packet.Filter{Topic: "a", RetainHandling: 2})
		owner.Silent()
		if err := cyd.Do(t.Context(), "DELETE", "/devices/"+d.Device.ID, nil, nil); err == nil {
			t.Error("the old server answers still")
		}
	})
}

func TestMQTTForgetsWhatARevokedDeviceRetained(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		cat := s.User("cat")
		d := registerDevice(t, cat, "Pump")
		pump := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "pump", d.Key))
		pump.Publish(packet.Publish{Topic: "homeassistant/switch/pump/config", QoS: 1, Retain: true, Payload: []byte("{}")})
		owner := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "owner", accessOf(t, cat)))
		owner.Subscribe(packet.Filter{Topic: "homeassistant/#", QoS: 0})
		if m := owner.Message(); !m.Retain || len(m.Payload) == 0 {
			t.Errorf("got %+v", m)
		}
		if err := cat.Do(t.Context(), "DELETE", "/devices/"+d.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if m := owner.Message(); m.Topic != "homeassistant/switch/pump/config" || len(m.Payload) != 0 {
			t.Errorf("got %+v", m)
		}
		late := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "late", accessOf(t, cat)))
		late.Subscribe(packet.Filter{Topic: "#", QoS: 0})
		late.Silent()
	})
}

func TestMQTTWillComesBeforeTheNewConnection(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, s *live.Server, v packet.Version) {
		dan := s.User("dan" + suffix(v))
		d := registerDevice(t, dan, "Pump")
		owner := mqtttest.Must(t, s.MQTT, connectAs(v, "owner", accessOf(t, dan)))
		owner.Subscribe(packet.Filter{Topic: "#", QoS: 1})
		p := connectAs(v, "pump", d.Key)
		p.Will = &packet.Will{Topic: "pump/LWT", Payload: []byte("Offline"), QoS: 1, Retain: true}
		first := mqtttest.Must(t, s.MQTT, p)
		second := mqtttest.Must(t, s.MQTT, p)
		if code := first.Ended(); v == packet.V5 && code != packet.TakenOver {
			t.Errorf("the first connection was told 0x%02x", byte(code))
		}
		if s.Nodes() > 1 { // the other node hears it a moment later
			owner.Message()
			return
		}
		second.Publish(packet.Publish{Topic: "pump/LWT", QoS: 1, Payload: []byte("Online")})
		if m := owner.Message(); string(m.Payload) != "Offline" {
			t.Errorf("got %+v first", m)
		}
		if m := owner.Message(); string(m.Payload) != "Online" {
			t.Errorf("got %+v second", m)
		}
		second.Close()
		if m := owner.Message(); string(m.Payload) != "Offline" {
			t.Errorf("got %+v when the connection was cut", m)
		}
		third := mqtttest.Must(t, s.MQTT, p)
		third.Send(packet.AppendDisconnect(nil, packet.DISCONNECT, v, packet.Disconnect{}))
		third.Ended()
		owner.Silent() // no will for who says goodbye
	})
}

func TestMQTTSharesAndMergesSubscriptions(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		fay := s.User("fay")
		key := accessOf(t, fay)
		a := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "a", key))
		b := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "b", key))
		c := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "c", key))
		shared := packet.Filter{Topic: "$share/g/work/#", QoS: 1}
		a.Subscribe(shared)
		b.Subscribe(shared)
		c.Subscribe(packet.Filter{Topic: "work/#", QoS: 0}, packet.Filter{Topic: "work/+", QoS: 1, NoLocal: true},
			packet.Filter{Topic: "work/1"})
		sender := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "sender", key))
		const n = 10
		for range n {
			sender.Publish(packet.Publish{Topic: "work/1", QoS: 1, Payload: []byte("x"),
				Props: packet.Properties{{ID: packet.MessageExpiry, Num: 100}, {ID: packet.ContentType, Text: "text/plain"}}})
		}
		for range n {
			m := c.Message()
			left, _ := m.Props.Num(packet.MessageExpiry)
			kind, _ := m.Props.Text(packet.ContentType)
			if m.QoS != 1 || left < 90 || left > 100 || kind != "text/plain" {
				t.Errorf("got %+v", m)
			}
		}
		c.Silent()
		if s.Nodes() > 1 { // a is on the one, b and the sender are on the other
			for range n {
				b.Message()
			}
		} else {
			for range n / 2 {
				a.Message()
				b.Message()
			}
		}
		a.Silent()
		b.Silent()
		a.Send(packet.AppendDisconnect(nil, packet.DISCONNECT, packet.V5, packet.Disconnect{}))
		a.Ended()
		for range 3 {
			sender.Publish(packet.Publish{Topic: "work/2", QoS: 1})
			b.Message()
		}
	})
}

func TestMQTTKeepsToTheWindowOfAClient(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		key := accessOf(t, s.User("gil"))
		p := connectAs(packet.V5, "slow", key)
		p.Props = packet.Properties{{ID: packet.ReceiveMaximum, Num: 2}, {ID: packet.MaximumPacketSize, Num: 100}}
		slow := mqtttest.Must(t, s.MQTT, p)
		slow.Subscribe(packet.Filter{Topic: "#", QoS: 1})
		sender := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "sender", key))
		sender.Publish(packet.Publish{Topic: "big", QoS: 1, Payload: make([]byte, 200)})
		for i := range byte(4) {
			sender.Publish(packet.Publish{Topic: "t", QoS: 1, Payload: []byte{i}})
		}
		var ids []uint16
		for i := range byte(2) {
			m := slow.Next().Body.(packet.Publish)
			ids = append(ids, m.ID)
			if m.Payload[0] != i {
				t.Errorf("got message %d, want %d", m.Payload[0], i)
			}
		}
		slow.Silent()
		for _, id := range ids {
			slow.Send(packet.AppendAck(nil, packet.PUBACK, packet.V5, packet.Ack{ID: id}))
		}
		for i := range byte(2) {
			if m := slow.Message(); m.Payload[0] != 2+i {
				t.Errorf("got message %d, want %d", m.Payload[0], 2+i)
			}
		}
		slow.Silent()
	})
}

func TestMQTTEndsWhoBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	key := accessOf(t, s.User("hal"))
	publish := func(p packet.Publish) []byte { b, _ := packet.AppendPublish(nil, packet.V5, p); return b }
	alias := func(n uint32) packet.Properties { return packet.Properties{{ID: packet.TopicAlias, Num: n}} }
	for name, c := range map[string]struct {
		bytes []byte
		code  packet.Code
	}{
		"CONNECT twice":    {packet.AppendConnect(nil, connectAs(packet.V5, "x", key)), packet.ProtocolError},
		"type 0":           {[]byte{0, 0}, packet.Malformed},
		"too large":        {[]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, packet.TooLarge},
		"topic alias":      {publish(packet.Publish{Topic: "a", Props: alias(99)}), packet.BadAlias},
		"unknown alias":    {publish(packet.Publish{Props: alias(1)}), packet.ProtocolError},
		"SUBACK of client": {packet.AppendSuback(nil, packet.SUBACK, packet.V5, packet.Suback{ID: 1}), packet.ProtocolError},
	} {
		m := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "id", key))
		m.Send(c.bytes)
		if code := m.Ended(); code != c.code {
			t.Errorf("%s: ended with 0x%02x, want 0x%02x", name, byte(code), byte(c.code))
		}
	}
	p := connectAs(packet.V311, "id", key)
	p.KeepAlive = 1
	quiet := mqtttest.Must(t, s.MQTT, p)
	quiet.Ended() // nothing was heard for 1.5 s
}

func TestMQTTOverWebSocket(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	key := accessOf(t, s.User("ivy"))
	nc, _, err := ws.Dial(t.Context(), s.URL+"/mqtt", http.Header{}, []string{"mqtt"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, ack := mqtttest.On(t, mqtttest.WebSocket(nc), connectAs(packet.V5, "web", key))
	if ack.Code != packet.Success {
		t.Fatalf("refused with 0x%02x", byte(ack.Code))
	}
	c.Subscribe(packet.Filter{Topic: "a", QoS: 1})
	c.Publish(packet.Publish{Topic: "a", Payload: make([]byte, 5000)})
	if m := c.Message(); len(m.Payload) != 5000 {
		t.Errorf("got %d bytes", len(m.Payload))
	}
}

func TestMQTTBoundsWhatIsKept(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		kim := s.User("kim")
		d := registerDevice(t, kim, "Flood")
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "node", d.Key))
		retain := func(topic string, n int) packet.Code {
			return node.Publish(packet.Publish{Topic: topic, QoS: 1, Retain: true, Payload: make([]byte, n)})
		}
		const big = 60 << 10
		for i := range 17 { // a mebibyte
			if code := retain(fmt.Sprint("big/", i), big); code != packet.Success {
				t.Fatalf("message %d was answered 0x%02x", i, byte(code))
			}
		}
		if code := retain("big/17", big); code != packet.QuotaExceeded {
			t.Errorf("more than a mebibyte was answered 0x%02x", byte(code))
		}
		if code := retain("big/16", 10); code != packet.Success { // in the place of a larger one
			t.Errorf("a smaller message was answered 0x%02x", byte(code))
		}
		if code := retain("big/17", big); code != packet.Success {
			t.Errorf("a message that has place again was answered 0x%02x", byte(code))
		}
		if code := retain("huge", 65<<10); code != packet.QuotaExceeded {
			t.Errorf("a payload of 65 KiB was answered 0x%02x", byte(code))
		}
		if code := retain(strings.Repeat("a/", 20), 1); code != packet.BadTopic {
			t.Errorf("a topic of 20 levels was answered 0x%02x", byte(code))
		}
		for i := range 20 {
			c := mqtttest.Must(t, s.MQTT, kept(packet.V5, fmt.Sprint("id", i), d.Key))
			c.Close()
		}
		if _, ack := mqtttest.Connect(t, s.MQTT, kept(packet.V5, "one more", d.Key)); ack.Code != packet.QuotaExceeded {
			t.Errorf("a session too many was answered 0x%02x", byte(ack.Code))
		}
		if _, ack := mqtttest.Connect(t, s.MQTT, kept(packet.V5, "id3", d.Key)); !ack.Present {
			t.Error("a session that was there is not")
		}
	})
}
