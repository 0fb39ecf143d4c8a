package store

import (
	"slices"
	"testing"
)

// What lies behind a list in its array is not written to: others may have it.
func TestPaddingIsACopy(t *testing.T) {
	t.Parallel()
	all := []int{1, 2, 3, 4}
	if got := PadToPowerOfTwo(all[:3]); !slices.Equal(got, []int{1, 2, 3, 3}) || all[3] != 4 {
		t.Errorf("got %v of %v", got, all)
	}
	for n, want := range []int{0, 1, 2, 4, 4, 8} {
		if got := len(PadToPowerOfTwo(make([]int, n))); got != want {
			t.Errorf("%d become %d, want %d", n, got, want)
		}
	}
}
