package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A Fault begins at a time, and is repaired after another.
type Fault struct {
	At, For time.Duration
	What    string
	Target  int
}

func (f Fault) String() string {
	return fmt.Sprintf("%6.1fs %-26s %d for %.1fs", f.At.Seconds(), f.What, f.Target, f.For.Seconds())
}

// The kinds of faults: how long they last at least and at most, and the number of targets.
var kinds = []struct {
	what    string
	lo, hi  time.Duration
	targets int
}{
	{"kill node", 100 * time.Millisecond, 3 * time.Second, 3},
	{"pause node", 500 * time.Millisecond, 8 * time.Second, 3},
	{"roll nodes", 0, 0, 1},
	{"kill nats", 500 * time.Millisecond, 5 * time.Second, 3},
	{"pause nats", 500 * time.Millisecond, 8 * time.Second, 3},
	{"kill all nats", 500 * time.Millisecond, 6 * time.Second, 1},
	{"cut nats route", 2 * time.Second, 10 * time.Second, 3},
	{"stall nats route", 2 * time.Second, 10 * time.Second, 3},
	{"cut node from nats", 2 * time.Second, 10 * time.Second, 3},
	{"stall node from nats", 2 * time.Second, 12 * time.Second, 3},
	{"crash postgres", 0, 1500 * time.Millisecond, 1},
	{"cut node from postgres", 500 * time.Millisecond, 4 * time.Second, 3},
	{"stall node from postgres", time.Second, 6 * time.Second, 3},
	{"move clients", 0, 0, 4},
	{"stall clients", 3 * time.Second, 20 * time.Second, 4},
	{"slow clients", 5 * time.Second, 15 * time.Second, 4},
}

// Schedule returns the faults of a run. They depend only on the seed and the length, so that a run can
// be repeated. Each kind occurs before one occurs again. Most begin after the one before has ended;
// some overlap it.
func Schedule(seed uint64, length time.Duration) (faults []Fault) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var deck []int
	for at := time.Second; ; {
		if len(deck) == 0 {
			deck = rng.Perm(len(kinds))
		}
		k := kinds[deck[0]]
		deck = deck[1:]
		f := Fault{At: at, For: k.lo, What: k.what, Target: rng.IntN(k.targets)}
		if k.hi > k.lo {
			f.For += time.Duration(rng.Int64N(int64(k.hi - k.lo)))
		}
		if f.At+f.For > length {
			return faults
		}
		faults = append(faults, f)
		at += time.Second + time.Duration(rng.Int64N(int64(3*time.Second)))
		if rng.IntN(3) > 0 {
			at += f.For
		}
	}
}
