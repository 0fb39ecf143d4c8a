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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
