package disk

import "testing"

func TestSize(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{
		0: "0 kB", 1: "1 kB", 1000: "1 kB", 1001: "2 kB",
		1e6: "1.0 MB", 211_500_000: "211.5 MB", 1e9: "1.0 GB", 2e12: "2000.0 GB",
	} {
		if got := Size(bytes); got != want {
			t.Errorf("%d bytes: got %q, want %q", bytes, got, want)
		}
	}
}
