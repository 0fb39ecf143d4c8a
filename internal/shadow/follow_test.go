package shadow

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A device that is connected is told of new defaults of its group.
func TestAConnectedDeviceIsToldOfDefaults(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 1)
		const id = "dev_00000000000000000000000001"
		d := domain.Device{ID: id, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: "Pump"}
		err := db.Devices.CreateDevice(ctx, d, domain.DeviceKey{ID: "key", Device: id}, domain.DeviceSecret{Hash: []byte{1}},
			nil, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		can := domain.Capabilities{Settings: []domain.Arg{{Name: "mode", Kind: domain.TextArg}}}
		if _, err := db.Devices.Describe(ctx, id, can, now); err != nil {
			t.Fatal(err)
		}
		s := New(Deps{Store: db.Settings, Bus: bus.NewLocal(), Log: slog.New(slog.DiscardHandler)})
		run, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- s.Run(run) }()
		t.Cleanup(func() { stop(); <-done })
		told := make(chan domain.Shadow, 10)
		t.Cleanup(s.Attach(ctx, id, func(sh domain.Shadow) { told <- sh }))

		g := domain.DeviceGroup{Owner: testkit.UserID(0), Name: "wet", Settings: map[string]any{"mode": "eco"}}
		if _, err := db.Groups.PutGroup(ctx, g, []string{id}, now); err != nil {
			t.Fatal(err)
		}
		if err := s.follow(ctx); err != nil {
			t.Fatal(err)
		}
		s.handOver(ctx, id) // what Run does once it has heard of it, and has done by now or not
		if sh := <-told; sh.Version != 1 || sh.Desired["mode"] != "eco" {
			t.Errorf("it is told %+v", sh)
		}
	})
}
