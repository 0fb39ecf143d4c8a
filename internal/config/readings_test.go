package config

import "testing"

func TestWhatIsCoarserIsKeptAtLeastAsLong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keep Readings
		good bool
	}{
		{Readings{31, 400, 3650, 0}, true}, {Readings{0, 0, 0, 0}, true}, {Readings{31, 31, 31, 31}, true},
		{Readings{31, 30, 0, 0}, false}, {Readings{0, 400, 0, 0}, false}, {Readings{31, 0, 3650, 0}, false},
		{Readings{31, 400, 3650, 3649}, false},
	} {
		if err := c.keep.complete(); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.keep, err)
		}
	}
	if _, err := Load([]string{"UNHIDRA_READINGS_DAYS=500"}, nil); err == nil {
		t.Error("minutes are kept for 400 days, and single readings for 500")
	}
}
