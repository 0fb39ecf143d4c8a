package disk

import (
	"errors"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestADiskIsReportedBeforeItIsFull(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		free          uint64
		warns, failed bool
	}{{1 << 30, false, false}, {1<<30 - 1, true, false}, {100 << 20, true, false}, {100<<20 - 1, true, true},
		{0, true, true}} {
		var r domain.HealthReport
		h := Health{Dir: "data", Use: func(dir string) (domain.DiskUse, error) {
			if dir != "data" {
				t.Errorf("asked about %s", dir)
			}
			return domain.DiskUse{Free: c.free, Total: 1 << 40}, nil
		}}
		if err := h.CheckHealth(t.Context(), &r); err != nil || r.Disk == nil || r.Disk.Free != c.free ||
			r.Disk.Total != 1<<40 {
			t.Errorf("%d free: %+v, %v", c.free, r.Disk, err)
		}
		if warns := len(r.Problems) == 1 && r.Problems[0].Code == "disk_low"; warns != c.warns || c.warns &&
			r.Problems[0].Failure != c.failed {
			t.Errorf("%d free: %+v", c.free, r.Problems)
		}
	}
	var r domain.HealthReport
	h := Health{Use: func(string) (domain.DiskUse, error) { return domain.DiskUse{}, errors.ErrUnsupported }}
	if err := h.CheckHealth(t.Context(), &r); err != nil || r.Disk != nil || len(r.Problems) > 0 {
		t.Errorf("an unknown disk: %+v, %v", r, err)
	}
}

func TestUse(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("this system does not tell")
	}
	reg := prometheus.NewRegistry()
	Watch(reg, t.TempDir())
	metrics, err := reg.Gather()
	if err != nil || len(metrics) != 2 {
		t.Fatalf("%v, %v", metrics, err)
	}
	for _, m := range metrics {
		if m.GetMetric()[0].GetGauge().GetValue() <= 0 {
			t.Errorf("%v", m)
		}
	}
	if _, err := Use(t.TempDir() + "/none"); err == nil {
		t.Error("no folder has a disk")
	}
}
