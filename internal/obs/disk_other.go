//go:build !unix

package obs

import "github.com/prometheus/client_golang/prometheus"

// DiskOf knows of no disk: this system has no way that we know.
func DiskOf(string) (d Disk, ok bool) { return d, false }

// WatchDisk registers nothing.
func WatchDisk(prometheus.Registerer, string) {}
