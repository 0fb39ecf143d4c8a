//go:build unix

package autoscale

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/nginxtest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

const (
	fewest, most = 3, 5                   // pods
	syncPeriod   = 15 * time.Second       // between two decisions of the kube-controller-manager
	probe        = 100 * time.Millisecond // between two looks at the pods
)

// A pace is how quickly a test runs.
type pace struct {
	speed       float64       // of the autoscaler, in times its real one
	delay, over time.Duration // of a drain: they are real
	age         time.Duration // of connections, in the test of it
	target      int           // connections of a pod
}

// A pod is a node that is to be there, or is ending.
type pod struct {
	*node.Node
	name  string
	began time.Time
	drain drain
}

// A drain is how a pod ended.
type drain struct {
	began, gone time.Time
	moved       int            // connections that it had
	before      map[string]int // those of the others
}

// A cluster is what Kubernetes would be: a control loop that starts and drains pods by
// their metric, and tells the proxy which of them are ready. Its methods are called by
// the test's goroutine alone: the loop turns only within until.
type cluster struct {
	t       *testing.T
	pace    pace
	hpa     *HPA
	nginx   *nginxtest.Server
	bin     string
	env     []string
	log     *testkit.Buffer
	started int
	pods    []*pod // oldest first
	ending  []*pod
	ended   []*pod
	synced  time.Time
}

func newCluster(t *testing.T, p pace, n *nginxtest.Server, settings ...string) *cluster {
	t.Helper()
	up, down, err := ReadBehaviors(manifest)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, pace: p, nginx: n, bin: node.Build(t), log: &testkit.Buffer{},
		hpa: &HPA{Min: fewest, Max: most, Target: float64(p.target), Up: up.quicker(p.speed), Down: down.quicker(p.speed)}}
	c.env = []string{
		"DATABASE_URL=" + pgtest.Database(t, nil), "NATS_URL=" + natstest.Start(t).URL(),
		"UNHIDRA_SERVER_KEY=the same key for every node of the cluster", "UNHIDRA_LOG_FORMAT=text",
		"UNHIDRA_PUBLIC_URL=" + n.URL(), "UNHIDRA_TRUSTED_PROXIES=127.0.0.1",
		"UNHIDRA_DRAIN_DELAY=" + p.delay.String(), "UNHIDRA_DRAIN=" + p.over.String(),
		"UNHIDRA_SHUTDOWN_TIMEOUT=" + c.timeout().String(),
	}
	c.env = append(c.env, settings...)
	for range fewest {
		c.start()
	}
	return c
}

// timeout is to the time of a drain what it is in the chart's values.
func (c *cluster) timeout() time.Duration { return c.pace.over + c.pace.over/2 }

// grace is how long Kubernetes lets a pod end, by the chart.
func (c *cluster) grace() time.Duration { return c.pace.delay + c.timeout() + 15*time.Second }

// syncs is the time between two decisions.
func (c *cluster) syncs() time.Duration { return time.Duration(float64(syncPeriod) / c.pace.speed) }

// patience is longer than the autoscaler needs for anything.
func (c *cluster) patience() time.Duration {
	return 3*time.Minute + c.hpa.Up.Window + c.hpa.Down.Window + (most-fewest)*(c.hpa.Up.Period+c.hpa.Down.Period)
}

func (c *cluster) start() {
	c.started++
	p := &pod{name: fmt.Sprint("pod ", c.started), Node: node.New(c.t, c.bin, c.log, c.env...), began: time.Now()}
	p.Start()
	c.pods = append(c.pods, p)
	c.t.Logf("%s is started", p.name)
}

// end drains a pod.
func (c *cluster) end(p *pod) {
	c.pods = slices.DeleteFunc(c.pods, func(o *pod) bool { return o == p })
	p.drain = drain{began: time.Now(), before: c.connections(), moved: c.connectionsOf(p)}
	p.Signal(syscall.SIGTERM)
	c.ending = append(c.ending, p)
	c.t.Logf("%s is drained, with %d connections; the others have %v", p.name, p.drain.moved, p.drain.before)
}

