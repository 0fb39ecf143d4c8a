package telemetry

import (
	"testing"

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
