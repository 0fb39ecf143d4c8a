package devices_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What goes wrong again is counted; of different things the last hundred are kept, for a month.
func TestTheLogOfADeviceIsBounded(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		testkit.Room(t, db, 1)
		busy, quiet := mustDevice(t, db, testkit.UserID(0), 1, now), mustDevice(t, db, testkit.UserID(0), 2, now)
		note := func(device, subject string, at time.Time) domain.DeviceNote {
			return domain.DeviceNote{Device: device, Kind: domain.NoteReading, Subject: subject, Reason: "wrong_kind", Count: 2,
				Detail: "as always", First: at, Last: at}
		}
		add := func(notes ...domain.DeviceNote) {
			t.Helper()
			if err := db.Devices.AddNotes(ctx, notes); err != nil {
				t.Fatal(err)
			}
		}
		add(note(quiet, "air", now), note("dev_none", "air", now))
		add(note(quiet, "air", now.Add(time.Minute)))
		got, err := db.Devices.Notes(ctx, quiet, now)
		if err != nil || len(got) != 1 || got[0].Count != 4 || !got[0].First.Equal(now) ||
			got[0].Detail != "as always" || got[0].Reason != "wrong_kind" {
			t.Errorf("%+v, %v", got, err)
		}
		other := note(quiet, "air", now.Add(2*time.Minute))
		other.Detail = "another mistake"
		add(other)
		got, err = db.Devices.Notes(ctx, quiet, now)
		if err != nil || len(got) != 2 || got[0].Detail != "another mistake" || got[0].Count != 2 ||
			got[0].Reason != "wrong_kind" || got[1].Count != 4 {
			t.Errorf("%+v, %v", got, err)
		}
		for i := range domain.MaxDeviceLog + 20 {
			add(note(busy, fmt.Sprint(i), now.Add(time.Duration(i)*time.Second)))
		}
		got, err = db.Devices.Notes(ctx, busy, now)
		if err != nil || len(got) != domain.MaxDeviceLog || got[0].Subject != "119" || got[99].Subject != "20" {
			t.Errorf("%d, %v", len(got), err)
		}
		if got, err := db.Devices.Notes(ctx, quiet, now.Add(domain.DeviceLogKept+time.Hour)); err != nil || len(got) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
