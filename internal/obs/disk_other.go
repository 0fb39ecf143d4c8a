//go:build !unix

package obs

import "github.com/prometheus/client_golang/prometheus"

// WatchDisk registers nothing: this system has no way that we know.
func WatchDisk(prometheus.Registerer, string) {}
