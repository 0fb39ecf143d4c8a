package app_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// Who looks for lost messages finds in the log which device the topic belongs to.
func TestMQTTLogNamesWhoseTopicItIs(t *testing.T) {
	t.Parallel()
	var out testkit.Buffer
	s := live.StartLogged(t, testkit.SQLite(t), slog.New(slog.NewJSONHandler(&out, nil)))
	ann := s.User("ann")
	first, second := registerDevice(t, ann, "First"), registerDevice(t, ann, "Second")
	p := packet.Publish{Topic: "pump/state", QoS: 1, Payload: []byte("1")}
	if code := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "a", first.Key)).Publish(p); code != packet.Success {
		t.Fatalf("the first device was answered 0x%02x", byte(code))
	}
	node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "b", second.Key))
	if code := node.Publish(p); code != packet.NotAuthorized {
		t.Errorf("the second device was answered 0x%02x", byte(code))
	}
	if got := out.String(); !strings.Contains(got, `"holder":"`+first.Device.ID+`"`) {
		t.Errorf("the log does not name the holder: %s", got)
	}
}
