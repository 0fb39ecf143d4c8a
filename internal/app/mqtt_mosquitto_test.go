package app_test

import (
	"context"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// mosquitto runs one of Debian's programs against the server, and returns what it prints.
func mosquitto(t *testing.T, s *live.Server, program, secret string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed (Debian: mosquitto-clients): a real client is not tried", program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	_, port, _ := strings.Cut(s.MQTT, ":")
	return exec.CommandContext(ctx, path, append([]string{"-h", "127.0.0.1", "-p", port, "-u", "any", "-P", secret},
		args...)...)
}

func TestMosquittoClients(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	joe := s.User("joe")
	d := registerDevice(t, joe, "Pump")
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for _, qos := range []string{"0", "1", "2"} {
			topic := "pump/" + version + "/" + qos
			if out, err := mosquitto(t, s, "mosquitto_pub", d.Key, "-V", version, "-q", qos, "-r", "-t", topic, "-m",
				"21.4").CombinedOutput(); err != nil {
				t.Fatalf("mosquitto_pub %s QoS %s: %v: %s", version, qos, err, out)
			}
			out, err := mosquitto(t, s, "mosquitto_sub", accessOf(t, joe), "-V", version, "-q", qos, "-t", topic, "-C", "1",
				"-v").
				CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != topic+" 21.4" {
				t.Errorf("mosquitto_sub %s QoS %s: %v: %s", version, qos, err, out)
			}
		}
	}
	out, err := mosquitto(t, s, "mosquitto_pub", "wrong", "-V", "mqttv311", "-t", "a", "-m", "b").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not authorised") && !strings.Contains(string(out), "bad user") {
		t.Errorf("a wrong key: %v: %s", err, out)
	}
	answer := mosquitto(t, s, "mosquitto_rr", accessOf(t, joe), "-V", "mqttv5", "-t", "ask", "-e", "answer", "-m",
		"how warm?")
	responder := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "responder", accessOf(t, joe)))
	responder.Subscribe(packet.Filter{Topic: "ask", QoS: 1})
	done := make(chan string, 1)
	go func() { out, _ := answer.CombinedOutput(); done <- string(out) }()
	m := responder.Message()
	to, _ := m.Props.Text(packet.ResponseTopic)
	responder.Publish(packet.Publish{Topic: to, QoS: 1, Payload: []byte("21.4")})
	if out := next(t, done); strings.TrimSpace(out) != "21.4" {
		t.Errorf("mosquitto_rr printed %q", out)
	}
}

func TestMosquittoClientsByTLS(t *testing.T) {
	t.Parallel()
	ca, dir := tlstest.NewAuthority(t), t.TempDir()
	cert, key := ca.Files(dir, 24*time.Hour, "localhost", "127.0.0.1")
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_TLS_CERT="+cert, "UNHIDRA_TLS_KEY="+key,
		"UNHIDRA_MQTT_TLS_ADDR=127.0.0.1:0")
	c := client.New(s.URL)
	c.Trust(ca.Client())
	if err := c.Register(t.Context(), client.Registration{Username: "lea", Password: live.Password}); err != nil {
		t.Fatal(err)
	}
	d := registerDevice(t, c, "Pump")
	nc, err := (&tls.Dialer{Config: ca.Client()}).DialContext(t.Context(), "tcp", s.MQTTS)
	if err != nil {
		t.Fatal(err)
	}
	owner, ack := mqtttest.On(t, nc, connectAs(packet.V5, "owner", accessOf(t, c)))
	if ack.Code != packet.Success {
		t.Fatalf("refused with 0x%02x", byte(ack.Code))
	}
	owner.Subscribe(packet.Filter{Topic: "#", QoS: 1})
	authority := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(authority, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := mosquitto(t, s, "mosquitto_pub", d.Key, "-V", "mqttv5", "-q", "1", "-t", "pump/state", "-m", "21.4", "--cafile",
		authority)
	_, port, _ := strings.Cut(s.MQTTS, ":")
	cmd.Args[slices.Index(cmd.Args, "-p")+1] = port
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_pub by TLS: %v: %s", err, out)
	}
	if m := owner.Message(); m.Topic != "pump/state" || string(m.Payload) != "21.4" {
		t.Errorf("got %+v", m)
	}
}
