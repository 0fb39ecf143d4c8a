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

const device = "dev_00000000000000000000000001"

// garden makes a room of two users, and a device of the first in it.
func garden(t *testing.T, db *all.Store, now time.Time) (room string) {
	t.Helper()
	room = testkit.Room(t, db, 2)
	d := domain.Device{ID: device, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: "Greenhouse"}
	err := db.Devices.CreateDevice(t.Context(), d, domain.DeviceKey{ID: "key", Device: device},
		domain.DeviceSecret{Hash: []byte{1}}, nil, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), room, device, now); err != nil {
		t.Fatal(err)
	}
	return room
}

func command(room, key string, by int, now time.Time) domain.Command {
	return domain.Command{ID: domain.NewID(domain.CommandPrefix), Device: device,
		By:  domain.UserRef{ID: testkit.UserID(by)},
		Key: key, Room: room, Action: "fan", Args: json.RawMessage(`{}`), Expires: now.Add(time.Minute)}
}

// The same key at once gives one command, and no more are open than may be.
func TestAKeyGivesOneCommand(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		room := garden(t, db, now)
		ids := make([]string, 20)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				c, _, err := db.Commands.Give(t.Context(), command(room, "k", 1, now), now)
				if err != nil {
					t.Error(err)
				}
				ids[i] = c.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("one key gave %s and %s", ids[0], id)
			}
		}
		var last error
		for i := range domain.MaxOpenCommands {
			_, _, last = db.Commands.Give(t.Context(), command(room, fmt.Sprint(i), 1, now), now)
		}
		if domain.CodeOf(last) != domain.CodeTooManyCommands {
			t.Errorf("one more than may be open: %v", last)
		}
		if _, _, err := db.Commands.Give(t.Context(), command(room, "k", 1, now), now); err != nil {
			t.Errorf("one that is there: %v", err)
		}
	})
}

// A key is good for one command: another device, room, action or argument needs another key.
func TestAKeyOfAnotherCommandIsRefused(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		room := garden(t, db, now)
		first, _, err := db.Commands.Give(t.Context(), command(room, "k", 0, now), now)
		if err != nil {
			t.Fatal(err)
		}
		for what, change := range map[string]func(*domain.Command){
			"another device":   func(c *domain.Command) { c.Device = "dev_00000000000000000000000002" },
			"another action":   func(c *domain.Command) { c.Action = "light" },
			"other arguments":  func(c *domain.Command) { c.Args = json.RawMessage(`{"speed":40}`) },
			"outside the room": func(c *domain.Command) { c.Room = "" },
		} {
			c := command(room, "k", 0, now)
			change(&c)
			if got, repeat, err := db.Commands.Give(t.Context(), c, now); domain.CodeOf(err) != domain.CodeKeyReused ||
				domain.KindOf(err) != domain.Conflict {
				t.Errorf("%s: %+v, %v, %v", what, got, repeat, err)
			}
		}
		again, repeat, err := db.Commands.Give(t.Context(), command(room, "k", 0, now), now)
		if err != nil || !repeat || again.ID != first.ID {
			t.Errorf("the same again: %+v, %v, %v", again, repeat, err)
		}
		other, repeat, err := db.Commands.Give(t.Context(), command(room, "k", 1, now), now)
		if err != nil || repeat || other.ID == first.ID {
			t.Errorf("the key of somebody else: %+v, %v, %v", other, repeat, err)
		}
	})
}

