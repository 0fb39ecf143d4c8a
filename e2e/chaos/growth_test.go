//go:build unix

package chaos

import (
	"context"
	"testing"
	"time"
)

// Limits of a node under this load, during the run and at the end.
var bounds = []struct {
	metric      string
	ever, after float64
}{
	{"process_resident_memory_bytes", 512 << 20, 512 << 20},
	{"go_goroutines", 3000, 600},
	{"process_open_fds", 1000, 300},
	{"gateway_connections", 3 * people, people},
	{"gateway_send_queue_bytes", 64 << 20, 0},
}

// growth has the metrics of the nodes.
type growth struct {
	c   *cluster
	max [nodes]map[string]float64
}

func (g *growth) sample(ctx context.Context) {
	for i := range g.max {
		g.max[i] = make(map[string]float64)
	}
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for i, n := range g.c.nodes {
			m, err := n.Metrics(ctx)
			if err != nil {
				continue // down, or stopped
			}
			for _, b := range bounds {
				g.max[i][b.metric] = max(g.max[i][b.metric], m[b.metric])
			}
		}
	}
}

// check checks the limits after the clients have stopped.
func (g *growth) check(ctx context.Context, t *testing.T) {
	t.Helper()
	for i, n := range g.c.nodes {
		deadline := time.Now().Add(time.Minute) // for the connections of clients that went away without a word
		for {
			m, err := n.Metrics(ctx)
			over := ""
			for _, b := range bounds {
				if err == nil && m[b.metric] > b.after {
					over = b.metric
				}
			}
			if err == nil && over == "" {
				for _, b := range bounds {
					t.Logf("node %d: %-30s at most %.0f, at the end %.0f", i, b.metric, g.max[i][b.metric], m[b.metric])
					if g.max[i][b.metric] > b.ever {
						t.Errorf("node %d: %s rose to %.0f, over %.0f", i, b.metric, g.max[i][b.metric], b.ever)
					}
				}
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("node %d: at the end %s is %.0f (%v)", i, over, m[over], err)
				break
			}
			<-time.After(500 * time.Millisecond)
		}
	}
}
