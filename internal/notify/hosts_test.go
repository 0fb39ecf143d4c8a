package notify

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
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

// Who answers slowly takes each push, but not the senders of all others.
func TestASlowPushServiceIsLeftAlone(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	var passed atomic.Int64
	now := func() time.Time { return start.Add(time.Duration(passed.Load())) }
	service := pushtest.NewService(t)
	b := pushtest.NewBrowser(t, service.URL)
	q := &queue{state: message(start)}
	s := sender(t, q, false, start, loopback)
	s.Now = now
	p := domain.Push{Subscription: domain.Subscription{Endpoint: b.Endpoint, Key: b.Public(), Auth: b.Auth}, Since: start,
		Tries: 1}
	for i, c := range []struct {
		takes, wait time.Duration
		did         string
	}{
		{9900 * time.Millisecond, 0, "sent"}, {0, 0, "postpone"}, {9900 * time.Millisecond, minBackoff, "sent"},
		{0, minBackoff, "postpone"}, {time.Second, minBackoff, "sent"},
		{time.Second, 0, "sent"},
	} {
		passed.Add(int64(c.wait))
		q.did = ""
		if c.did == "sent" {
			service.Refuse(func(w http.ResponseWriter) {
				passed.Add(int64(c.takes))
				w.WriteHeader(http.StatusCreated)
			})
		}
		if err := s.attempt(t.Context(), p); err != nil || q.did != c.did {
			t.Errorf("%d: %s, %v", i, q.did, err)
		}
	}
}

// What a busy push service cannot take yet does not come back all at once, again and again.
func TestWhatIsPutOffComesBackOneByOne(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := sender(t, &queue{}, false, now)
	const name = "push.example.org"
	for range sendersHost {
		if _, free := s.enter(name, now); !free {
			t.Fatal("refused")
		}
	}
	next := now.Add(holdBusy)
	putOff := func() {
		t.Helper()
		for range 1000 {
			at, free := s.enter(name, now)
			if free || !at.Equal(next) {
				t.Fatalf("put off until %s instead of %s", at, next)
			}
			next = next.Add(holdApart)
		}
	}
	putOff()
	s.leave(name, true, time.Hour, now) // and none before the service may be tried again
	next = now.Add(time.Hour)
	putOff()
	for age, want := range map[time.Duration]time.Duration{
		0: holdActive, time.Minute: holdActive, 4 * time.Minute: time.Minute, 24 * time.Hour: mostActive,
	} {
		if got := activeHold(age); got != want {
			t.Errorf("a push of %s waits for %s", age, got)
		}
	}
}
