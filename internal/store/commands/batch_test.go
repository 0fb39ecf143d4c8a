package commands_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// fleet makes a room of two users and n devices of the first, the first of which are in the room.
func fleet(t *testing.T, db *all.Store, n, inRoom int, now time.Time) (room string, devices []string) {
	t.Helper()
	room = testkit.Room(t, db, 2)
	for i := range n {
		id := fmt.Sprintf("dev_0000000000000000000000001%d", i)
		d := domain.Device{ID: id, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: fmt.Sprint("Pump ", i)}
		err := db.Devices.CreateDevice(t.Context(), d, domain.DeviceKey{ID: fmt.Sprint("key", i), Device: id},
			domain.DeviceSecret{Hash: []byte{byte(i)}}, nil, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		if i < inRoom {
			if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), room, id, now); err != nil {
				t.Fatal(err)
			}
		}
		devices = append(devices, id)
	}
	return room, devices
}

func batchFor(room, key string, devices int, now time.Time) domain.CommandBatch {
	return domain.CommandBatch{ID: domain.NewID(domain.BatchPrefix), By: domain.UserRef{ID: testkit.UserID(0)}, Key: key,
		Group: "pumps", Room: room, Action: "fan", Args: json.RawMessage(`{"on":true}`), Expires: now.Add(time.Minute),
		Counts: domain.BatchCounts{Devices: devices}}
}

// The same key at once gives each device one command, and another order with it is refused.
func TestAKeyOfAGroupGivesOneBatch(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		_, devices := fleet(t, db, 3, 0, now)
		ids := make([]string, 8)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				b, _, _, err := db.Commands.GiveBatch(ctx, batchFor("", "k", 3, now), devices, now)
				if err != nil {
					t.Error(err)
				}
				ids[i] = b.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("one key gave %s and %s", ids[0], id)
			}
		}
		for _, d := range devices {
			if open, err := db.Commands.Pending(ctx, d, true, now); err != nil || len(open) != 1 || open[0].Batch != ids[0] {
				t.Errorf("%s has %+v, %v", d, open, err)
			}
		}
		other := batchFor("", "k", 3, now)
		other.Action = "light"
		if _, _, _, err := db.Commands.GiveBatch(ctx, other, devices, now); domain.CodeOf(err) != domain.CodeKeyReused {
			t.Errorf("another order: %v", err)
		}
	})
}

