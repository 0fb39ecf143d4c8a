package app_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// shelly is a node of the second generation, in the form that its maker documents.
type shelly struct {
	t    *testing.T
	node *mqtttest.Client
	on   bool
}

func newShelly(t *testing.T, addr, key string) *shelly {
	t.Helper()
	node := mqtttest.Must(t, addr, connectAs(packet.V311, "shellyplus1-a0b1c2d3e4f5", key))
	node.Subscribe(packet.Filter{Topic: "cellar/pump/rpc", QoS: 1})
	s := &shelly{t: t, node: node}
	s.publish("cellar/pump/online", "true")
	return s
}

func (s *shelly) publish(topic, payload string) packet.Code {
	return s.node.Publish(packet.Publish{Topic: topic, QoS: 1, Retain: topic == "cellar/pump/online",
		Payload: []byte(payload)})
}

// serve answers one question or command, and returns its method.
func (s *shelly) serve() string {
	s.t.Helper()
	m := s.node.Message()
	var r struct {
		ID     int64
		Src    string
		Method string
		Params struct{ On bool }
	}
	if err := json.Unmarshal(m.Payload, &r); err != nil || m.Topic != "cellar/pump/rpc" {
		s.t.Fatalf("the node got %s %s, %v", m.Topic, m.Payload, err)
	}
	body := `"error":{"code":404,"message":"No handler"}`
	switch r.Method {
	case "Shelly.GetDeviceInfo":
		body = `"result":{"id":"shellyplus1-a0b1c2d3e4f5","mac":"A0B1C2D3E4F5","model":"SNSW-001X16EU","ver":"1.4.4",
			"app":"Plus1"}`
	case "Shelly.GetStatus":
		body = fmt.Sprintf(`"result":{"switch:0":{"id":0,"output":%v,"temperature":{"tC":40.5}},"cover:1":{"id":1,
			"state":"open"},"sys":{"uptime":1}}`, s.on)
	case "Switch.Set":
		body = fmt.Sprintf(`"result":{"was_on":%v}`, s.on)
		s.on = r.Params.On
	}
	s.node.Publish(packet.Publish{Topic: r.Src + "/rpc",
		Payload: fmt.Appendf(nil, `{"id":%d,"src":"shellyplus1-a0b1c2d3e4f5","dst":%q,%s}`, r.ID, r.Src, body)})
	return r.Method
}

// giveOn gives a command that switches something on, and returns its id.
func giveOn(t *testing.T, owner *client.Client, device, action, key string, args map[string]any) string {
	t.Helper()
	var c struct{ ID string }
	body := map[string]any{"action": action, "args": args, "key": key}
	var err error
	if !comes(func() bool { // a node may hear a moment later what the device has declared
		err = owner.Do(t.Context(), "POST", "/devices/"+device+"/commands", body, &c)
		return err == nil
	}) {
		t.Fatal(err)
	}
	return c.ID
}

