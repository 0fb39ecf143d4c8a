package mqtt

import (
	"context"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// Bridges knows the devices that others speak for.
type Bridges interface {
	BridgeChildren(ctx context.Context, owner string) ([]domain.BridgeChild, error)
	Adopt(ctx context.Context, p domain.Principal, key, name string) (domain.BridgeChild, error)
}

// children are the devices that a bridge speaks for, by what it calls them.
type children map[string]domain.BridgeChild

// bridgesOf returns the bridges of a site.
func (s *Service) bridgesOf(ctx context.Context, site string) (map[string]children, error) {
	bridges := make(map[string]children)
	if s.Bridges == nil {
		return bridges, nil
	}
	all, err := s.Bridges.BridgeChildren(ctx, site)
	for _, c := range all {
		if bridges[c.Bridge] == nil {
			bridges[c.Bridge] = make(children)
		}
		if c.ID != "" {
			bridges[c.Bridge][c.Key] = c
		}
	}
	return bridges, err
}

// renew takes the bridges as they are now in the store. It is called with the lock.
func (a *announced) renew(bridges map[string]children) {
	a.bridges, a.stale, a.behind = bridges, false, make(map[string]bool)
	for bridge, known := range bridges {
		a.dirty(bridge)
		for _, c := range known {
			a.behind[c.ID] = c.Out
		}
	}
}

// childChanged has the bridges of a site read anew, if one of them speaks for a device that has ended, or of which
// nothing was taken.
func (s *Service) childChanged(device string, ended bool) {
	var changed []string
	s.mu.Lock()
	for _, t := range s.sites {
		t.announced.mu.Lock()
		if out, known := t.announced.behind[device]; known && out != ended {
			t.announced.stale = true
			changed = append(changed, t.id)
		}
		t.announced.mu.Unlock()
	}
	s.mu.Unlock()
	for _, owner := range changed {
		s.showAgain(owner)
	}
}

// announcements returns those of the client's site. A bridge that has been registered since they were read is
// among its bridges.
func (c *conn) announcements(ctx context.Context) (*announced, error) {
	a, err := c.s.announcements(ctx, c.sess.site)
	if err != nil || c.who.Access != domain.AccessBridge || c.s.Bridges == nil {
		return a, err
	}
	a.mu.Lock()
	known := a.bridges[c.who.ID] != nil
	a.stale = a.stale || !known
	a.mu.Unlock()
	if known {
		return a, nil
	}
	return c.s.announcements(ctx, c.sess.site)
}

// split gives the entities of a bridge to the devices that they are of, and returns its own. It is called with the
// lock.
func (a *announced) split(d *announcer, known children, entities []*discovery.Entity) (own []*discovery.Entity) {
	d.behind, d.about, d.missing = make(map[string][]string), make(map[string][]string), make(map[string]string)
	of := make(map[string][]*discovery.Entity)
	for _, e := range entities {
		key := e.Device.ID
		child, ok := known[key]
		switch {
		case e.Device.Via == "" || key == "" || len(key) > domain.MaxBridgeKey:
			own = append(own, e)
		case !ok:
			d.missing[key] = e.Device.Name
		case !child.Out:
			of[child.ID] = append(of[child.ID], e)
		}
	}
	for _, child := range known {
		c := a.devices[child.ID]
		if c == nil {
			c = &announcer{}
			a.devices[child.ID] = c
		}
		c.index(of[child.ID])
		c.there = discovery.Common(of[child.ID])
		for topic := range c.there {
			d.about[topic] = append(d.about[topic], child.ID)
		}
		for topic := range c.sensors {
			d.behind[topic] = append(d.behind[topic], child.ID)
		}
	}
	return own
}

// measuring returns the devices whose values may be in a message: the one that sent it, and those that it speaks for.
func (c *conn) measuring(ctx context.Context, a *announced, m *message) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.of(ctx, c.s, m.device)
	if d == nil {
		return nil
	}
	return append([]string{m.device}, d.behind[m.topic]...)
}

// adopt registers the devices that a bridge has announced and that are not registered yet.
func (c *conn) adopt(ctx context.Context, a *announced) {
	a.mu.Lock()
	var missing map[string]string
	if d := a.of(ctx, c.s, c.who.ID); d != nil {
		missing = d.missing
	}
	a.mu.Unlock()
	for key, name := range missing {
		child, err := c.s.Bridges.Adopt(ctx, c.who, key, name)
		if err != nil {
			c.s.Log.WarnContext(ctx, "cannot register a device behind a bridge", "device", c.who.ID, "key", key, "err", err)
			continue
		}
		a.mu.Lock()
		if known := a.bridges[c.who.ID]; known != nil {
			known[key], a.behind[child.ID] = child, child.Out
		}
		a.dirty(c.who.ID)
		a.mu.Unlock()
	}
	c.commands.mu.Lock()
	attached := c.commands.detach[c.who.ID] != nil
	c.commands.mu.Unlock()
	if attached {
		c.attachChildren(a)
	}
	c.showChildren(ctx, a)
}

// childrenOf returns the devices that a bridge speaks for.
func (a *announced) childrenOf(bridge string) (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.bridges[bridge] {
		if !c.Out {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// childPrincipal is a device for which the bridge speaks.
func (c *conn) childPrincipal(device string) domain.Principal {
	return domain.Principal{ID: device, Kind: domain.KindDevice, Role: domain.SystemUser, Owner: c.who.Owner}
}

// attachChildren has the commands for the devices behind a bridge delivered to it.
func (c *conn) attachChildren(a *announced) {
	for _, device := range a.childrenOf(c.who.ID) {
		c.attachTo(device)
	}
}
