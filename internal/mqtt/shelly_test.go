package mqtt

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// A Shelly of which its will was the first that was heard may come back by another name, and is asked there.
func TestAShellyThatWasHeardByItsWillMayBeRenamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := (&backend{}).run(t)
		dial(t, s, connectAs("owner", "owner", 0)) // as long as somebody is there, it is known what was heard
		connect := connectAs("relay", domain.DeviceKeyPrefix+"relay", 0)
		connect.Will = &packet.Will{Topic: "shellies/old/online", Payload: []byte("false"), QoS: 1}
		dial(t, s, connect).Close()
		time.Sleep(time.Minute) // until the will is published
		connect.Will = nil
		relay := dial(t, s, connect)
		relay.Subscribe(packet.Filter{Topic: "shellies/new/command"})
		relay.Publish(packet.Publish{Topic: "shellies/new/online", QoS: 1, Payload: []byte("true")})
		if m := relay.Message(); m.Topic != "shellies/new/command" {
			t.Errorf("the node was sent %s %s", m.Topic, m.Payload)
		}
	})
}

// A connection that has ended waits for no time at which its Shelly is to be asked again.
func TestNoShellyIsAskedByAConnectionThatHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := (&backend{}).run(t)
		relay := dial(t, s, connectAs("relay", domain.DeviceKeyPrefix+"relay", 0))
		relay.Publish(packet.Publish{Topic: "shellies/relay/online", QoS: 1, Payload: []byte("true")})
		time.Sleep(10 * time.Second) // it listens to no question: it is to be asked again in a minute
		relay.Close()
		time.Sleep(20 * time.Second)
		s.work.mu.Lock()
		defer s.work.mu.Unlock()
		for name := range s.work.delayed {
			t.Errorf("%s waits still", name)
		}
	})
}
