package rollouts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// However many devices have joined a product, all are sent away, some in each transaction, and no device of another
// product.
func TestAllDevicesAreSentAway(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		t.Parallel()
		const many = 105
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		for _, name := range []string{"lamp", "pump"} {
			p := domain.Product{ID: "prd_" + name, Owner: domain.UserRef{ID: ann}, Name: name}
			must(t, db.Products.CreateProduct(ctx, p, now))
			open := true
			must(t, db.Products.ShareProduct(ctx, ann, p.ID, domain.ProductSharing{Open: &open}))
		}
		for i := range many + 1 {
			d := domain.Device{ID: fmt.Sprintf("dev_%026d", i), Owner: domain.UserRef{ID: bob}, Name: fmt.Sprint("Lamp ", i)}
			key := domain.DeviceKey{ID: fmt.Sprint("key", i), Device: d.ID}
			must(t, db.Devices.CreateDevice(ctx, d, key, domain.DeviceSecret{Hash: []byte{byte(i)}}, nil, 0, now))
			j := domain.FirmwareJoin{Device: d.ID, Product: domain.Product{ID: "prd_lamp"}, By: bob}
			if i == many {
				j.Product.ID = "prd_pump"
			}
			_, err := db.Rollouts.Join(ctx, j, "", now)
			must(t, err)
		}
		sent, calls := 0, 0
		for more := true; more; calls++ {
			var n int
			var err error
			n, _, more, err = db.Rollouts.SendAway(ctx, "prd_lamp", ann, now)
			must(t, err)
			sent += n
		}
		if sent != many || calls < 2 {
			t.Errorf("%d of %d devices were sent away by %d calls", sent, many, calls)
		}
		for i, want := range map[int]domain.Code{0: domain.CodeNotJoined, many - 1: domain.CodeNotJoined, many: ""} {
			if _, err := db.Rollouts.JoinOf(ctx, fmt.Sprintf("dev_%026d", i)); domain.CodeOf(err) != want {
				t.Errorf("device %d: %v", i, err)
			}
		}
		if _, _, _, err := db.Rollouts.SendAway(ctx, "prd_pump", bob, now); domain.CodeOf(err) != domain.CodeNoProduct {
			t.Errorf("somebody else sends away: %v", err)
		}
	})
}

// leaving are rules by which a device is taken back just when it is to be offered something.
type leaving struct {
	domain.RolloutRules
	leave func()
}

func (leaving) Salted(r domain.Rollout, _ []domain.DeviceFirmware) domain.Rollout { return r }

func (leaving) Connected(c domain.ConnectRate, _ int64, _ time.Time) domain.ConnectRate { return c }

func (leaving) Room(domain.Rollout, domain.RolloutCounts) int { return 1 }

func (leaving) Judge(r domain.Rollout, _ domain.RolloutCounts, _ bool, _ time.Time) domain.Rollout {
	return r
}

func (l leaving) Pick(
	of []domain.Rollout, d domain.DeviceFirmware, _ map[string]domain.Update, now time.Time,
) (domain.Update, bool) {
	if l.leave == nil {
		return domain.Update{}, false
	}
	l.leave()
	return domain.Update{Rollout: of[0].ID, Device: d.Device, State: domain.UpdateOffered, OfferedAt: now,
		ChangedAt: now, Shared: true}, true
}

// A device is offered nothing once its owner has taken it back, though what was read before says that it may be. With
// SQLite, which has one writer at a time, nobody can take it back meanwhile.
func TestADeviceThatLeavesIsOfferedNothing(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.Postgres(t))
	ctx, now := t.Context(), time.Now()
	testkit.Room(t, db, 2)
	ann, bob := testkit.UserID(0), testkit.UserID(1)
	p := domain.Product{ID: "prd_lamp", Owner: domain.UserRef{ID: ann}, Name: "lamp"}
	must(t, db.Products.CreateProduct(ctx, p, now))
	open := true
	must(t, db.Products.ShareProduct(ctx, ann, p.ID, domain.ProductSharing{Open: &open}))
	d := domain.Device{ID: fmt.Sprintf("dev_%026d", 1), Owner: domain.UserRef{ID: bob}, Name: "Lamp"}
	must(t, db.Devices.CreateDevice(ctx, d, domain.DeviceKey{ID: "key", Device: d.ID},
		domain.DeviceSecret{Hash: []byte{1}}, nil, 0, now))
	_, _, err := db.Devices.Link(ctx, "node", []domain.LinkChange{{DeviceLink: domain.DeviceLink{ID: "link",
		Device: d.ID, Key: "key", Opened: now}}})
	must(t, err)
	_, err = db.Rollouts.Join(ctx, domain.FirmwareJoin{Device: d.ID, Product: p, By: bob}, "", now)
	must(t, err)
	r, err := db.Rollouts.Create(ctx, domain.Rollout{ID: domain.NewID(domain.RolloutPrefix), Product: p.ID, Name: p.Name,
		Owner: ann, Release: "rel", Version: "1.0", State: domain.RolloutRunning, CreatedBy: domain.UserRef{ID: ann},
		CreatedAt: now}, now)
	must(t, err)
	_, err = db.Rollouts.Report(ctx, ann, d.ID, domain.FirmwareReport{Product: p.Name}, leaving{}, now)
	must(t, err)
	asked := 0
	_, err = db.Rollouts.Decide(ctx, r.ID, leaving{leave: func() {
		asked++
		_, _, err := db.Rollouts.Leave(ctx, d.ID, bob, now)
		must(t, err)
	}}, now)
	must(t, err)
	had, err := db.Rollouts.DeviceUpdates(ctx, d.ID, 10)
	if err != nil || asked != 1 || len(had) != 0 {
		t.Errorf("after %d questions it has %+v: %v", asked, had, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