// A device that left the room, or is muted in it, does not get what was given there.
func TestARoomReachesItsMembersAlone(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := garden(t, db, now)
		c, _, err := db.Commands.Give(ctx, command(room, "k", 1, now), now)
		if err != nil {
			t.Fatal(err)
		}
		pending := func() int {
			found, err := db.Commands.Pending(ctx, device, true, now)
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		if n := pending(); n != 1 {
			t.Errorf("%d wait for the device", n)
		}
		if _, err := db.Rooms.Mute(ctx, testkit.UserID(0), room, device, now.Add(time.Hour), now); err != nil {
			t.Fatal(err)
		}
		if n := pending(); n != 0 {
			t.Errorf("%d wait for a muted device", n)
		}
		rep := domain.CommandReport{ID: c.ID, State: domain.CommandDone, Result: json.RawMessage(`"spam"`)}
		if got, changed, err := db.Commands.Report(ctx, device, rep, now); err != nil || !changed ||
			string(got.Result) != `"spam"` {
			t.Errorf("%+v, %v", got, err)
		}
		events, err := db.Log.Replay(ctx, domain.WholeLog(room), c.Seq-1, 10)
		if err != nil {
			t.Fatal(err)
		}
		line := events[0].Payload.(domain.CommandSentPayload).Command
		if line.State != domain.CommandDone || line.Result != nil {
			t.Errorf("a muted device says %s in the room: %s", line.Result, line.State)
		}
	})
}

// Of a line that is kept no longer the command goes, too: at once if it has ended, and else when it
// ends.
func TestACommandIsKeptAsLongAsItsLine(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := garden(t, db, now)
		var given []domain.Command
		for _, key := range []string{"ended", "open"} {
			c, _, err := db.Commands.Give(ctx, command(room, key, 1, now), now)
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, c)
		}
		if _, _, err := db.Commands.Cancel(ctx, device, given[0].ID, testkit.UserID(1), now); err != nil {
			t.Fatal(err)
		}
		step := domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100}
		if _, err := db.Messages.Purge(ctx, room, step); err != nil {
			t.Fatal(err)
		}
		exists := func(c domain.Command) bool {
			_, err := db.Commands.Command(ctx, device, c.ID)
			return err == nil
		}
		if exists(given[0]) || !exists(given[1]) {
			t.Errorf("ended: %v, open: %v", exists(given[0]), exists(given[1]))
		}
		expired, err := db.Commands.Expire(ctx, now.Add(2*time.Minute), 10)
		if err != nil || len(expired) != 1 || expired[0].State != domain.CommandExpired {
			t.Errorf("%+v, %v", expired, err)
		}
		if exists(given[1]) {
			t.Error("the other was kept when it had ended")
		}
		if err := db.Log.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// One that has begun is not given up on while its device says that it goes on, and a last word
// counts even if it comes too late.
func TestTheLastWordOfADeviceCounts(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		garden(t, db, now)
		c, _, err := db.Commands.Give(ctx, command("", "k", 0, now), now)
		if err != nil {
			t.Fatal(err)
		}
		report := func(s domain.CommandState, at time.Time) {
			t.Helper()
			if _, _, err := db.Commands.Report(ctx, device, domain.CommandReport{ID: c.ID, State: s}, at); err != nil {
				t.Fatal(err)
			}
		}
		expired := func(at time.Time) int {
			t.Helper()
			found, err := db.Commands.Expire(ctx, at, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		report(domain.CommandRunning, now)
		if n := expired(now.Add(5 * time.Minute)); n != 0 {
			t.Error("it was given up on while it was carried out")
		}
		if n := expired(now.Add(domain.CommandPatience + time.Second)); n != 1 {
			t.Error("it was not given up on")
		}
		report(domain.CommandDone, now.Add(time.Hour))
		if got, err := db.Commands.Command(ctx, device, c.ID); err != nil || got.State != domain.CommandDone {
			t.Errorf("%+v, %v", got, err)
		}
		report(domain.CommandFailed, now.Add(time.Hour))
		if got, err := db.Commands.Command(ctx, device, c.ID); err != nil || got.State != domain.CommandDone {
			t.Errorf("it failed after it was done: %+v, %v", got, err)
		}
		if more, err := db.Commands.Prune(ctx, now.Add(2*time.Hour)); err != nil || more {
			t.Error(more, err)
		}
		if _, err := db.Commands.Command(ctx, device, c.ID); domain.CodeOf(err) != domain.CodeNoCommand {
			t.Errorf("one that ended long ago: %v", err)
		}
	})
}
