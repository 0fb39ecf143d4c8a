package devices_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// links changes the links of one device, and says how it stands then.
type links struct {
	*testing.T
	db     *all.Store
	device string
	now    time.Time
}

func (l *links) open(id, addr string) domain.LinkChange {
	return domain.LinkChange{DeviceLink: domain.DeviceLink{ID: id, Device: l.device, Key: "key1", Addr: addr,
		Opened: l.now}}
}

func (l *links) end(id string, due time.Duration) domain.LinkChange {
	c := l.open(id, "")
	c.Ended, c.Due, c.Reason = l.now, l.now.Add(due), "lost"
	return c
}

// do carries changes out, and fails unless the device is then so, in that session, and unless so many
// devices came or went by it.
func (l *links) do(node string, state domain.DeviceState, session int64, came int, changes ...domain.LinkChange) {
	l.Helper()
	got, _, err := l.db.Devices.Link(l.Context(), node, changes)
	if err != nil || len(got) != came {
		l.Fatalf("%d devices came or went, not %d; %v", len(got), came, err)
	}
	l.is(state, session)
}

func (l *links) is(state domain.DeviceState, session int64) {
	l.Helper()
	d, err := l.db.Devices.DeviceByID(l.Context(), l.device)
	if err != nil || d.Status.State(l.now) != state || d.Status.Session != session {
		l.Errorf("%s in session %d, not %s in %d; %v", d.Status.State(l.now), d.Status.Session, state, session, err)
	}
	found, err := l.db.Devices.FindDevices(l.Context(), domain.DeviceQuery{State: state}, "", 10, l.now)
	if err != nil || !slices.ContainsFunc(found, func(d domain.Device) bool { return d.ID == l.device }) {
		l.Errorf("not found among those that are %s: %v", state, err)
	}
}

func (l *links) pass(d time.Duration) { l.now = l.now.Add(d) }

func (l *links) overdue(want int) {
	l.Helper()
	gone, err := l.db.Devices.Overdue(l.Context(), l.now)
	if err != nil || len(gone) != want {
		l.Errorf("%d devices are overdue, not %d; %v", len(gone), want, err)
	}
}

func eachLinks(t *testing.T, do func(l *links)) {
	t.Helper()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now().Truncate(time.Second)
		testkit.Room(t, db, 1)
		do(&links{t, db, mustDevice(t, db, testkit.UserID(0), 1, now), now})
	})
}

// The end of a stale connection that comes late takes no fresh one for ended, from whatever node.
func TestAStaleEndLeavesAFreshConnectionOnline(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		l.is(domain.DeviceOffline, 0)
		l.do("a", domain.DeviceOnline, 1, 1, l.open("conn_1", "10.0.0.1"))
		l.do("a", domain.DeviceOnline, 1, 0, l.open("conn_1", "10.0.0.1")) // as after a commit whose answer was lost
		l.do("b", domain.DeviceOnline, 2, 0, l.open("conn_2", "10.0.0.1"))
		l.do("a", domain.DeviceOnline, 2, 0, l.end("conn_1", 0))
		l.do("a", domain.DeviceOnline, 2, 0, l.end("conn_1", 0))
		l.do("b", domain.DeviceOffline, 2, 1, l.end("conn_2", 0))
		d, err := l.db.Devices.DeviceByID(l.Context(), l.device)
		if err != nil || d.Status.Reason != "lost" || !d.Status.Since.Equal(l.now) {
			l.Errorf("%+v, %v", d.Status, err)
		}
	})
}

// A device that comes back before it is due was never away.
func TestADeviceIsOfflineWhenItIsOverdue(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		l.do("a", domain.DeviceOnline, 1, 1, l.open("conn_1", ""))
		l.do("a", domain.DeviceOnline, 1, 0, l.end("conn_1", 5*time.Second))
		l.pass(4 * time.Second)
		l.overdue(0)
		l.do("a", domain.DeviceOnline, 2, 0, l.open("conn_2", ""))
		l.pass(4 * time.Second)
		l.overdue(0)
		l.do("a", domain.DeviceOnline, 2, 0, l.end("conn_2", 5*time.Second))
		l.pass(6 * time.Second)
		l.overdue(1)
		l.overdue(0)
		l.is(domain.DeviceOffline, 2)
		l.do("a", domain.DeviceOnline, 4, 1, l.open("conn_3", ""), l.open("conn_4", ""), l.end("conn_3", 0))
	})
}

// A device that said when it wants to be back is asleep at once, until then or until it is back.
func TestADeviceThatSaidGoodbyeIsAsleep(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		l.do("a", domain.DeviceOnline, 1, 1, l.open("conn_1", ""))
		if err := l.db.Devices.Away(l.Context(), l.device, "sleep", l.now.Add(time.Hour)); err != nil {
			l.Fatal(err)
		}
		l.is(domain.DeviceOnline, 1)
		l.do("a", domain.DeviceAsleep, 1, 1, l.end("conn_1", time.Minute))
		l.do("a", domain.DeviceOnline, 2, 1, l.open("conn_2", ""))
		l.do("a", domain.DeviceOffline, 2, 1, l.end("conn_2", 0)) // it had not said so this time
		if err := l.db.Devices.Away(l.Context(), l.device, "sleep", l.now.Add(time.Hour)); err != nil {
			l.Fatal(err)
		}
		l.is(domain.DeviceAsleep, 2)
		l.pass(time.Hour)
		l.is(domain.DeviceOffline, 2)
	})
}

