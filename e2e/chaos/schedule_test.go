package chaos

import (
	"slices"
	"testing"
	"time"
)

func TestScheduleIsRepeatedByItsSeed(t *testing.T) {
	a, b, other := Schedule(7, time.Hour), Schedule(7, time.Hour), Schedule(8, time.Hour)
	if !slices.Equal(a, b) || slices.Equal(a, other) {
		t.Error("a seed does not give one schedule of its own")
	}
	long := Schedule(7, 2*time.Hour)
	if !slices.Equal(a, long[:len(a)]) {
		t.Error("a longer run does not begin as a shorter one")
	}
}

func TestThreeMinutesHoldEveryFault(t *testing.T) {
	for seed := range uint64(200) {
		seen := make(map[string]bool)
		for _, f := range Schedule(seed, 170*time.Second) {
			seen[f.What] = true
		}
		for _, k := range kinds {
			if !seen[k.what] {
				t.Errorf("seed %d: no %q", seed, k.what)
			}
		}
	}
}
