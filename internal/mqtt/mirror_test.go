package mqtt

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// What is older than what is known changes nothing, in whatever order the bus and the store tell it.
func TestAnOlderStatusOfADeviceChangesNothing(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	d := mirrored{}
	for i, step := range []struct {
		status       wire.DeviceStatus
		news         bool
		availability string
	}{
		{wire.DeviceStatus{}, false, "offline"}, // it never connected
		{wire.DeviceStatus{State: "online", Session: 2, Since: at(20)}, true, "online"},
		{wire.DeviceStatus{State: "offline", Session: 1, Since: at(30)}, false, "online"},
		{wire.DeviceStatus{State: "offline", Session: 2, Since: at(40)}, true, "offline"},
		{wire.DeviceStatus{State: "online", Session: 2, Since: at(20)}, false, "offline"},
		{wire.DeviceStatus{State: "online", Session: 3, Since: at(50)}, true, "online"},
		{wire.DeviceStatus{State: "asleep", Session: 3, Since: at(60)}, false, "online"},
		{wire.DeviceStatus{State: "offline", Session: 3, Since: at(60)}, true, "offline"},
	} {
		if news := d.newer(step.status); news != step.news || d.availability() != step.availability {
			t.Errorf("step %d: %v is news: %v, and the device is %s", i, step.status, news, d.availability())
		}
	}
}