// The devices of a node that died are due after a while; those that are back elsewhere stay.
func TestDevicesOfADeadNodeAreDue(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		lives := func(node string, want bool) {
			l.Helper()
			if known, err := l.db.Devices.NodeLives(l.Context(), node, l.now); err != nil || known != want {
				l.Errorf("node %s is known: %v, %v", node, known, err)
			}
		}
		dead := func(want string) {
			l.Helper()
			node, err := l.db.Devices.DeadNode(l.Context(), l.now.Add(-15*time.Second), l.now, l.now.Add(time.Minute))
			if err != nil || node != want {
				l.Errorf("%q is dead, not %q; %v", node, want, err)
			}
		}
		other := mustDevice(l.T, l.db, testkit.UserID(0), 2, l.now)
		lives("a", false)
		lives("b", false)
		elsewhere := l.open("conn_9", "")
		elsewhere.Device = other
		l.do("a", domain.DeviceOnline, 1, 2, l.open("conn_1", ""), elsewhere)
		l.do("b", domain.DeviceOnline, 2, 0, l.open("conn_2", ""))
		l.pass(16 * time.Second)
		lives("b", true)
		dead("a")
		dead("")
		l.is(domain.DeviceOnline, 2)
		l.pass(time.Minute)
		l.overdue(1) // the other one
		l.is(domain.DeviceOnline, 2)
		lives("a", false) // and has to tell of its links again
	})
}

// A node that was taken for dead, stores a link nevertheless, and dies, leaves no device online for ever.
func TestDevicesOfAnUnknownNodeAreDue(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		if _, err := l.db.Devices.NodeLives(l.Context(), "b", l.now); err != nil {
			l.Fatal(err)
		}
		l.do("a", domain.DeviceOnline, 1, 1, l.open("conn_1", ""))
		for _, want := range []string{"a", ""} {
			node, err := l.db.Devices.DeadNode(l.Context(), l.now.Add(-15*time.Second), l.now, l.now.Add(time.Minute))
			if err != nil || node != want {
				l.Errorf("%q is dead, not %q; %v", node, want, err)
			}
		}
		l.pass(time.Minute)
		l.overdue(1)
	})
}

// A node may die with more devices than fit into one transaction. One that was taken for dead, and lives, has
// to tell of its links again.
func TestManyDevicesOfADeadNodeAreDue(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		const most = 500 // of a transaction
		changes := []domain.LinkChange{l.open("conn_0", "")}
		for i := 2; i <= most+1; i++ {
			c := l.open(fmt.Sprintf("conn_%d", i), "")
			c.Device = mustDevice(l.T, l.db, testkit.UserID(0), i, l.now)
			changes = append(changes, c)
		}
		if _, err := l.db.Devices.NodeLives(l.Context(), "a", l.now); err != nil {
			l.Fatal(err)
		}
		l.do("a", domain.DeviceOnline, 1, most+1, changes...)
		l.pass(16 * time.Second)
		node, err := l.db.Devices.DeadNode(l.Context(), l.now.Add(-15*time.Second), l.now, l.now.Add(time.Minute))
		if err != nil || node != "a" {
			l.Fatalf("%q is dead, %v", node, err)
		}
		l.pass(time.Minute)
		l.overdue(most)
		l.overdue(1)
		if known, err := l.db.Devices.NodeLives(l.Context(), "a", l.now); err != nil || known {
			l.Errorf("known: %v, %v", known, err)
		}
	})
}

// A key that is used from two addresses is told of once in a while.
func TestAKeyAtTwoPlacesIsNoticedOnce(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		ctx := l.Context()
		_, none, err := l.db.Devices.Link(ctx, "a",
			[]domain.LinkChange{l.open("conn_1", "10.0.0.1"), l.open("conn_2", "10.0.0.1")})
		if err != nil || len(none) > 0 {
			l.Errorf("%+v, %v", none, err)
		}
		_, rivals, err := l.db.Devices.Link(ctx, "b", []domain.LinkChange{l.open("conn_3", "10.0.0.3")})
		if err != nil || len(rivals) != 1 || rivals[0].Key != "key1" ||
			!slices.Equal(rivals[0].Others, []string{"10.0.0.1"}) {
			l.Errorf("%+v, %v", rivals, err)
		}
		places := []string{"10.0.0.1", "10.0.0.3"}
		for i, want := range []bool{true, false} {
			s, news, err := l.db.Devices.Doubled(ctx, l.device, places, l.now.Add(-time.Hour), l.now)
			if err != nil || news != want || want && !slices.Equal(s.Places, places) {
				l.Errorf("the %d. time: %v, %+v, %v", i+1, news, s, err)
			}
		}
		if s, err := l.db.Devices.Statuses(ctx, []string{l.device}); err != nil || len(s) != 1 || !s[0].Doubled.Equal(l.now) {
			l.Errorf("%+v, %v", s, err)
		}
	})
}

// Two nodes that end the last links of a device at the same time leave none of them open.
func TestTheLastLinksEndOnTwoNodesAtOnce(t *testing.T) {
	t.Parallel()
	eachLinks(t, func(l *links) {
		for round := range 5 {
			a, b := fmt.Sprintf("conn_a%d", round), fmt.Sprintf("conn_b%d", round)
			if _, _, err := l.db.Devices.Link(l.Context(), "a", []domain.LinkChange{l.open(a, ""), l.open(b, "")}); err != nil {
				l.Fatal(err)
			}
			ended := make(chan error, 2)
			for _, id := range []string{a, b} {
				go func(ctx context.Context, c domain.LinkChange) {
					_, _, err := l.db.Devices.Link(ctx, "a", []domain.LinkChange{c})
					ended <- err
				}(l.Context(), l.end(id, 0))
			}
			for range 2 {
				if err := <-ended; err != nil {
					l.Error(err)
				}
			}
			l.is(domain.DeviceOffline, int64(2*round+2))
		}
	})
}
