package device

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// What was read of a device before it described itself anew is not kept as if it were what it says now.
func TestDescribedKeepsNothingThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	d, now := newDescribed(), time.Now()
	_, _, drops := d.get("dev_1", now)
	d.drop("dev_1") // it describes itself between the reading and what follows
	d.put("dev_1", domain.Capabilities{Model: "before"}, now, drops)
	if c, ok, _ := d.get("dev_1", now); ok {
		t.Errorf("known is %+v", c)
	}
	_, _, drops = d.get("dev_1", now)
	d.put("dev_1", domain.Capabilities{Model: "after"}, now, drops)
	if c, ok, _ := d.get("dev_1", now); !ok || c.Model != "after" {
		t.Errorf("known is %+v", c)
	}
}
