// Package disk watches how much room is left on the disk of the data folder, and keeps a
// reserve on it for what must be written although the disk is full.
package disk

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

// Below these, somebody should make room. They are above UNHIDRA_DISK_RESERVE unless that
// was raised, so that people are warned before messages are refused.
const (
	low  = 1 << 30
	full = 100 << 20
)

// Low reports whether little room is left.
func Low(u domain.DiskUse) bool { return u.Free < low }

// Full reports whether so little room is left that writes may fail soon.
func Full(u domain.DiskUse) bool { return u.Free < full }

// Watch registers how much room is on the disk of dir, where this system tells.
func Watch(reg prometheus.Registerer, dir string) {
	if _, err := Use(dir); errors.Is(err, errors.ErrUnsupported) {
		return
	}
	gauge := func(name, help string, of func(domain.DiskUse) uint64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			u, _ := Use(dir)
			return float64(of(u))
		})
	}
	reg.MustRegister(
		gauge("unhidra_data_disk_free_bytes", "Room left on the disk of the data folder.",
			func(u domain.DiskUse) uint64 { return u.Free }),
		gauge("unhidra_data_disk_size_bytes", "Size of the disk of the data folder.",
			func(u domain.DiskUse) uint64 { return u.Total }),
	)
}

// Health reports on the disk of one folder.
type Health struct {
	Dir string
	Use func(dir string) (domain.DiskUse, error) // nil: Use of this package
}

// CheckHealth adds how much room there is, and whether that is too little. On a system
// that does not tell, it adds nothing.
func (h Health) CheckHealth(_ context.Context, r *domain.HealthReport) error {
	use := h.Use
	if use == nil {
		use = Use
	}
	u, err := use(h.Dir)
	if err != nil {
		return nil //nolint:nilerr // unknown is no concern: the report shows that it is
	}
	r.Disk = &u
	switch {
	case Full(u):
		r.Fail("disk_low", "")
	case Low(u):
		r.Warn("disk_low", "")
	}
	return nil
}
