package disk

import "fmt"

// Size returns a number of bytes as people read it, in the decimal units that disks are sold in
// and that the web client shows: "1.2 GB".
func Size[N int64 | uint64](bytes N) string {
	switch {
	case bytes < 1e6:
		return fmt.Sprintf("%d kB", (bytes+999)/1000)
	case bytes < 1e9:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}
