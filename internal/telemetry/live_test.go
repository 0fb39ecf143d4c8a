package telemetry

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// What is no id of a device is followed for nobody: on a bus of several nodes ">" are all subjects.
func TestOnlyDevicesAreWatched(t *testing.T) {
	t.Parallel()
	now := t0
	s := service(&fakes{}, &now)
	admin := domain.Principal{ID: "usr_admin", Role: domain.SystemAdmin}
	id := domain.NewID(domain.DevicePrefix)
	seen, err := s.Watch(t.Context(), "conn_a", admin, []string{">", "*", "a b", "", id}, func([]byte) {})
	if err != nil || len(seen) != 1 || seen[0].Device != id || len(s.live.watchers) != 1 {
		t.Errorf("%+v, %v; %d are followed", seen, err, len(s.live.watchers))
	}
	s.Unwatch("conn_a")
	if len(s.live.watchers) != 0 || len(s.live.conns) != 0 {
		t.Error("the end of the connection left something")
	}
}

func TestABufferedReportMovesNoLiveValueBack(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	send := func(at time.Time, old bool, v float64) {
		t.Helper()
		if _, err := s.Accept(t.Context(), "dev_a", []domain.Report{{At: at, Old: old,
			Readings: []domain.Reading{one("x", domain.Number(v))}}}); err != nil {
			t.Fatal(err)
		}
	}
	send(t0, false, 1) // told at once
	send(t0.Add(-time.Minute), false, 2)
	send(t0.Add(time.Second), true, 3)
	if l := s.live.latest["dev_a"]; len(l.values) != 0 {
		t.Errorf("to be told: %v", l.values)
	}
	send(t0.Add(2*time.Second), false, 4)
	if l := s.live.latest["dev_a"]; l.values["x"] != 4.0 {
		t.Errorf("to be told: %v", l.values)
	}
}
