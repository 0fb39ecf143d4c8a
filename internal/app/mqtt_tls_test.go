package app_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// Behind a proxy that ends TLS for browsers, MQTT speaks TLS by a certificate of its own, and devices
// are told where.
func TestMQTTHasTLSWhereThePublicListenerHasNone(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(t.TempDir(), 24*time.Hour, "localhost", "127.0.0.1")
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_MQTT_TLS_ADDR=127.0.0.1:0", "UNHIDRA_MQTT_TLS_CERT="+cert,
		"UNHIDRA_MQTT_TLS_KEY="+key, "UNHIDRA_MQTT_URL=mqtts://mqtt.example.org")
	if !strings.HasPrefix(s.URL, "http://") {
		t.Fatalf("the public listener is %s", s.URL)
	}
	ann := s.User("ann")
	d := registerDevice(t, ann, "Pump")
	nc, err := (&tls.Dialer{Config: ca.Client()}).DialContext(t.Context(), "tcp", s.MQTTS)
	if err != nil {
		t.Fatal(err)
	}
	if _, ack := mqtttest.On(t, nc, connectAs(packet.V5, "pump", d.Key)); ack.Code != packet.Success {
		t.Errorf("refused with 0x%02x", byte(ack.Code))
	}
	var told struct {
		MQTT struct {
			Host string
			Port int
			TLS  bool
		}
	}
	if err := ann.Do(t.Context(), "GET", "/server", nil, &told); err != nil {
		t.Fatal(err)
	}
	if m := told.MQTT; m.Host != "mqtt.example.org" || m.Port != 8883 || !m.TLS {
		t.Errorf("devices are told %+v", m)
	}
}

// A proxy before MQTT alone says who the client is; that before HTTP has a header for it.
func TestMQTTBehindAProxyCountsClientsByTheirAddress(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_TRUSTED_PROXIES=127.0.0.1", "UNHIDRA_PROXY_PROTOCOL=mqtt",
		"UNHIDRA_CONNECTIONS_PER_ADDR=1")
	d := registerDevice(t, s.User("ann"), "Pump")
	connect := func(from, id string) packet.Code {
		nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.MQTT)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(nc, "PROXY TCP4 %s 127.0.0.1 40000 1883\r\n", from); err != nil {
			t.Fatal(err)
		}
		_, ack := mqtttest.On(t, nc, connectAs(packet.V5, id, d.Key))
		return ack.Code
	}
	if code := connect("192.0.2.1", "one"); code != packet.Success {
		t.Errorf("the first client is refused with 0x%02x", byte(code))
	}
	if code := connect("192.0.2.2", "two"); code != packet.Success {
		t.Errorf("a client with another address is refused with 0x%02x", byte(code))
	}
	if code := connect("192.0.2.1", "three"); code == packet.Success {
		t.Error("a second client from one address is let in")
	}
}

// pieces writes to a socket in pieces of some bytes.
type pieces struct {
	net.Conn
	size int
}

func (p *pieces) Write(b []byte) (n int, err error) {
	for part := range slices.Chunk(b, p.size) {
		if _, err := p.Conn.Write(part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// What comes over TLS is understood in whatever pieces it arrives: many packets in a record, a packet over many
// records, and records byte by byte. The end is noticed, of either side.
func TestMQTTOverTLSInAnyPieces(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(t.TempDir(), 24*time.Hour, "localhost", "127.0.0.1")
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_MQTT_TLS_ADDR=127.0.0.1:0", "UNHIDRA_MQTT_TLS_CERT="+cert,
		"UNHIDRA_MQTT_TLS_KEY="+key)
	ann := s.User("ann")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{1, 7, 1500, 1 << 20} {
			d := registerDevice(t, ann, fmt.Sprint("Pump ", version, "-", size))
			nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.MQTTS)
			if err != nil {
				t.Fatal(err)
			}
			config := ca.Client()
			config.ServerName, config.MaxVersion = "localhost", version
			config.DynamicRecordSizingDisabled = size > 1500
			node, ack := mqtttest.On(t, tls.Client(&pieces{nc, size}, config), connectAs(packet.V5, "pump", d.Key))
			if ack.Code != packet.Success {
				t.Fatalf("refused with 0x%02x", byte(ack.Code))
			}
			small, large := d.Device.ID+"/small", d.Device.ID+"/large"
			node.Subscribe(packet.Filter{Topic: d.Device.ID + "/#"})
			big := bytes.Repeat([]byte("x"), 60_000/max(1, 1500/size)) // byte by byte takes its time
			var many []byte
			for i := range 50 {
				many, _ = packet.AppendPublish(many, packet.V5, packet.Publish{Topic: small, Payload: fmt.Append(nil, i)})
			}
			many, _ = packet.AppendPublish(many, packet.V5, packet.Publish{Topic: large, Payload: big})
			node.Send(many)
			for i := range 50 {
				if m := node.Message(); m.Topic != small || string(m.Payload) != fmt.Sprint(i) {
					t.Fatalf("TLS %x in pieces of %d: message %d is %s %q", version, size, i, m.Topic, m.Payload)
				}
			}
			if m := node.Message(); m.Topic != large || !bytes.Equal(m.Payload, big) {
				t.Errorf("TLS %x in pieces of %d: %s has %d bytes", version, size, m.Topic, len(m.Payload))
			}
			if size == 7 { // the server ends it
				if err := ann.Do(t.Context(), "DELETE", "/devices/"+d.Device.ID, nil, nil); err != nil {
					t.Fatal(err)
				}
				if code := node.Ended(); code != packet.Administrative {
					t.Errorf("the connection of a revoked device ended with 0x%02x", byte(code))
				}
				continue
			}
			if size > 1500 { // the client does
				awaitOnline(t, ann, d.Device.ID, "online")
				node.Close()
				awaitOnline(t, ann, d.Device.ID, "offline")
			}
		}
	}
}
