package devices_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// The last hundred connections of a device are kept, whoever else connects.
func TestTheLastConnectionsAreKept(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		testkit.Room(t, db, 1)
		busy, quiet := mustDevice(t, db, testkit.UserID(0), 1, now), mustDevice(t, db, testkit.UserID(0), 2, now)
		var ended []domain.DeviceConnection
		for i := range domain.MaxConnections + 30 {
			ended = append(ended, domain.DeviceConnection{ID: fmt.Sprintf("conn_%05d", i), Device: busy, Key: "key1",
				Opened: now, Closed: now, Reason: fmt.Sprint(i)})
		}
		ended = append(ended, domain.DeviceConnection{ID: "conn_0", Device: quiet, Opened: now, Closed: now, Reason: "lost"})
		for range 2 { // the second time as after a commit whose answer was lost
			if err := db.Devices.Connected(ctx, ended); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Devices.Connections(ctx, busy)
		if err != nil || len(got) != domain.MaxConnections || got[0].Reason != "129" || got[99].Reason != "30" ||
			!got[0].Closed.Equal(now) {
			t.Errorf("%d connections, %v", len(got), err)
		}
		if got, err := db.Devices.Connections(ctx, quiet); err != nil || len(got) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
