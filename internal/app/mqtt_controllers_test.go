package app_test

import (
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// registerController registers a program that sees and commands all devices of its owner.
func registerController(t *testing.T, owner *client.Client, name string) issued {
	t.Helper()
	var out issued
	body := map[string]any{"name": name, "access": "controller"}
	if err := owner.Do(t.Context(), "POST", "/devices", body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A program with the key of a controller sees and commands the devices of its owner, and nobody else's, until
// the key is revoked.
func TestMQTTControllersSeeTheDevicesOfTheirOwner(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ann, bob := s.User("ann"), s.User("bob")
		pump, other := registerDevice(t, ann, "Pump"), registerDevice(t, bob, "Other")
		home := registerController(t, ann, "Home")
		var seen struct{ Access string }
		if err := ann.Do(t.Context(), "GET", "/devices/"+home.Device.ID, nil, &seen); err != nil || seen.Access != "controller" {
			t.Errorf("the controller has the access %q, %v", seen.Access, err)
		}
		if err := ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "X", "access": "all"}, nil); err == nil {
			t.Error("an access that does not exist was accepted")
		}
		c := mqtttest.Must(t, s.MQTT, kept(packet.V5, "home", home.Key))
		c.Subscribe(packet.Filter{Topic: "#", QoS: 1})
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", pump.Key))
		node.Subscribe(packet.Filter{Topic: "cmnd/pump/#", QoS: 1})
		stranger := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "other", other.Key))
		stranger.Publish(packet.Publish{Topic: "tele/pump/LWT", QoS: 1, Payload: []byte("not ann's")})
		node.Publish(packet.Publish{Topic: "tele/pump/LWT", QoS: 1, Payload: []byte("Online")})
		if m := c.Message(); m.Topic != "tele/pump/LWT" || string(m.Payload) != "Online" {
			t.Errorf("the controller got %+v", m)
		}
		// Whose topics they are is no matter to a controller.
		for topic, want := range map[string]packet.Code{
			"cmnd/pump/POWER":                packet.Success,
			"uh/d/" + pump.Device.ID + "/up": packet.NotAuthorized,
			"uh/d/" + home.Device.ID + "/up": packet.NotAuthorized,
		} {
			if code := c.Publish(packet.Publish{Topic: topic, QoS: 1, Payload: []byte("ON")}); code != want {
				t.Errorf("%s was answered 0x%02x, want 0x%02x", topic, byte(code), byte(want))
			}
		}
		if m := node.Message(); m.Topic != "cmnd/pump/POWER" || string(m.Payload) != "ON" {
			t.Errorf("the node got %+v", m)
		}
		c.Close()
		if s.Nodes() == 1 {
			s.Stop()
			s = start()
			node = mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "pump", pump.Key))
			again := client.New(s.URL)
			again.SetTokens(ann.Tokens())
			ann = again
		}
		// Its session is that of a controller also while it is away.
		node.Publish(packet.Publish{Topic: "tele/pump/STATE", QoS: 1, Payload: []byte("{}")})
		c = mqtttest.Must(t, s.MQTT, kept(packet.V5, "home", home.Key))
		for m := c.Message(); m.Topic != "tele/pump/STATE"; m = c.Message() {
			if m.Topic != "cmnd/pump/POWER" { // its own message, which it has not acknowledged
				t.Fatalf("the controller got %+v", m)
			}
		}
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+home.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		if code := c.Ended(); code != packet.Administrative {
			t.Errorf("a revoked controller was told 0x%02x", byte(code))
		}
	})
}
