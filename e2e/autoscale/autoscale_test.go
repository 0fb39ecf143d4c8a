//go:build unix

package autoscale

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/nginxtest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// paceOf returns how quickly the tests run.
func paceOf() pace {
	if os.Getenv("UNHIDRA_TEST_LONG") != "" { // as the chart has it, but for the age
		return pace{speed: 1, delay: 10 * time.Second, over: 30 * time.Second, age: time.Minute, target: 100}
	}
	return pace{speed: 50, delay: 500 * time.Millisecond, over: 5 * time.Second, age: 20 * time.Second, target: 40}
}

// begin starts the fewest pods behind nginx, and a small load.
func begin(t *testing.T, p pace, settings ...string) (*cluster, *load) {
	t.Helper()
	t.Parallel()
	n := nginxtest.New(t)
	n.Edits = []string{"unhidra_sockets 200;", "unhidra_sockets 10000;", "rate=50r/s", "rate=1000r/s"} // of one address
	ca := tlstest.NewAuthority(t)
	ca.Files(n.Dir, 2*time.Hour)
	c := newCluster(t, p, n, settings...)
	c.until("the first pods are ready", c.patience(), func() bool { return c.calm(fewest, 0) })
	return c, newLoad(t, n.URL(), ca.Client())
}

// The load rises, and pods are added; one is evicted; the load falls, and pods are
// drained down to the minimum. Nothing acknowledged is lost, doubled or out of order,
// no connection breaks and no request fails, and whoever must reconnect does so spread
// over the drain, to all other pods alike.
func TestPodsComeAndGo(t *testing.T) {
	p := paceOf()
	c, w := begin(t, p)
	level := func(targets float64, pods int) {
		t.Helper()
		want := int(targets * float64(p.target))
		w.want.Store(int64(want))
		c.until("there are as many pods as the load needs", c.patience(), func() bool { return c.calm(pods, want) })
		t.Logf("%d connections on %d pods: %v", want, pods, c.connections())
	}
	level(2.25, fewest)
	level(4.8, most)
	evicted := c.evict()
	level(4.8, most)
	w.checkMoves(c, evicted)
	w.checkShares(c, evicted)

	level(1.5, fewest) // two would be enough
	if got := c.hpa.recommend(fewest, each(fewest, float64(p.target)/2)); got != fewest-1 {
		t.Errorf("the load needs %d pods, which does not show that there is a minimum", got)
	}
	last := c.ended[len(c.ended)-1]
	c.until("one more pod could have gone", c.patience(), func() bool {
		return time.Since(last.drain.began) > c.hpa.Down.Period+3*c.syncs()
	})
	w.end()
	c.until("everybody has seen everything", 3*time.Minute, func() bool { return w.behind() == "" })
	w.check()
	if len(c.pods) != fewest || len(c.ended) != 1+most-fewest {
		t.Errorf("%d pods are left and %d were drained", len(c.pods), len(c.ended))
	}
	for _, p := range c.ended {
		w.checkMoves(c, p)
	}
}

// After pods were added, all have about as many connections as soon as those that there
// were have reached their age; and nothing is lost, doubled or out of order by that.
func TestLoadBecomesEven(t *testing.T) {
	p := paceOf()
	c, w := begin(t, p, "UNHIDRA_CONNECTION_AGE="+p.age.String())
	want := int(4.8 * float64(p.target))
	w.want.Store(int64(want))
	c.until("there are as many pods as the load needs", c.patience(), func() bool { return len(c.connections()) == most })
	t.Logf("after the scale-up: %v", c.connections())
	var has map[string]int
	c.until("the load is even", p.age+c.patience(), func() bool {
		has = c.connections()
		return even(has, want)
	})
	t.Logf("even: %v", has)
	w.end()
	c.until("everybody has seen everything", 3*time.Minute, func() bool { return w.behind() == "" })
	w.check()
}

// even reports whether nearly all connections are there, and each pod is at most a quarter
// away from its share of them.
func even(has map[string]int, want int) bool {
	all := 0
	for _, n := range has {
		all += n
	}
	share := float64(want) / most
	for _, n := range has {
		if math.Abs(float64(n)-share) > share/4 {
			return false
		}
	}
	return len(has) == most && all >= want*9/10 // some are just moving
}

// checkMoves checks how the connections of a drained pod came back.
func (w *load) checkMoves(c *cluster, p *pod) {
	w.t.Helper()
	var back []time.Time
	c.until("the connections of "+p.name+" are back", c.patience(), func() bool {
		back = w.movesOf(p.drain)
		return len(back) >= p.drain.moved
	})
	if len(back) == 0 {
		return
	}
	// So many would come back in each second if they were closed in even steps. A client waits
	// up to half a second longer than another, and the machine has other work.
	rate := float64(len(back)) / c.pace.over.Seconds()
	most, limit := busiest(back), int(2.5*rate+3)
	if most > limit {
		w.t.Errorf("%d of %d connections of %s came back within one second, want at most %d", most, len(back), p.name, limit)
	}
	if first := back[0].Sub(p.drain.began); first < c.pace.delay {
		w.t.Errorf("%s closed a connection before its delay: it was back after %s", p.name, first)
	}
	w.t.Logf("%s: %d connections came back over %s, at most %d in a second (limit %d)", p.name, len(back),
		back[len(back)-1].Sub(back[0]).Round(time.Millisecond), most, limit)
}

// checkShares checks that all pods that were there got about as many connections of a drained one. On a slow machine
// the autoscaler may have drained another one meanwhile, whose connections went to the same.
func (w *load) checkShares(c *cluster, p *pod) {
	w.t.Helper()
	there := slices.DeleteFunc(slices.Clone(c.pods), func(o *pod) bool { return o.began.After(p.drain.gone) })
	others := 0
	for _, o := range c.ended {
		if o != p && o.drain.began.Before(p.drain.gone) {
			others += o.drain.moved
		}
	}
	share := float64(p.drain.moved) / float64(len(there))
	has := c.connections()
	for _, o := range there {
		got := float64(has[o.name] - p.drain.before[o.name])
		if math.Abs(got-share) > share/2+3+float64(others) {
			w.t.Errorf("%s got %.0f of the %d connections, want about %.0f", o.name, got, p.drain.moved, share)
		}
	}
}

// busiest returns how many of these moments, which are in order, are within one second
// at most.
func busiest(at []time.Time) (most int) {
	from := 0
	for i, t := range at {
		for t.Sub(at[from]) >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}
