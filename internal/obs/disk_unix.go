//go:build unix

package obs

import (
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// DiskOf returns how much room is on the disk of dir; ok is false where that
// cannot be known.
func DiskOf(dir string) (d Disk, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return d, false
	}
	size := uint64(s.Bsize)                                                  // the types differ between systems
	return Disk{Free: uint64(s.Bavail) * size, Total: s.Blocks * size}, true // as above
}

// WatchDisk registers how much room is on the disk of dir.
func WatchDisk(reg prometheus.Registerer, dir string) {
	gauge := func(name, help string, of func(Disk) uint64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			d, _ := DiskOf(dir)
			return float64(of(d))
		})
	}
	reg.MustRegister(
		gauge("unhidra_data_disk_free_bytes", "Room left on the disk of the data folder.", func(d Disk) uint64 { return d.Free }),
		gauge("unhidra_data_disk_size_bytes", "Size of the disk of the data folder.", func(d Disk) uint64 { return d.Total }),
	)
}
