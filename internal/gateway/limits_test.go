package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// A request of a new type needs a limit.
func TestEveryRequestTypeHasALimit(t *testing.T) {
	t.Parallel()
	known := make(map[string]bool)
	for _, f := range wire.Requests() {
		known[f.Type] = true
		if _, ok := allowances[f.Type]; !ok {
			t.Errorf("%s is counted against nothing in particular: choose its limit", f.Type)
		}
	}
	for typ := range allowances {
		if !known[typ] {
			t.Errorf("there is no request of type %q", typ)
		}
	}
}

func TestDevicesOfAnOwnerShareABudget(t *testing.T) {
	t.Parallel()
	now := time.Now()
	n := start(t, newWorld(), func(d *Deps) {
		d.Limits.MessagesPerSec, d.Devices, d.Now = 5, &devices{}, func() time.Time { return now }
	})
	sent := 0
	for i := range 5 { // 10 at once for each
		name := fmt.Sprintf("dev%d", i)
		n.join(name, "r1")
		p, _ := n.enter(t, "dk_"+name)
		for j := range 10 {
			id := p.request(wire.TypeSend, wire.Send{Room: "r1", Key: fmt.Sprint(i, j), Text: "x"})
			f := p.frame()
			for f.ID != id {
				f = p.frame()
			}
			if f.Type == wire.TypeOK {
				sent++
			}
		}
	}
	if sent != 20 {
		t.Errorf("%d messages of one owner's devices went through at once, want 20", sent)
	}
}
