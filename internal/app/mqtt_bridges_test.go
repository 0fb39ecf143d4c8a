package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// behind returns the devices that a bridge speaks for, by name, once there are so many.
func behind(t *testing.T, owner *client.Client, bridge string, count int) map[string]string {
	t.Helper()
	all := make(map[string]string)
	if !comes(func() bool {
		var page struct {
			Items []struct{ ID, Name, Bridge string }
		}
		must(t, owner.Do(t.Context(), "GET", "/devices", nil, &page))
		for _, d := range page.Items {
			if d.Bridge == bridge {
				all[d.Name] = d.ID
			}
		}
		return len(all) >= count
	}) {
		t.Fatalf("the bridge speaks for %v", all)
	}
	return all
}

// zigbee2mqtt publishes what it announces of a device, a plug with a thermometer.
func zigbee2mqtt(t *testing.T, node *mqtttest.Client, address, name string) {
	t.Helper()
	const device = `"device":{"identifiers":["zigbee2mqtt_%[1]s"],"manufacturer":"TuYa","model":"TS011F","name":"%[2]s",
		"via_device":"zigbee2mqtt_bridge_0x00124b0011223344"},"origin":{"name":"Zigbee2MQTT","sw":"2.12.1"},
		"state_topic":"zigbee2mqtt/%[2]s","unique_id":"%[1]s_%[3]s_zigbee2mqtt"`
	for topic, rest := range map[string]string{
		"sensor/%s/temperature/config": `"device_class":"temperature","unit_of_measurement":"°C",
			"value_template":"{{ value_json[\"temperature\"] }}",`,
		"switch/%s/switch/config": `"name":null,"payload_on":"ON","payload_off":"OFF","command_topic":"zigbee2mqtt/` + name +
			`/set","value_template":"{{ value_json[\"state\"] }}",`,
	} {
		topic = "homeassistant/" + fmt.Sprintf(topic, address)
		payload := "{" + rest + fmt.Sprintf(device, address, name, strings.Split(topic, "/")[3]) + "}"
		if code := node.Publish(packet.Publish{Topic: topic, Retain: true, QoS: 1, Payload: []byte(payload)}); code != 0 {
			t.Errorf("%s was answered 0x%02x", topic, byte(code))
		}
	}
}

// What a bridge such as zigbee2mqtt announces are devices of their own: they measure, obey and end by themselves, and
// fall with the bridge.
func TestMQTTBridgesSpeakForDevices(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		var bridge issued
		body := map[string]any{"name": "Zigbee", "access": "bridge"}
		if err := ann.Do(t.Context(), "POST", "/devices", body, &bridge); err != nil {
			t.Fatal(err)
		}
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "z2m", bridge.Key))
		node.Subscribe(packet.Filter{Topic: "zigbee2mqtt/+/set"})
		for i := range 3 {
			zigbee2mqtt(t, node, fmt.Sprint("0x0", i), fmt.Sprint("plug", i))
		}
		plugs := behind(t, ann, bridge.Device.ID, 3)
		plug := plugs["plug1"]
		awaitActuator(t, ann, plug, "switch")
		publish := func(topic, payload string) {
			node.Publish(packet.Publish{Topic: topic, QoS: 1, Payload: []byte(payload)})
		}
		publish("zigbee2mqtt/plug1", `{"temperature":21.5,"state":"OFF","linkquality":120}`)
		if got := lastValues(t, ann, plug); got["temperature"] != "21.5 Cel" || got["switch"] != "false" {
			t.Errorf("the values are %v", got)
		}
		for _, other := range []string{bridge.Device.ID, plugs["plug0"], plugs["plug2"]} {
			if got := lastValues(t, ann, other); len(got) != 0 {
				t.Errorf("another device measures %v", got)
			}
		}
		var c struct{ ID string }
		command := map[string]any{"action": "switch", "args": map[string]any{"on": true}, "key": "k"}
		if err := ann.Do(t.Context(), "POST", "/devices/"+plug+"/commands", command, &c); err != nil {
			t.Fatal(err)
		}
		if m := node.Message(); m.Topic != "zigbee2mqtt/plug1/set" || string(m.Payload) != "ON" {
			t.Errorf("the bridge got %+v", m)
		}
		publish("zigbee2mqtt/plug1", `{"state":"ON"}`)
		if state, why := awaitCommand(t, ann, plug, c.ID); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		if err := ann.Do(t.Context(), "POST", "/devices/"+plug+"/keys", map[string]any{}, nil); err == nil {
			t.Error("a device behind a bridge got a key")
		}
		// One that is revoked stays out, also when it is announced anew.
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+plug, nil, nil); err != nil {
			t.Fatal(err)
		}
		zigbee2mqtt(t, node, "0x01", "plug1 again")
		zigbee2mqtt(t, node, "0x03", "plug3")
		plugs = behind(t, ann, bridge.Device.ID, 4)
		publish("zigbee2mqtt/plug1 again", `{"temperature":30}`)
		if got := lastValues(t, ann, plug); got["temperature"] != "21.5 Cel" || len(plugs) != 4 {
			t.Errorf("a revoked device measures %v, and the devices are %v", got, plugs)
		}
		if err := ann.Do(t.Context(), "DELETE", "/devices/"+bridge.Device.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		for name, id := range plugs {
			var d struct {
				RevokedAt string `json:"revoked_at"`
			}
			if err := ann.Do(t.Context(), "GET", "/devices/"+id, nil, &d); err != nil || d.RevokedAt == "" {
				t.Errorf("%s did not fall with its bridge: %+v, %v", name, d, err)
			}
		}
	})
}