// In a room, those devices of the group are told that are in it and not muted. One line says how far it has come:
// the last change at once, others after a while.
func TestAGroupInARoomHasOneLine(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, devices := fleet(t, db, 4, 3, now)
		if _, err := db.Rooms.Mute(ctx, testkit.UserID(0), room, devices[2], now.Add(time.Hour), now); err != nil {
			t.Fatal(err)
		}
		b, told, _, err := db.Commands.GiveBatch(ctx, batchFor(room, "k", 4, now), devices, now)
		if err != nil || len(told) != 2 || len(b.Refused) != 2 || b.Refused[0].Reason != domain.BatchNotInRoom {
			t.Fatalf("%d told, %+v, %v", len(told), b.Refused, err)
		}
		line := func() domain.BatchCounts {
			events, err := db.Log.Replay(ctx, domain.WholeLog(room), b.Seq-1, 1)
			if err != nil || len(events) == 0 {
				t.Fatal(events, err)
			}
			return events[0].Payload.(domain.GroupCommandedPayload).Batch.Counts
		}
		report := func(i int, s domain.CommandState, at time.Time) {
			t.Helper()
			rep := domain.CommandReport{ID: told[i].ID, State: s, Error: "stuck"}
			if _, _, err := db.Commands.Report(ctx, told[i].Device, rep, at); err != nil {
				t.Fatal(err)
			}
		}
		report(0, domain.CommandDone, now.Add(time.Second))
		if c := line(); c.Pending != 2 || c.Done != 0 {
			t.Errorf("a second later the room says %+v", c)
		}
		if err := db.Commands.TellBatches(ctx, now.Add(6*time.Second), 10); err != nil {
			t.Fatal(err)
		}
		if c := line(); c.Pending != 1 || c.Done != 1 {
			t.Errorf("six seconds later the room says %+v", c)
		}
		report(1, domain.CommandFailed, now.Add(7*time.Second))
		want := domain.BatchCounts{Devices: 4, Done: 1, Failed: 1, Refused: 2}
		if c := line(); c != want {
			t.Errorf("at the end the room says %+v", c)
		}
		got, failures, err := db.Commands.Batch(ctx, testkit.UserID(0), "pumps", b.ID)
		if err != nil || got.Counts != want || len(failures) != 3 || failures[0].Name != "Pump 1" ||
			failures[0].Detail != "stuck" || failures[2].Reason != domain.BatchNotInRoom {
			t.Errorf("%+v, %+v, %v", got.Counts, failures, err)
		}
		if _, _, err := db.Commands.Batch(ctx, testkit.UserID(1), "pumps", b.ID); domain.CodeOf(err) != domain.CodeNoCommand {
			t.Errorf("somebody else sees it: %v", err)
		}
		if err := db.Log.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Of a line that is kept no longer the batch goes, and its commands: those that are open when they end.
func TestABatchIsKeptAsLongAsItsLine(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, devices := fleet(t, db, 2, 2, now)
		b, told, _, err := db.Commands.GiveBatch(ctx, batchFor(room, "k", 2, now), devices, now)
		if err != nil {
			t.Fatal(err)
		}
		rep := domain.CommandReport{ID: told[0].ID, State: domain.CommandDone}
		if _, _, err := db.Commands.Report(ctx, told[0].Device, rep, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := db.Commands.Batch(ctx, testkit.UserID(0), "pumps", b.ID); domain.CodeOf(err) != domain.CodeNoCommand {
			t.Errorf("the batch: %v", err)
		}
		there := func(c domain.Command) bool {
			_, err := db.Commands.Command(ctx, c.Device, c.ID)
			return err == nil
		}
		if there(told[0]) || !there(told[1]) {
			t.Errorf("ended: %v, open: %v", there(told[0]), there(told[1]))
		}
		if _, err := db.Commands.Expire(ctx, now.Add(2*time.Minute), 10); err != nil {
			t.Fatal(err)
		}
		if there(told[1]) {
			t.Error("the other was kept when it had ended")
		}
	})
}

// A device that has as many open commands as it may is refused, and nothing is stored if all are.
func TestAFullDeviceOfAGroupIsRefused(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		_, devices := fleet(t, db, 2, 0, now)
		for i := range domain.MaxOpenCommands {
			c := domain.Command{ID: domain.NewID(domain.CommandPrefix), Device: devices[0],
				By: domain.UserRef{ID: testkit.UserID(0)}, Key: fmt.Sprint(i), Action: "fan", Args: json.RawMessage(`{}`),
				Expires: now.Add(time.Minute)}
			if _, _, err := db.Commands.Give(ctx, c, now); err != nil {
				t.Fatal(err)
			}
		}
		b, told, _, err := db.Commands.GiveBatch(ctx, batchFor("", "k", 2, now), devices, now)
		if err != nil || len(told) != 1 || len(b.Refused) != 1 || b.Refused[0].Reason != domain.BatchManyWait {
			t.Errorf("%d told, %+v, %v", len(told), b.Refused, err)
		}
		_, _, _, err = db.Commands.GiveBatch(ctx, batchFor("", "2", 1, now), devices[:1], now)
		if domain.KindOf(err) != domain.Conflict {
			t.Errorf("a group that is full: %v", err)
		}
		if found, err := db.Commands.Batches(ctx, testkit.UserID(0), "pumps", "", 10); err != nil || len(found) != 1 {
			t.Errorf("%d are kept, %v", len(found), err)
		}
	})
}