// evict drains the oldest pod as `kubectl drain` does, and its Deployment starts another.
func (c *cluster) evict() *pod {
	p := c.pods[0]
	c.end(p)
	c.start()
	return p
}

// until turns the control loop until done, or for so long at most.
func (c *cluster) until(what string, patience time.Duration, done func() bool) {
	c.t.Helper()
	tick := time.NewTicker(probe)
	defer tick.Stop()
	for late := time.Now().Add(patience); ; <-tick.C {
		c.reap()
		c.endpoints()
		if time.Since(c.synced) >= c.syncs() {
			c.synced = time.Now()
			c.scale()
		}
		if done() {
			return
		}
		if c.t.Failed() {
			c.t.FailNow()
		}
		if time.Now().After(late) {
			c.t.Fatalf("waited in vain until %s; connections: %v, pods that end: %d", what, c.connections(),
				len(c.ending))
		}
	}
}

// scale starts or drains pods as the autoscaler decides. Those that started last go
// first, as with a ReplicaSet.
func (c *cluster) scale() {
	var values []float64
	for _, n := range c.connections() {
		values = append(values, float64(n))
	}
	want := c.hpa.Decide(time.Now(), len(c.pods), values)
	for len(c.pods) < want {
		c.start()
	}
	for len(c.pods) > want {
		c.end(c.pods[len(c.pods)-1])
	}
	if len(c.pods) < fewest || len(c.pods) > most {
		c.t.Errorf("%d pods", len(c.pods))
	}
}

// endpoints tells nginx which pods are ready, when that has changed.
func (c *cluster) endpoints() {
	var ready []string
	for _, p := range slices.Concat(c.pods, c.ending) {
		if p.Ready(c.t.Context()) {
			ready = append(ready, p.Public)
		}
	}
	if len(ready) == 0 || slices.Equal(ready, c.nginx.Nodes) {
		return
	}
	first := c.nginx.Nodes == nil
	c.nginx.Nodes = ready
	c.nginx.Configure()
	if first {
		c.nginx.Start()
		return
	}
	c.nginx.Reload()
}

// reap looks after pods that ended: no other may.
func (c *cluster) reap() {
	for _, p := range slices.Clone(c.ending) {
		select {
		case <-p.Exited():
			p.drain.gone = time.Now()
			c.ending = slices.DeleteFunc(c.ending, func(o *pod) bool { return o == p })
			c.ended = append(c.ended, p)
			c.t.Logf("%s has ended after %s", p.name, time.Since(p.drain.began).Round(time.Millisecond))
		default:
			if time.Since(p.drain.began) > c.grace() {
				c.t.Errorf("%s has not ended after %s", p.name, c.grace())
			}
		}
	}
	for _, p := range c.pods {
		select {
		case <-p.Exited():
			c.t.Fatalf("%s ended by itself:\n%s", p.name, c.log)
		default:
		}
	}
}

// connections returns how many each pod has that is to be there and answers.
func (c *cluster) connections() map[string]int {
	n := make(map[string]int)
	for _, p := range c.pods {
		if m, err := p.Metrics(c.t.Context()); err == nil && p.Ready(c.t.Context()) {
			n[p.name] = int(m["gateway_connections"])
		}
	}
	return n
}

func (c *cluster) connectionsOf(p *pod) int {
	m, err := p.Metrics(c.t.Context())
	if err != nil {
		c.t.Errorf("%s: %v", p.name, err)
	}
	return int(m["gateway_connections"])
}

// calm reports whether n pods are ready and nginx was told of them, none is ending, and
// they have so many connections together.
func (c *cluster) calm(n, connections int) bool {
	all := 0
	has := c.connections()
	for _, n := range has {
		all += n
	}
	return len(c.pods) == n && len(has) == n && len(c.nginx.Nodes) == n && len(c.ending) == 0 && all == connections
}
