package mqtt

import (
	"context"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// Loads updates devices that load images over HTTP, by what they say over MQTT.
type Loads interface {
	// Runs takes which version the device p says that it runs.
	Runs(ctx context.Context, p domain.Principal, version string) error
	// ToLoad returns the URL of the image that a device is offered now, and what tells this offer from any other one.
	// Empty: there is none.
	ToLoad(ctx context.Context, device string) (url, offer string, err error)
	// LoadFailed takes that the device p could not load what it was offered, and why.
	LoadFailed(ctx context.Context, p domain.Principal, why string) error
}

// runsSoon has looked in a moment at which version the device has announced, and at what it is to load.
func (c *conn) runsSoon() {
	if c.s.Loads == nil || c.who.Access == domain.AccessBridge {
		return
	}
	c.s.work.after(describeDelay, "runs "+c.id, func() {
		c.withLoader(func(ctx context.Context, a *announced, l discovery.Loader) error {
			if l.Version == "" {
				return nil
			}
			if err := c.s.Loads.Runs(ctx, c.who, l.Version); err != nil {
				return err
			}
			return c.load(ctx, a, l)
		})
	})
}

// loadOffered tells the device to load what it is offered, if it can be told. It does not wait for the store.
func (c *conn) loadOffered() {
	if c.s.Loads != nil {
		c.s.work.start(func() { c.withLoader(c.load) })
	}
}

// withLoader does something with what is known of the firmware of the device.
func (c *conn) withLoader(do func(context.Context, *announced, discovery.Loader) error) {
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	a, err := c.announcements(ctx)
	if err == nil {
		err = do(ctx, a, c.loader(ctx, a))
	}
	if err != nil {
		c.s.Log.WarnContext(ctx, "cannot update an MQTT client that loads images over HTTP", "device", c.who.ID, "err", err)
	}
}

func (c *conn) loader(ctx context.Context, a *announced) discovery.Loader {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.of(ctx, c.s, c.who.ID); d != nil {
		return d.loader
	}
	return discovery.Loader{}
}

// load tells the device of an offer, once on a connection, and nobody else: the URL is as good as a password. If it
// does not listen yet, it is told when it announces itself anew.
func (c *conn) load(ctx context.Context, a *announced, l discovery.Loader) error {
	if l.Load("") == nil {
		return nil
	}
	url, offer, err := c.s.Loads.ToLoad(ctx, c.who.ID)
	if err != nil || url == "" || !c.isNew(a, offer) {
		return err
	}
	for _, p := range l.Load(url) {
		if heard, err := c.tellNode(ctx, p); err != nil || !heard {
			c.isNew(a, "")
			return err
		}
	}
	return nil
}

// isNew notes of which offer the device is told by this connection, and reports whether it is another one than before.
func (c *conn) isNew(a *announced, offer string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.devices[c.who.ID]
	if d == nil {
		return false
	}
	now := toldOf{c.id, offer}
	isNew := d.told != now
	d.told = now
	return isNew
}

// toldOf is of which offer a device was told, and by which connection.
type toldOf struct{ conn, offer string }

// heardLoad takes that the device could not load an image, if a message says so.
func (c *conn) heardLoad(ctx context.Context, a *announced, m *message) error {
	if c.s.Loads == nil || !strings.HasSuffix(m.topic, "UPGRADE") {
		return nil
	}
	why, failed := c.loader(ctx, a).Failed(m.topic, string(m.payload))
	if !failed {
		return nil
	}
	return c.s.Loads.LoadFailed(ctx, c.who, why)
}
