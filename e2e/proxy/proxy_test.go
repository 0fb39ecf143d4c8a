// Package proxy proves what deploy/nginx promises, with the real nginx on the
// loopback in front of real servers.
package proxy

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/nginxtest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
	"github.com/unhidra/unhidra/internal/ws"
)

// A record is a log of which lines can be looked for.
type record struct{ testkit.Buffer }

// has reports whether one line has all of the words.
func (r *record) has(words ...string) bool {
	for line := range strings.Lines(r.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}

// site is nginx in front of two nodes on one PostgreSQL, joined by NATS.
func site(t *testing.T, edits ...string) (n *nginxtest.Server, nodes []*live.Server, trust *tls.Config, log *record) {
	t.Helper()
	n = nginxtest.New(t)
	n.Edits = edits
	ca := tlstest.NewAuthority(t)
	ca.Files(n.Dir, 1000*time.Hour)
	log = &record{}
	o, secret, bus := testkit.Postgres(t), rand.Text()+rand.Text(), natstest.Start(t).URL()
	for range 2 {
		s := live.StartLogged(t, o, slog.New(slog.NewJSONHandler(log, nil)), "UNHIDRA_PUBLIC_URL="+n.URL(),
			"UNHIDRA_TRUSTED_PROXIES=127.0.0.1",
			"UNHIDRA_SERVER_KEY="+secret, "NATS_URL="+bus)
		nodes, n.Nodes = append(nodes, s), append(n.Nodes, s.Public)
	}
	n.Configure()
	n.Start()
	return n, nodes, ca.Client(), log
}

func user(t *testing.T, n *nginxtest.Server, trust *tls.Config, name string) *client.Client {
	t.Helper()
	c := client.New(n.URL())
	c.Trust(trust)
	if err := c.Register(t.Context(), client.Registration{Username: name, Password: live.Password}); err != nil {
		t.Fatal(err)
	}
	return c
}

// Messages through nginx survive two reloads and a node that is drained: each
// comes once and in order.
func TestNothingIsLost(t *testing.T) {
	n, nodes, trust, _ := site(t)
	ctx := t.Context()
	ann, bob := user(t, n, trust, "ann"), user(t, n, trust, "bob")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
	if err != nil {
		t.Fatal(err)
	}
	invite, err := ann.Invite(ctx, room.ID, 3600, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Accept(ctx, invite.Code); err != nil {
		t.Fatal(err)
	}
	const total = 120
	got := make(chan client.Event, 10*total)
	bobs := bob.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) { got <- e }})
	t.Cleanup(bobs.Close)
	anns := ann.Live(ctx, client.LiveOptions{})
	t.Cleanup(anns.Close)
	if err := bobs.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range total {
		switch i {
		case total / 4, total / 2:
			n.Reload()
		case 3 * total / 4:
			go nodes[0].Stop()
		}
		if _, err := anns.Send(ctx, client.Draft{Room: room.ID, Key: fmt.Sprint("k", i),
			Text: fmt.Sprint("message ", i)}); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	for i, last := 0, int64(0); i < total; {
		select {
		case e := <-got:
			if e.Seq <= last {
				t.Errorf("event %d after %d", e.Seq, last)
			}
			last = e.Seq
			if e.Type == "message.created" {
				if want := fmt.Sprint("message ", i); e.Message == nil || e.Message.Text != want {
					t.Fatalf("got %+v, want %s", e, want)
				}
				i++
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("only %d of %d messages came", i, total)
		}
	}
}

// get asks nginx from the address from, with whatever header fields a client may
// invent.
func get(t *testing.T, n *nginxtest.Server, trust *tls.Config, from, path string, header http.Header) *http.Response {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	tr := &http.Transport{TLSClientConfig: trust.Clone(), DialContext: d.DialContext, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+strconv.Itoa(n.Secure)+path,
		nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	req.Host = "localhost"
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// The client's address is the one that nginx saw, whatever the client claims, and
// the API speaks HTTP/2 with HSTS.
func TestAddresses(t *testing.T) {
	n, _, trust, log := site(t)
	for i, h := range []http.Header{
		{}, {"X-Forwarded-For": {"203.0.113.9"}}, {"X-Forwarded-For": {"203.0.113.9, 127.0.0.1"}},
		{"X-Real-Ip": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9"}},
	} {
		path := fmt.Sprint("/api/v1/nothing/", i)
		res := get(t, n, trust, "127.0.0.5", path, h)
		if res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("%s %v", res.Proto, res.Header)
		}
		eventually(t, func() bool { return log.has(`"path":"`+path+`"`, `"addr":"127.0.0.5"`) })
	}
	if log.has("203.0.113.9") {
		t.Error("an invented address is believed")
	}
}

// dial opens a WebSocket through nginx.
func dial(t *testing.T, n *nginxtest.Server, trust *tls.Config, token string) (net.Conn, error) {
	t.Helper()
	c, _, err := ws.Dial(t.Context(), n.URL()+"/ws", nil, []string{"bearer", token}, trust)
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// Beyond the limit for one address nginx answers 429, and lets others be.
func TestLimit(t *testing.T) {
	n, _, trust, _ := site(t, "unhidra_sockets 200;", "unhidra_sockets 5;")
	ann := user(t, n, trust, "ann")
	var last net.Conn
	for i := range 5 {
		c, err := dial(t, n, trust, ann.Tokens().Access)
		if err != nil {
			t.Fatalf("socket %d: %v", i, err)
		}
		last = c
	}
	if _, err := dial(t, n, trust, ann.Tokens().Access); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("socket 6: %v", err)
	}
	if res := get(t, n, trust, "127.0.0.1", "/ready", nil); res.StatusCode != http.StatusOK {
		t.Errorf("the API: %s", res.Status)
	}
	_ = last.Close()
	eventually(t, func() bool { _, err := dial(t, n, trust, ann.Tokens().Access); return err == nil })
}

// A socket on which nobody says anything is kept by the server's pings, with a
// proxy that would cut it off without them; and a reload does not drop it.
func TestIdle(t *testing.T) {
	if os.Getenv("CI") == "" && os.Getenv("UNHIDRA_TEST_LONG") == "" {
		t.Skip("takes a minute: set UNHIDRA_TEST_LONG=1")
	}
	n, _, trust, _ := site(t, "proxy_read_timeout 90s;", "proxy_read_timeout 27s;")
	ann := user(t, n, trust, "ann")
	hellos := make(chan struct{}, 10)
	l := ann.Live(t.Context(), client.LiveOptions{OnHello: func(client.Hello) { hellos <- struct{}{} }})
	t.Cleanup(l.Close)
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.Reload()
	<-hellos
	select {
	case <-hellos:
		t.Error("the socket was cut off and opened again")
	case <-time.After(60 * time.Second):
	}
}

// nginx forwards bytes alone, Unhidra speaks TLS and hears of the client by the
// PROXY protocol.
func TestStream(t *testing.T) {
	n := nginxtest.New(t)
	if _, err := os.Stat(nginxtest.StreamModule); err != nil {
		t.Skip("no stream module of nginx: install libnginx-mod-stream")
	}
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(t.TempDir(), 1000*time.Hour)
	log := &record{}
	s := live.StartLogged(t, testkit.SQLite(t), slog.New(slog.NewJSONHandler(log, nil)), "UNHIDRA_PUBLIC_URL="+n.URL(),
		"UNHIDRA_TRUSTED_PROXIES=127.0.0.1",
		"UNHIDRA_PROXY_PROTOCOL=on", "UNHIDRA_TLS_CERT="+cert, "UNHIDRA_TLS_KEY="+key,
		"UNHIDRA_MQTT_TLS_ADDR=127.0.0.1:0")
	n.Nodes, n.Broker = []string{s.Public}, s.MQTTS
	n.ConfigureStream("stream.conf")
	n.Start()
	ann := user(t, n, ca.Client(), "ann")
	if _, err := dial(t, n, ca.Client(), ann.Tokens().Access); err != nil {
		t.Error(err)
	}
	get(t, n, ca.Client(), "127.0.0.5", "/api/v1/nothing", http.Header{"X-Forwarded-For": {"203.0.113.9"}})
	eventually(t, func() bool { return log.has(`"path":"/api/v1/nothing"`, `"addr":"127.0.0.5"`) })
	mqttBy(t, n, ca.Client(), ann)
}

// nginx ends TLS for devices, and MQTT hears of the client by the PROXY protocol, though HTTP does not.
func TestMQTT(t *testing.T) {
	n := nginxtest.New(t)
	if _, err := os.Stat(nginxtest.StreamModule); err != nil {
		t.Skip("no stream module of nginx: install libnginx-mod-stream")
	}
	ca := tlstest.NewAuthority(t)
	ca.Files(n.Dir, 1000*time.Hour)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_TRUSTED_PROXIES=127.0.0.1", "UNHIDRA_PROXY_PROTOCOL=mqtt")
	n.Broker = s.MQTT
	n.ConfigureStream("mqtt.conf")
	n.Start()
	mqttBy(t, n, ca.Client(), s.User("ann"))
}

// mqttBy connects a device of owner through nginx from 127.0.0.5, and publishes. The server knows the address.
func mqttBy(t *testing.T, n *nginxtest.Server, trust *tls.Config, owner *client.Client) {
	t.Helper()
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	if err := owner.Do(t.Context(), http.MethodPost, "/devices", map[string]string{"name": "pump"}, &made); err != nil {
		t.Fatal(err)
	}
	trust.ServerName = "localhost"
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}}, Config: trust}
	nc, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(n.MQTT))
	if err != nil {
		t.Fatal(err)
	}
	c, ack := mqtttest.On(t, nc, packet.Connect{Version: packet.V5, ClientID: "pump", CleanStart: true, KeepAlive: 60,
		HasUser: true, User: "any", HasPassword: true, Password: made.Key})
	if ack.Code != packet.Success {
		t.Fatalf("refused with 0x%02x", byte(ack.Code))
	}
	if code := c.Publish(packet.Publish{Topic: "pump/state", Payload: []byte("21.4"), QoS: 1}); code != packet.Success {
		t.Errorf("a message was answered 0x%02x", byte(code))
	}
	c.Close()
	eventually(t, func() bool {
		var ended struct{ Items []struct{ Addr string } }
		err := owner.Do(t.Context(), http.MethodGet, "/devices/"+made.Device.ID+"/connections", nil, &ended)
		return err == nil && len(ended.Items) == 1 && ended.Items[0].Addr == "127.0.0.5"
	})
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); !done(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen within two minutes")
		}
	}
}