// A Shelly announces nothing: it is recognised, asked by RPC, measures and obeys, and is known again when it is back.
func TestMQTTShellyIsAskedAndObeys(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		d := registerDevice(t, ann, "Pump")
		watcher := mqtttest.Must(t, s.MQTT, connectAs(packet.V311, "watch", ann.Tokens().Access))
		watcher.Subscribe(packet.Filter{Topic: "uh/d/" + d.Device.ID + "/rpc"})
		node := newShelly(t, s.MQTT, d.Key)
		for _, want := range []string{"Shelly.GetDeviceInfo", "Shelly.GetStatus"} {
			if got := node.serve(); got != want {
				t.Fatalf("the node was asked %s", got)
			}
		}
		awaitActuator(t, ann, d.Device.ID, "switch_0")
		if got := lastValues(t, ann, d.Device.ID); got["switch_0"] != "false" || got["switch_0_temperature"] != "40.5 Cel" {
			t.Errorf("the values are %v", got)
		}
		id := giveOn(t, ann, d.Device.ID, "switch_0", "k1", map[string]any{"on": true})
		if got := node.serve(); got != "Switch.Set" || !node.on {
			t.Errorf("the node was told %s", got)
		}
		if state, why := awaitCommand(t, ann, d.Device.ID, id); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		node.publish("cellar/pump/events/rpc", `{"src":"shellyplus1-a0b1c2d3e4f5","dst":"cellar/pump/events",
			"method":"NotifyStatus","params":{"ts":1.5,"switch:0":{"id":0,"output":true},"input:3":{"id":3,"state":true}}}`)
		if got := lastValues(t, ann, d.Device.ID); got["switch_0"] != "true" || got["input_3"] != "true" {
			t.Errorf("after a change the values are %v", got)
		}
		id = giveOn(t, ann, d.Device.ID, "cover_1", "k2", map[string]any{"to": "open"})
		node.serve()
		if state, why := awaitCommand(t, ann, d.Device.ID, id); state != "failed" || why != "No handler (code 404)" {
			t.Errorf("the command is %s: %s", state, why)
		}
		// Its will says that it is gone. What waits for it is done when it is back, though nobody remembers it then.
		node.publish("cellar/pump/online", "false")
		node.node.Close()
		awaitOnline(t, ann, d.Device.ID, "offline")
		id = giveOn(t, ann, d.Device.ID, "switch_0", "k3", map[string]any{"on": false})
		node = newShelly(t, s.MQTT, d.Key)
		for node.serve() != "Switch.Set" {
		}
		if state, why := awaitCommand(t, ann, d.Device.ID, id); state != "done" {
			t.Errorf("the command is %s: %s", state, why)
		}
		watcher.Silent() // what a node answers to the server is not shown
	})
}

// awaitOnline waits until the state of a device is so.
func awaitOnline(t *testing.T, owner *client.Client, device, state string) {
	t.Helper()
	var got struct{ Status struct{ State string } }
	if !comes(func() bool {
		must(t, owner.Do(t.Context(), "GET", "/devices/"+device, nil, &got))
		return got.Status.State == state
	}) {
		t.Fatalf("the device is %s, not %s", got.Status.State, state)
	}
}

// A Shelly of the first generation is known by its topics, and two of them share the one on which they announce
// themselves.
func TestMQTTShellyOfTheFirstGeneration(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann := s.User("ann")
		for i := range 2 {
			d := registerDevice(t, ann, fmt.Sprint("Relay ", i))
			id := fmt.Sprint("shelly1-A0B1C", i)
			node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, id, d.Key))
			node.Subscribe(packet.Filter{Topic: "shellies/" + id + "/command"},
				packet.Filter{Topic: "shellies/" + id + "/relay/0/command"}, packet.Filter{Topic: "shellies/command"})
			for topic, payload := range map[string]string{"shellies/" + id + "/online": "true",
				"shellies/announce": `{"id":"` + id + `","model":"SHSW-1","fw_ver":"v1.14"}`} {
				if code := node.Publish(packet.Publish{Topic: topic, QoS: 1, Payload: []byte(payload)}); code != 0 {
					t.Errorf("%s was answered 0x%02x", topic, byte(code))
				}
			}
			asked := map[string]bool{"announce": true, "update": true}
			for len(asked) > 0 {
				if m := node.Message(); m.Topic == "shellies/"+id+"/command" {
					delete(asked, string(m.Payload))
				}
			}
			node.Publish(packet.Publish{Topic: "shellies/" + id + "/relay/0", QoS: 1, Payload: []byte("off")})
			awaitActuator(t, ann, d.Device.ID, "relay_0")
			if got := lastValues(t, ann, d.Device.ID); got["relay_0"] != "false" {
				t.Errorf("the values are %v", got)
			}
			c := giveOn(t, ann, d.Device.ID, "relay_0", id, map[string]any{"on": true})
			for m := node.Message(); m.Topic != "shellies/"+id+"/relay/0/command"; m = node.Message() {
			}
			node.Publish(packet.Publish{Topic: "shellies/" + id + "/relay/0", QoS: 1, Payload: []byte("on")})
			if state, why := awaitCommand(t, ann, d.Device.ID, c); state != "done" {
				t.Errorf("the command is %s: %s", state, why)
			}
		}
	})
}
