package mqtt

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// plainSwitch is an announcement of a switch.
var plainSwitch = packet.Publish{Topic: "homeassistant/switch/lamp/config", QoS: 1, Retain: true,
	Payload: []byte(`{"name":"Lamp","command_topic":"lamp/set","state_topic":"lamp/state"}`)}

// A service that has stopped has nothing running, whatever its clients were about; what they had
// announced and left is dealt with.
func TestNothingOutlivesTheService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wait      time.Duration // before the end
		published bool          // the announcement
	}{
		"at once":                 {0, false},
		"before it is described":  {0, true},
		"while it is attached":    {attachDelay + time.Millisecond, false},
		"while it obeys":          {attachDelay + 1500*time.Millisecond, false},
		"while it is described":   {describeDelay + time.Millisecond, true},
		"while it is quiet again": {time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &backend{commands: []domain.Command{{ID: "cmd_1", Action: "blink"}, {ID: "cmd_2", Action: "blink"}}}
				s, stop := b.run(t)
				gone := connectAs("gone", domain.DeviceKeyPrefix+"gone", 7200)
				gone.Will = &packet.Will{Topic: "gone/LWT", Payload: []byte("Offline"), QoS: 1, Retain: true,
					Props: packet.Properties{{ID: packet.WillDelay, Num: 3600}}}
				dial(t, s, gone).Close()
				lamp := dial(t, s, connectAs("lamp", domain.DeviceKeyPrefix+"lamp", 3600))
				if c.published {
					lamp.Publish(plainSwitch)
				}
				lamp.Subscribe(packet.Filter{Topic: "#", QoS: 1})
				time.Sleep(c.wait)
				stop()
				time.Sleep(2 * time.Hour) // for what was to happen later
				if string(b.retained["gone/LWT"].Payload) != "Offline" {
					t.Error("a will that waited for its delay is lost")
				}
				if c.published && len(b.described) == 0 {
					t.Error("what a device announced is lost")
				}
				if b.attached != 0 {
					t.Errorf("commands are delivered to %d connections", b.attached)
				}
			})
		})
	}
}

// Commands come to a device in the order in which they are handed over.
func TestCommandsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		for i := range 20 {
			b.commands = append(b.commands, domain.Command{ID: "cmd_" + strconv.Itoa(i), Action: "blink"})
		}
		s, _ := b.run(t)
		lamp := dial(t, s, connectAs("lamp", domain.DeviceKeyPrefix+"lamp", 0))
		topic := "uh/d/" + domain.DevicePrefix + "_lamp/c"
		lamp.Subscribe(packet.Filter{Topic: topic, QoS: 0})
		for i := range 20 {
			want := `"id":"cmd_` + strconv.Itoa(i) + `"`
			if m := lamp.Message(); m.Topic != topic || !bytes.Contains(m.Payload, []byte(want)) {
				t.Fatalf("got %s %s, want %s", m.Topic, m.Payload, want)
			}
		}
	})
}

// A message that waits for a client is not delivered once it is over.
func TestQueuedMessagesExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		s, _ := b.run(t)
		sender := dial(t, s, connectAs("sender", "owner", 0))
		reader := dial(t, s, connectAs("reader", "owner", 3600))
		reader.Subscribe(packet.Filter{Topic: "t/#", QoS: 1})
		reader.Close()
		for topic, seconds := range map[string]uint32{"t/short": 60, "t/long": 1000} {
			sender.Publish(packet.Publish{Topic: topic, QoS: 1,
				Props: packet.Properties{{ID: packet.MessageExpiry, Num: seconds}}})
		}
		time.Sleep(100 * time.Second)
		again := connectAs("reader", "owner", 3600)
		again.CleanStart = false
		reader = dial(t, s, again)
		m := reader.Message()
		if left, _ := m.Props.Num(packet.MessageExpiry); m.Topic != "t/long" || left < 880 || left > 900 {
			t.Errorf("got %+v", m)
		}
		reader.Silent()
	})
}
