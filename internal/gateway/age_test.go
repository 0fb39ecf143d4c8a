package gateway

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// A connection ends in the second half of its time, and its client returns at once.
func TestConnectionsGetNoOlderThanTheirAge(t *testing.T) {
	n := start(t, newWorld(), func(d *Deps) { d.Age = time.Hour })
	p, _ := n.enter(t, "ada")
	c := n.g.allConns()[0]
	at := func(age time.Duration) {
		now := time.Unix(0, c.since).Add(age)
		c.heard.Store(now.UnixNano())
		c.pinged.Store(now.UnixNano())
		c.sweep(now)
	}
	at(30*time.Minute - time.Second)
	if c.closing.Load() {
		t.Fatal("closed before half of its time")
	}
	at(time.Hour + time.Second)
	if code, reason := p.closed(); code != wire.CloseRestarting || reason != "0" {
		t.Errorf("closed with %d %q", code, reason)
	}
	if why := c.reason.Load(); why == nil || *why != "age" {
		t.Errorf("it is counted as %v", why)
	}
}

// Connections that came together go one after the other: in each tenth of the time in
// which they may go, about a tenth of them does.
func TestConnectionsThatCameTogetherDoNotGoTogether(t *testing.T) {
	t.Parallel()
	g := &Service{Deps: Deps{Age: 20 * time.Minute}}
	const all = 10_000
	var tenths [10]int
	for range all {
		tenths[(g.leaves(time.Unix(0, 0))-int64(10*time.Minute))/int64(time.Minute)]++
	}
	for i, n := range tenths {
		if n < all/20 || n > all/5 {
			t.Errorf("%d of %d go in minute %d of the ten", n, all, i)
		}
	}
	if g.Age = 0; g.leaves(time.Now()) != 0 {
		t.Error("a connection goes although there is no limit")
	}
}
