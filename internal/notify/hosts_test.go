package notify

import (
	"fmt"
	"testing"
	"time"
)

// Whoever subscribes names the push service: many that fail must not keep others from getting their pushes.
func TestServicesThatFailLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := sender(t, &queue{}, false, now)
	s.maxHosts = 10
	for i := range 3 * s.maxHosts {
		name := fmt.Sprintf("%d.x.invalid", i)
		if _, free := s.enter(name, now); !free {
			t.Fatalf("%s is refused", name)
		}
		s.leave(name, true, 0, now.Add(time.Duration(i)*time.Second))
	}
	if len(s.hosts) != s.maxHosts || s.hosts["29.x.invalid"] == nil || s.hosts["0.x.invalid"] != nil {
		t.Errorf("remembered are %d", len(s.hosts))
	}
	if _, free := s.enter("push.example.org", now); !free {
		t.Error("another push service is refused")
	}
	s.forget(now.Add(time.Hour))
	if len(s.hosts) != 1 || s.hosts["push.example.org"] == nil {
		t.Errorf("after a time remembered are %d", len(s.hosts))
	}
}
