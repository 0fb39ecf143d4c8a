package mqtt

import (
	"context"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// showSoon has the devices behind a bridge shown as there in a moment.
func (c *conn) showSoon() {
	c.s.work.after(attachDelay, "show "+c.id, func() {
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		defer cancel()
		a, err := c.announcements(ctx)
		if err != nil {
			c.s.Log.WarnContext(ctx, "cannot say whether devices behind a bridge are there", "device", c.who.ID, "err", err)
			return
		}
		c.showChildren(ctx, a)
	})
}

// showChildren says which devices a bridge speaks for, and which of them are there as far as is known: by what the
// bridge last said, also before this process began.
func (c *conn) showChildren(ctx context.Context, a *announced) {
	if err := c.recall(ctx, a); err != nil {
		c.s.Log.WarnContext(ctx, "cannot say whether devices behind a bridge are there", "device", c.who.ID, "err", err)
		return
	}
	there := make(map[string]bool)
	a.mu.Lock()
	a.of(ctx, c.s, c.who.ID)
	for _, child := range a.bridges[c.who.ID] {
		if child.Out {
			continue
		}
		d := a.devices[child.ID]
		there[child.ID] = d == nil || d.isThere()
	}
	a.mu.Unlock()
	c.s.Devices.DevicesBehind(c.id, there)
}

// isThere reports whether no topic says that the device is not there. Of those of which the last one counts, it is not
// known which was.
func (d *announcer) isThere() bool {
	for topic, by := range d.there {
		if d.down[topic] && !by.There(d.there, d.down, false) {
			return false
		}
	}
	return true
}

// recall reads the retained messages of the topics that say whether devices behind a bridge are there, and of which
// nothing was heard yet.
func (c *conn) recall(ctx context.Context, a *announced) error {
	unheard := make(map[string]bool)
	a.mu.Lock()
	a.of(ctx, c.s, c.who.ID)
	for _, child := range a.bridges[c.who.ID] {
		if d := a.devices[child.ID]; d != nil && !child.Out {
			for topic := range d.there {
				if _, heard := d.down[topic]; !heard {
					unheard[topic] = true
				}
			}
		}
	}
	a.mu.Unlock()
	if len(unheard) == 0 {
		return nil
	}
	if err := c.s.retainer.sync(ctx); err != nil {
		return err
	}
	found, err := c.retainedOf(ctx, unheard)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, child := range a.bridges[c.who.ID] {
		d := a.devices[child.ID]
		if d == nil {
			continue
		}
		for topic := range d.there {
			if _, heard := d.down[topic]; !heard && unheard[topic] {
				d.recalls(topic, found[topic])
			}
		}
	}
	return nil
}

// recalls takes the last message of a topic that was there before; empty: there was none.
func (d *announcer) recalls(topic, payload string) {
	if _, known := d.hears(topic, &discovery.Message{Payload: payload}); known {
		return
	}
	if d.down == nil {
		d.down = make(map[string]bool)
	}
	d.down[topic] = false
}

// retainedOf returns the payloads of retained messages of the client's site that the bridge has published.
func (c *conn) retainedOf(ctx context.Context, topics map[string]bool) (map[string]string, error) {
	prefix, first := "", true
	for topic := range topics {
		if first {
			prefix, first = topic, false
		}
		for !strings.HasPrefix(topic, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	found := make(map[string]string)
	for after := ""; ; {
		page, err := c.s.Topics.RetainedMessages(ctx, c.sess.site.id, prefix, after, retainedAtOnce)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if topics[r.Topic] && r.Device == c.who.ID {
				found[r.Topic] = string(r.Payload)
			}
			after = r.Topic
		}
		if len(page) < retainedAtOnce {
			return found, nil
		}
	}
}

// showAgain has the devices behind the bridges of an owner shown anew, since one of them has ended, or has not any
// more.
func (s *Service) showAgain(owner string) {
	for _, c := range s.all() {
		if c.ready.Load() && c.who.Access == domain.AccessBridge && c.who.Owner == owner {
			c.showSoon()
		}
	}
}
