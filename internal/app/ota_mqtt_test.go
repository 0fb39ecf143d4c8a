package app_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// Tasmota loads what it is told to over MQTT, and what it announces then says whether it has succeeded. A download that
// fails is tried again later.
func TestTasmotaIsToldToLoadOverMQTT(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		t.Parallel()
		s := start(firmwaretest.Quick)
		f := newFirm(t, s, s.User("ann"), "")
		image := randomBytes(5000, 5)
		f.publish("14.4.0", 1, randomBytes(5000, 4))
		f.bring(f.publish("14.4.1", 2, image).ID)
		plug, broken := f.pulling("Plug"), f.pulling("Broken plug")
		connect := func(p *pulling, name string) (*mqtttest.Client, func(version string)) {
			node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, name, p.key))
			node.Subscribe(packet.Filter{Topic: "cmnd/" + name + "/#"})
			return node, func(version string) {
				node.Publish(packet.Publish{Topic: "tasmota/discovery/" + name + "/config", Retain: true, QoS: 1, Payload: []byte(
					`{"mac":"` + name + `","sw":"` + version + `","t":"` + name + `","tp":["cmnd","stat","tele"],"rl":[1]}`)})
			}
		}
		told := func(node *mqtttest.Client, name, url string) {
			t.Helper()
			for _, want := range []string{"OtaUrl " + url, "Upgrade 1"} {
				m := node.Message()
				if got := m.Topic + " " + string(m.Payload); got != "cmnd/"+name+"/"+want || m.Retain {
					t.Errorf("it is told %s, retained: %v, want %s", got, m.Retain, want)
				}
			}
		}
		other := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "other", f.pulling("Lamp").key))
		other.Subscribe(packet.Filter{Topic: "cmnd/#"})
		node, announce := connect(plug, "plug")
		announce("14.4.0")
		told(node, "plug", plug.ota.Image)
		res, b := plug.ask("GET", plug.ota.Image)
		if res.StatusCode != http.StatusOK || !bytes.Equal(b, image) {
			t.Errorf("the image: %s, %d bytes", res.Status, len(b))
		}
		plug.becomes("installing")
		announce("14.4.1")
		plug.becomes("succeeded")

		node, announce = connect(broken, "broken")
		announce("14.4.0")
		told(node, "broken", broken.ota.Image)
		node.Publish(packet.Publish{Topic: "stat/broken/UPGRADE", QoS: 1,
			Payload: []byte(`{"Upgrade":"Failed HTTP error: connection refused"}`)})
		broken.becomes("deferred")
		other.Silent() // who has a link gets the firmware
	})
}

// ESPHome says in its announcements which version of its project it runs, and loads the image by itself.
func TestESPHomeSaysOverMQTTWhatItRuns(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	f.bring(f.publish("2.0.0", 2, randomBytes(5000, 5)).ID)
	p := f.pulling("Tank")
	node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "tank", p.key))
	announce := func(version string) {
		node.Publish(packet.Publish{Topic: "homeassistant/sensor/tank/level/config", Retain: true, QoS: 1, Payload: []byte(
			`{"name":"Level","stat_t":"tank/level","dev":{"ids":"a0","sw":"` + version + ` (ESPHome 2026.10.1)"}}`)})
	}
	announce("1.0.0")
	p.becomes("offered")
	p.answers("the image", http.StatusOK, "GET", p.ota.Image)
	p.becomes("installing")
	announce("2.0.0")
	p.becomes("succeeded")
}