// zigbee2mqtt has far more topics, and more retained messages, than one device may have.
func TestMQTTBridgesMayRetainMore(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		var bridge issued
		if err := ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Z", "access": "bridge"},
			&bridge); err != nil {
			t.Fatal(err)
		}
		node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "z2m", bridge.Key))
		var codes []packet.Code
		for i := range 501 {
			codes = append(codes, node.Publish(packet.Publish{Topic: fmt.Sprint("zigbee2mqtt/", i), QoS: 1, Retain: true,
				Payload: []byte("x")}))
		}
		if i := slices.IndexFunc(codes, func(c packet.Code) bool { return c != packet.Success }); i >= 0 {
			t.Errorf("message %d was answered 0x%02x", i, byte(codes[i]))
		}
	})
}

// The devices behind a bridge are there as long as it is connected, unless it says otherwise of one: also when it did
// so before the server began.
func TestMQTTDevicesBehindABridgeAreThereOrNot(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ann := s.User("ann")
		var bridge issued
		if err := ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Z", "access": "bridge"},
			&bridge); err != nil {
			t.Fatal(err)
		}
		connect := func() (node *mqtttest.Client, publish func(topic, payload string)) {
			node = mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "z2m", bridge.Key))
			publish = func(topic, payload string) {
				node.Publish(packet.Publish{Topic: "zigbee2mqtt/" + topic, QoS: 1, Retain: true, Payload: []byte(payload)})
			}
			publish("bridge/state", `{"state":"online"}`)
			return node, publish
		}
		node, publish := connect()
		for _, name := range []string{"bed", "door"} {
			payload := fmt.Sprintf(`{"availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":
				"{{ value_json.state }}"},{"topic":"zigbee2mqtt/%[1]s/availability","value_template":"{{ value_json.state }}"}],
				"availability_mode":"all","device":{"identifiers":["zigbee2mqtt_%[1]s"],"name":"%[1]s",
				"via_device":"zigbee2mqtt_bridge"},"device_class":"humidity","state_topic":"zigbee2mqtt/%[1]s",
				"unique_id":"%[1]s_humidity","unit_of_measurement":"%%","value_template":"{{ value_json.humidity }}"}`, name)
			node.Publish(packet.Publish{Topic: "homeassistant/sensor/" + name + "/humidity/config", QoS: 1, Retain: true,
				Payload: []byte(payload)})
		}
		all := behind(t, ann, bridge.Device.ID, 2)
		awaitOnline(t, ann, all["bed"], "online")
		publish("door/availability", `{"state":"offline"}`)
		awaitOnline(t, ann, all["door"], "offline")
		publish("bridge/state", `{"state":"online"}`)
		awaitOnline(t, ann, all["bed"], "online")
		awaitOnline(t, ann, all["door"], "offline")
		publish("door/availability", `{"state":"online"}`)
		awaitOnline(t, ann, all["door"], "online")
		publish("door/availability", `{"state":"offline"}`)
		node.Close()
		awaitOnline(t, ann, all["bed"], "offline")
		if s.Nodes() > 1 {
			return // the restart is that of one process
		}
		s.Stop()
		s = start()
		tokens := ann.Tokens()
		ann = client.New(s.URL)
		ann.SetTokens(tokens)
		node, _ = connect()
		defer node.Close()
		awaitOnline(t, ann, all["bed"], "online")
		awaitOnline(t, ann, all["door"], "offline")
	})
}
