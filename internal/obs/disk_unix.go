//go:build unix

package obs

import (
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// WatchDisk registers how much room is on the disk of dir.
func WatchDisk(reg prometheus.Registerer, dir string) {
	gauge := func(name, help string, of func(syscall.Statfs_t) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			var s syscall.Statfs_t
			if err := syscall.Statfs(dir, &s); err != nil {
				return 0
			}
			return of(s)
		})
	}
	reg.MustRegister(
		gauge("unhidra_data_disk_free_bytes", "Room left on the disk of the data folder.", func(s syscall.Statfs_t) float64 { return float64(s.Bavail) * float64(s.Bsize) }),
		gauge("unhidra_data_disk_size_bytes", "Size of the disk of the data folder.", func(s syscall.Statfs_t) float64 { return float64(s.Blocks) * float64(s.Bsize) }),
	)
}
