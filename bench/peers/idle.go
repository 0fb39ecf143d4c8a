package main

import (
	"context"
	"fmt"
	"time"
)

const (
	settling = 45 * time.Second // in which servers give back what the coming of clients took
	manyMore = 19_000           // this machine lets one process have 20,000 open files
)

// idle is the resident memory of connections that say nothing, each with a room
// joined: a hundred clients to a room.
func (s *settings) idle(ctx context.Context) error {
	fmt.Println("| server | connections | kB each at once | kB each after 45 s | connected/s | CPU µs to connect | idle " +
		"CPU, % of one |")
	fmt.Println("|---|---|---|---|---|---|---|")
	certificate := s.fresh()
	if err := makeCertificate(certificate); err != nil {
		return err
	}
	counts := []int{s.clients}
	if s.clients == 10_000 {
		counts = append(counts, manyMore)
	}
	for _, n := range counts {
		w, err := makeWorld(ctx, s.fresh(), "", n, n/100)
		if err != nil {
			return err
		}
		starts := []func() (*target, error){
			func() (*target, error) { return w.start(s.unhidra, 1, "", "") },
			func() (*target, error) {
				t, err := w.start(s.unhidra, 1, "", certificate)
				if err == nil {
					t.name += ", TLS"
				}
				return t, err
			},
		}
		if s.centrifugo != "" && n != manyMore {
			starts = append(starts, func() (*target, error) { return startCentrifugo(s.centrifugo, s.fresh(), n/100, "") })
		}
		for _, start := range starts {
			t, err := start()
			if err != nil {
				return err
			}
			err = rest(ctx, t, n)
			t.stop()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func rest(ctx context.Context, t *target, n int) error {
	time.Sleep(2 * time.Second)
	before, used, began := t.resident(), t.cpu(), time.Now()
	c, err := gather(ctx, t, n, func(int, []byte) {})
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", t.name, err, tail(t.servers))
	}
	defer c.close()
	perSecond := float64(n) / time.Since(began).Seconds()
	connect := float64((t.cpu() - used).Microseconds()) / float64(n)
	atOnce := t.resident()
	time.Sleep(settling - 10*time.Second)
	used = t.cpu()
	time.Sleep(10 * time.Second)
	quiet := (t.cpu() - used).Seconds() * 10 // percent of ten seconds
	each := func(rss int) float64 { return float64(rss-before) / float64(n) / 1000 }
	fmt.Printf("| %s | %d | %.1f | **%.1f** | %.0f | %.0f | %.1f |\n", t.name, n, each(atOnce), each(t.resident()),
		perSecond, connect, quiet)
	if lost := c.lost.Load(); lost > 0 {
		return fmt.Errorf("%s: %d connections were lost while idle", t.name, lost)
	}
	return nil
}
