package simulate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// setAway says whether a connection is possible, and cuts the one that there is.
func (d *device) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if away && d.cut != nil {
		d.cut()
	}
	if d.away != away {
		d.away = away
		close(d.moved)
		d.moved = make(chan struct{})
	}
}

// there waits until a connection is possible.
func (d *device) there(ctx context.Context) error {
	for {
		d.mu.Lock()
		away, moved := d.away, d.moved
		d.mu.Unlock()
		if !away {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// connect keeps the device connected until ctx ends, or until its key is refused.
func (d *device) connect(ctx context.Context) {
	first := min(d.f.o.Every, 10*time.Second, d.f.o.Backoff)
	wait := time.Duration(d.plan.backoff.Int64N(int64(first) + 1)) // after a power cut all come at once
	for failures := 0; ; failures++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if d.there(ctx) != nil {
			return
		}
		served, err := d.session(ctx)
		if served {
			failures = 0
		}
		if ctx.Err() != nil {
			return
		}
		var refused *no
		wait = time.Duration(d.plan.backoff.Int64N(int64(min(d.f.o.Backoff, time.Second<<min(failures, 10))) + 1))
		if errors.As(err, &refused) {
			d.f.stats.refuse(refused.text)
			if refused.key {
				d.f.o.Log.InfoContext(ctx, "the key of a device is refused", "device", d.who.ID)
				return
			}
			wait += refused.after
		}
		d.f.o.Log.DebugContext(ctx, "a device is disconnected", "device", d.who.ID, "err", err)
	}
}

// session opens a connection, and works on it until it ends.
func (d *device) session(ctx context.Context) (served bool, err error) {
	if err := d.unit.power(ctx, d.cutPower.Swap(false)); err != nil {
		return false, err
	}
	l, err := d.open(ctx)
	if err != nil {
		return false, err
	}
	updated := d.unit.serveBeside(ctx, l)
	err = d.serve(ctx, l)
	l.close()
	d.f.stats.connected.Add(-1)
	return true, errors.Join(err, updated())
}

// open opens a connection, over the device's bad network.
func (d *device) open(ctx context.Context) (l link, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := &d.f.o
	d.f.stats.connects.Add(1)
	address := o.Server
	if d.plan.Transport == MQTT {
		address = o.MQTT
	}
	nc, err := d.f.dialURL(ctx, d.plan.Number, address)
	if err != nil {
		return nil, err
	}
	rough := &roughConn{Conn: nc, delay: &d.delay, hole: &d.hole, cut: make(chan struct{})}
	d.mu.Lock()
	d.cut = func() { _ = rough.Close() }
	away := d.away
	d.mu.Unlock()
	if away {
		_ = rough.Close()
		return nil, errEnded
	}
	if d.plan.Transport == MQTT {
		l, err = openSession(rough, d.plan.Version, d.who, fmt.Sprint("sim-", d.plan.Number))
	} else {
		l, err = openSocket(ctx, rough, o.Server, d.who.Key)
	}
	if err != nil {
		return nil, err
	}
	d.f.stats.connected.Add(1)
	d.mu.Lock()
	d.clock.unset = time.Time{} // the server's time sets it
	d.mu.Unlock()
	return l, nil
}
