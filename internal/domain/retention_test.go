package domain

import (
	"testing"
	"time"
)

func TestRetentionRules(t *testing.T) {
	own := func(days, lines int) RoomRetention { return RoomRetention{true, Retention{days, lines}} }
	for _, c := range []struct {
		name  string
		rules RetentionRules
		room  RoomRetention
		want  Retention
		ok    bool // may the room choose this
	}{
		{"nothing said", RetentionRules{}, RoomRetention{}, Retention{}, true},
		{"the server's", RetentionRules{Default: Retention{30, 5}}, RoomRetention{}, Retention{30, 5}, true},
		{"the room's own", RetentionRules{Default: Retention{30, 5}}, own(7, 0), Retention{7, 0}, true},
		{"for good, against the default", RetentionRules{Default: Retention{30, 5}}, own(0, 0), Retention{}, true},
		{"too short", RetentionRules{MinDays: 10}, own(7, 0), Retention{10, 0}, false},
		{"too long", RetentionRules{MaxDays: 10}, own(11, 3), Retention{10, 3}, false},
		{"for good, which is too long", RetentionRules{MaxDays: 10}, own(0, 0), Retention{10, 0}, false},
		{"the server's, bound as well", RetentionRules{MaxDays: 10}, RoomRetention{}, Retention{10, 0}, true},
		{"the most", RetentionRules{}, own(MaxRetentionDays, MaxRetentionLines),
			Retention{MaxRetentionDays, MaxRetentionLines}, true},
		{"a day more", RetentionRules{}, own(MaxRetentionDays+1, 0), Retention{MaxRetentionDays + 1, 0}, false},
		{"a line more", RetentionRules{}, own(0, MaxRetentionLines+1), Retention{0, MaxRetentionLines + 1}, false},
		{"negative", RetentionRules{}, own(-1, 0), Retention{-1, 0}, false},
	} {
		if got := c.rules.Resolve(c.room); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if err := c.rules.Check(c.room); (err == nil) != c.ok {
			t.Errorf("%s: may be chosen: %v", c.name, err)
		}
	}

	now := time.Unix(1_000_000_000, 0)
	step := PurgeStep{Before: Retention{Days: 1}.Cutoff(now), UpTo: 10, LineCutoff: RetentionRules{}.LineCutoff(now)}
	for _, c := range []struct {
		seq  int64
		age  time.Duration
		goes bool
	}{
		{50, 25 * time.Hour, true}, {50, 23 * time.Hour, false}, {10, 2 * time.Hour, true}, {11, 2 * time.Hour, false},
		{10, time.Minute, false},
	} {
		if got := step.Matches(c.seq, now.Add(-c.age)); got != c.goes {
			t.Errorf("number %d, %s old: goes %v", c.seq, c.age, got)
		}
	}
}
