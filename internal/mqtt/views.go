package mqtt

import (
	"strings"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// showsMirror reports whether messages of a mirror may match a filter.
func showsMirror(filter string) bool {
	start := literal(filter)
	for _, prefix := range []string{discovery.OwnConfig(domain.DevicePrefix + "_"), ownPrefix + "d/"} {
		prefix = strings.TrimSuffix(prefix, "/config")
		if strings.HasPrefix(prefix, start) || strings.HasPrefix(start, prefix) {
			return true
		}
	}
	return false
}

// viewing is the part that a connection has in the mirror of its site.
type viewing struct {
	mu        sync.Mutex
	on, ended bool
}

// view has the client see the mirror, if it is a controller and subscribes to what is there.
func (c *conn) view(filter string) {
	if c.class() != controller || c.s.Registry == nil || !showsMirror(filter) {
		return
	}
	c.viewing.mu.Lock()
	defer c.viewing.mu.Unlock()
	if c.viewing.on || c.viewing.ended {
		return
	}
	c.viewing.on = true
	t := c.sess.site
	t.viewMu.Lock()
	defer t.viewMu.Unlock()
	if t.viewers++; t.viewers == 1 {
		t.mirror = &mirror{s: c.s, t: t, id: domain.NewID("mirror"), frames: make(chan []byte, mirrorQueue),
			news: make(chan string, mirrorQueue), ready: make(chan struct{}), ended: make(chan struct{}),
			devices: make(map[string]*mirrored)}
		c.s.work.start(t.mirror.run)
	}
}

// endView undoes view.
func (c *conn) endView() {
	c.viewing.mu.Lock()
	defer c.viewing.mu.Unlock()
	c.viewing.ended = true
	if !c.viewing.on {
		return
	}
	c.viewing.on = false
	t := c.sess.site
	t.viewMu.Lock()
	defer t.viewMu.Unlock()
	if t.viewers--; t.viewers == 0 {
		close(t.mirror.ended)
		t.mirror = nil
	}
}

// shown returns the mirror of the site; nil: nobody looks at it.
func (t *site) shown() *mirror {
	t.viewMu.Lock()
	defer t.viewMu.Unlock()
	return t.mirror
}
