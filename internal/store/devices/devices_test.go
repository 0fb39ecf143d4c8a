package devices_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// device registers the n-th device of an owner, with the key "key<n>".
func device(tb testing.TB, db *all.Store, owner string, n, limit int, now time.Time) (string, error) {
	tb.Helper()
	d := domain.Device{ID: fmt.Sprintf("dev_%026d", n), Owner: domain.UserRef{ID: owner},
		Name: fmt.Sprintf("Device %d", n)}
	k := domain.DeviceKey{ID: fmt.Sprintf("key%d", n), Device: d.ID, CreatedAt: now}
	return d.ID, db.Devices.CreateDevice(tb.Context(), d, k, domain.DeviceSecret{Hash: []byte{byte(n)}, Pepper: 1}, nil,
		limit,
		now)
}

// memberIDs returns the ids of all members of room.
func memberIDs(t *testing.T, db *all.Store, room string) ([]string, error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT user_id FROM members WHERE room_id = $1`, room)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

func mustDevice(tb testing.TB, db *all.Store, owner string, n int, now time.Time) string {
	tb.Helper()
	id, err := device(tb, db, owner, n, 0, now)
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func rotate(t *testing.T, db *all.Store, owner, id, key string, until, now time.Time) domain.Device {
	t.Helper()
	d, err := db.Devices.RotateDeviceKey(t.Context(), owner, domain.DeviceKey{ID: key, Device: id, CreatedAt: now},
		domain.DeviceSecret{Hash: []byte(key)}, until, now)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func liveKeys(d domain.Device, now time.Time) []string {
	var ids []string
	for _, k := range d.Keys {
		if !k.Ended(now) {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

func wantKeys(t *testing.T, d domain.Device, now time.Time, want ...string) {
	t.Helper()
	if got := liveKeys(d, now); !slices.Equal(got, want) {
		t.Errorf("good keys %v, want %v", got, want)
	}
}

func TestCHK_DV_04_TwoKeysOverlap(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 2)
		now := time.Now().Truncate(time.Second)
		id := mustDevice(t, db, testkit.UserID(0), 1, now)
		later := now.Add(time.Hour)
		d := rotate(t, db, testkit.UserID(0), id, "second", later.Add(time.Hour), later)
		wantKeys(t, d, later, "second", "key1")
		wantKeys(t, d, later.Add(time.Hour), "second")

		// A third key during the overlap leaves the two newest.
		d = rotate(t, db, testkit.UserID(0), id, "third", later.Add(24*time.Hour), later.Add(time.Minute))
		wantKeys(t, d, later.Add(time.Minute), "third", "second")

		// Rotating never lengthens a life.
		if err := db.Devices.RevokeDeviceKey(t.Context(), id, "third", "revoked", later.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		d = rotate(t, db, testkit.UserID(0), id, "fourth", later.Add(100*time.Hour), later.Add(2*time.Minute))
		wantKeys(t, d, later.Add(23*time.Hour), "fourth", "second")
		wantKeys(t, d, later.Add(25*time.Hour), "fourth")

		// Other nodes learn what ended, by revocation or by time.
		ended, err := db.Devices.EndedDevices(t.Context(), now, later.Add(30*time.Minute))
		slices.SortFunc(ended, func(a, b domain.DeviceEnd) int { return strings.Compare(a.Key, b.Key) })
		want := []domain.DeviceEnd{{Device: id, Key: "key1", Reason: "rotated"},
			{Device: id, Key: "third", Reason: "revoked"}}
		if err != nil || !slices.Equal(ended, want) {
			t.Errorf("ended: %+v, %v", ended, err)
		}
		ended, err = db.Devices.EndedDevices(t.Context(), later.Add(20*time.Hour), later.Add(30*time.Hour))
		if err != nil || !slices.Equal(ended, []domain.DeviceEnd{{Device: id, Key: "second", Reason: "expired"}}) {
			t.Errorf("expired: %+v, %v", ended, err)
		}
		if _, err := db.Devices.RotateDeviceKey(t.Context(), testkit.UserID(1), domain.DeviceKey{ID: "x", Device: id},
			domain.DeviceSecret{Hash: []byte{1}}, now, now); domain.CodeOf(err) != domain.CodeNoDevice {
			t.Errorf("another's device: %v", err)
		}
	})
}

func TestCHK_DV_02_RevokedForGood(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 2)
		now := time.Now().Truncate(time.Second)
		id := mustDevice(t, db, testkit.UserID(0), 1, now)
		if err := db.Devices.RevokeDevice(t.Context(), id, "revoked", now); err != nil {
			t.Fatal(err)
		}
		if err := db.Devices.RevokeDevice(t.Context(), id, "again", now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		l, err := db.Devices.DeviceLogin(t.Context(), "key1")
		if err != nil || !l.Device.Ended(now) || !l.Key.Ended(now) || !l.Device.RevokedAt.Equal(now) {
			t.Errorf("%+v, %v", l, err)
		}
		name := "Other"
		if _, err := db.Devices.ChangeDevice(t.Context(), testkit.UserID(0), id, domain.DeviceChange{Name: &name},
			now); domain.CodeOf(err) != domain.CodeDeviceRevoked {
			t.Errorf("change: %v", err)
		}
		if _, err := db.Devices.RotateDeviceKey(t.Context(), testkit.UserID(0), domain.DeviceKey{ID: "x", Device: id},
			domain.DeviceSecret{Hash: []byte{1}}, now, now); domain.CodeOf(err) != domain.CodeDeviceRevoked {
			t.Errorf("rotate: %v", err)
		}
		ended, err := db.Devices.EndedDevices(t.Context(), now.Add(-time.Second), now)
		if err != nil || len(ended) != 1 {
			t.Errorf("ended: %+v, %v", ended, err)
		}
		other := mustDevice(t, db, testkit.UserID(1), 2, now)
		if err := db.Departure.DeleteUser(t.Context(), testkit.UserID(1), now); err != nil {
			t.Fatal(err)
		}
		if d, err := db.Devices.DeviceByID(t.Context(), other); err != nil || !d.Ended(now) || len(d.Keys) != 0 ||
			d.Name != "Deleted device" {
			t.Errorf("the device of a deleted account: %+v, %v", d, err)
		}
		if barred, err := db.Devices.DisabledOwners(t.Context(), []string{testkit.UserID(1)}); err != nil ||
			len(barred) != 1 {
			t.Errorf("its owner: %v, %v", barred, err)
		}
		id = mustDevice(t, db, testkit.UserID(0), 3, now)
		if err := db.Devices.RevokeDeviceKey(t.Context(), id, "key3", "revoked", now); err != nil {
			t.Fatal(err)
		}
		if err := db.Devices.PruneDeviceKeys(t.Context(), now.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Devices.DeviceLogin(t.Context(), "key3"); domain.CodeOf(err) != domain.CodeNoDeviceKey {
			t.Errorf("a forgotten key: %v", err)
		}
	})
}

func TestDeviceLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 1)
		now := time.Now()
		var wg sync.WaitGroup
		errs := make([]error, 20)
		for i := range errs {
			wg.Go(func() { _, errs[i] = device(t, db, testkit.UserID(0), i, 5, now) })
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else if domain.CodeOf(err) != domain.CodeTooManyDevices {
				t.Error(err)
			}
		}
		if made != 5 {
			t.Errorf("%d devices where 5 are allowed", made)
		}
		// One that was revoked makes room.
		found, err := db.Devices.Devices(t.Context(), testkit.UserID(0), "", 10)
		if err != nil || len(found) != 5 {
			t.Fatalf("%d devices, %v", len(found), err)
		}
		if err := db.Devices.RevokeDevice(t.Context(), found[0].ID, "revoked", now); err != nil {
			t.Fatal(err)
		}
		if _, err := device(t, db, testkit.UserID(0), 99, 5, now); err != nil {
			t.Error(err)
		}
	})
}

func TestDeviceUseIsKept(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 2)
		now := time.Now().Truncate(time.Second)
		id := mustDevice(t, db, testkit.UserID(0), 1, now)
		rotate(t, db, testkit.UserID(0), id, "second", now.Add(time.Hour), now)
		uses := []domain.DeviceUse{{Key: "key1", At: now, IP: "10.0.0.1"},
			{Key: "second", At: now.Add(time.Second), IP: "10.0.0.2"}, {Key: "gone", At: now}}
		if err := db.Devices.UsedDeviceKeys(t.Context(), uses); err != nil {
			t.Fatal(err)
		}
		d, err := db.Devices.DeviceByID(t.Context(), id)
		if err != nil || d.LastIP != "10.0.0.2" || !d.LastUsed.Equal(now.Add(time.Second)) {
			t.Errorf("%+v, %v", d, err)
		}
		if _, err := db.Accounts.SetUserDisabled(t.Context(), testkit.UserID(0), true, now); err != nil {
			t.Fatal(err)
		}
		if l, err := db.Devices.DeviceLogin(t.Context(), "second"); err != nil || !l.Barred ||
			l.Device.Owner.ID != testkit.UserID(0) {
			t.Errorf("%+v, %v", l, err)
		}
		barred, err := db.Devices.DisabledOwners(t.Context(), []string{testkit.UserID(0), testkit.UserID(1), "usr_gone"})
		if err != nil || !slices.Equal(barred, []string{testkit.UserID(0), "usr_gone"}) {
			t.Errorf("barred: %v, %v", barred, err)
		}
	})
}

func TestDevicesInRooms(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 4) // 0 owns it; 1 to 3 are plain members
		now := time.Now()
		mine, theirs := mustDevice(t, db, testkit.UserID(1), 1, now), mustDevice(t, db, testkit.UserID(2), 2, now)
		if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(3), room, mine,
			now); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("another's device by a plain member: %v", err)
		}
		if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(1), room, mine, now); err != nil {
			t.Errorf("by its owner: %v", err)
		}
		if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), room, theirs, now); err != nil {
			t.Errorf("by the room's owner: %v", err)
		}
		if _, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0),
			domain.NewRoom{Kind: domain.DirectRoom, Members: []string{mine}}, now); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("another's device in a new room: %v", err)
		}
		if _, err := db.Rooms.TransferOwnership(t.Context(), testkit.UserID(0), room, theirs,
			now); domain.CodeOf(err) != domain.CodeDeviceOwner {
			t.Errorf("handing over to a device: %v", err)
		}
		testkit.Say(t, db, mine, room, "k1", "21.5 °C")

		// Who is put out does not read on through their device.
		if _, err := db.Departure.Kick(t.Context(), testkit.UserID(0), room, testkit.UserID(1), "", now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Leave(t.Context(), testkit.UserID(2), room, now); err != nil {
			t.Fatal(err)
		}
		left, err := memberIDs(t, db, room)
		slices.Sort(left)
		if err != nil || !slices.Equal(left, []string{testkit.UserID(0), testkit.UserID(3)}) {
			t.Errorf("members %v, %v", left, err)
		}
		if s, err := db.Rooms.RoomState(t.Context(), testkit.UserID(0), room); err != nil || s.Room.Members != 2 {
			t.Errorf("%d members are counted, %v", s.Room.Members, err)
		}
		if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), room, mine,
			now); domain.CodeOf(err) != domain.CodeNoUser {
			t.Errorf("the device of someone who was put out: %v", err)
		}

		// The last person takes their device along, and the room is closed.
		own := mustDevice(t, db, testkit.UserID(3), 3, now)
		s, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(3),
			domain.NewRoom{Kind: domain.PrivateRoom, Name: "Lab", Members: []string{own}}, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Leave(t.Context(), testkit.UserID(3), s.Room.ID, now); err != nil {
			t.Fatal(err)
		}
		if left, err := memberIDs(t, db, s.Room.ID); err != nil || len(left) != 0 {
			t.Errorf("members %v, %v", left, err)
		}
	})
}
