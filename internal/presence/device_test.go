package presence

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

func TestDevicesAreThereByTheirStatusAndNotByTheirConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newFakeUsers(), bus.NewLocal()
		asleep, online, never := domain.NewID("dev"), domain.NewID("dev"), domain.NewID("dev")
		back := time.Now().Add(time.Hour)
		w.devices = []domain.DeviceStatus{
			{Device: asleep, Session: 3, Since: time.Now(), Away: back}, {Device: online, Session: 1, Online: true},
		}
		s, stop := run(t, w, b)
		defer stop()
		var ada receiver
		s.Connect("a1", user(w, "ada"), ada.deliver)
		ps, err := s.Watch(t.Context(), "a1", []string{asleep, online, never})
		if err != nil {
			t.Fatal(err)
		}
		is := map[string]domain.Presence{}
		for _, p := range ps {
			is[p.User] = p
		}
		if is[asleep].Is != domain.Asleep || !is[asleep].Until.Equal(back) || is[online].Is != domain.Online ||
			is[never].Is != domain.Offline {
			t.Errorf("devices are %+v", ps)
		}

		s.Connect("d1", domain.User{ID: asleep}, nothing)
		s.Disconnect("d1")
		ada.want(t, time.Minute) // a node that sends each hour has a connection for a moment

		frame, err := wire.Encode(wire.Reply{Type: wire.TypeDeviceStatus, Data: wire.DeviceStatuses{Devices: []wire.DeviceStatus{
			{Device: asleep, State: "online", Session: 4}, {Device: online, State: "asleep", Session: 2, Until: &back},
			{Device: never, State: "offline", Session: 1, Since: time.Now()}}}})
		if err == nil {
			frame, err = wire.Pack(wire.Header{Type: wire.TypeDeviceStatus}, frame)
		}
		if err == nil {
			err = b.Publish(bus.PresenceSubject, frame)
		}
		if err != nil {
			t.Fatal(err)
		}
		ada.want(t, time.Second, asleep+" online", online+" asleep", never+" offline")
	})
}
