package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/unhidra/unhidra/bench/svg"
)

// members is the cost of a delivery as a room grows, at 10,000 deliveries a
// second: what does not grow with it is right.
func (s *settings) members(ctx context.Context) error {
	plot := svg.Plot{Title: "Cost of a delivery by members of the room", X: "members, 10,000 deliveries a second",
		Y: "CPU µs per delivery"}
	curves := make(map[string]int)
	fmt.Println("| members | server | CPU µs per delivery | p50 | p99 |\n|---|---|---|---|---|")
	for _, m := range []int{10, 30, 100, 300, 1000, 3000, 10_000} {
		if m > s.clients {
			break
		}
		l := load{1, m, min(m, 10), 10_000, max(s.length/2, 4*time.Second)}
		names, all, err := s.compare(ctx, l, false)
		if err != nil {
			return err
		}
		for _, name := range names {
			o := all[name]
			cpu := median(o, func(o outcome) float64 { return o.cpu })
			fmt.Printf("| %d | %s | %.1f | %v | %v |\n", m, name, cpu, o[len(o)/2].p50, o[len(o)/2].p99)
			if _, known := curves[name]; !known {
				curves[name] = len(plot.Curves)
				plot.Curves = append(plot.Curves, svg.Curve{Name: name})
			}
			c := &plot.Curves[curves[name]]
			c.Points = append(c.Points, [2]float64{float64(m), cpu})
		}
	}
	if s.plots == "" {
		return nil
	}
	return plot.Write(filepath.Join(s.plots, "delivery-by-members.svg"))
}

// cluster is one room of 3,000 whose members are spread over three nodes.
func (s *settings) cluster(ctx context.Context) error {
	if s.postgres == "" {
		complain("cluster: LEFT OUT, as there is no -postgres")
		return nil
	}
	w, err := makeWorld(ctx, s.fresh(), s.postgres, 3000, 1)
	if err != nil {
		return err
	}
	pid, err := backendOf(ctx, s.postgres)
	if err != nil {
		return err
	}
	fmt.Println("| nodes | members | deliveries/s | CPU-s per million: nodes | NATS | PostgreSQL | achieved/s | p50 | " +
		"p99 | lost, strange |\n|---|---|---|---|---|---|---|---|---|---|")
	for range s.rounds {
		for _, nodes := range []int{1, 3} {
			if err := s.oneCluster(ctx, w, nodes, pid); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *settings) oneCluster(ctx context.Context, w *world, nodes, postgres int) error {
	nats, urls := (*process)(nil), ""
	if nodes > 1 {
		var err error
		if nats, urls, err = startNATS(); err != nil {
			return err
		}
		defer nats.stop()
	}
	t, err := w.start(s.unhidra, nodes, urls, "")
	if err != nil {
		return err
	}
	defer t.stop()
	t.beside = map[string]func() time.Duration{"PostgreSQL": func() time.Duration { return family(postgres) }}
	if nats != nil {
		t.beside["NATS"] = nats.cpu
	}
	l := load{1, 3000, 10, 30_000, s.length}
	o, err := fanout(ctx, t, l)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(t.servers))
	}
	fmt.Printf("| %d | %d | %d | **%.1f** | %.1f | %.1f | %.0f | %v | %v | %d, %d |\n", nodes, l.members, l.perSecond,
		o.cpu, o.beside["NATS"], o.beside["PostgreSQL"],
		o.achieved, o.p50, o.p99, o.lost, o.strange)
	return nil
}
