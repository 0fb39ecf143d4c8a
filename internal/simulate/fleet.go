// Package simulate is a fleet of virtual devices: thousands in a process, over WebSocket and MQTT,
// with clocks that drift, networks and power that fail, and devices that are wrong or hostile. The
// same seed gives the same devices, values and faults, except for what people tell them to do.
package simulate

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

// Identity is what a device connects as.
type Identity struct {
	ID, Name, Key string
	Kind          Kind // empty: by Options.Kind, or by chance
}

// Options are the options of a Fleet.
type Options struct {
	Server string // for example https://chat.example.org; empty: all devices use MQTT
	MQTT   string // for example mqtts://chat.example.org:8883; empty: all devices use WebSockets
	TLS    *tls.Config

	Devices []Identity
	Seed    uint64
	Mix     Mix
	Kind    Kind          // of all; empty: of each by chance
	Every   time.Duration // between two measurements; 0: 10 s
	Steps   int           // measurements of each device; 0: without end
	History time.Duration // of which the devices have measurements that they have not sent yet
	Buffer  int           // reports that a device can keep; 0: 20,000
	Backoff time.Duration // the longest wait between two attempts to connect; 0: 30 s
	Start   time.Time     // of the first step; zero: now

	Firmware *Firmware // nil: the devices are not updated

	Dial DialFunc // nil: package net does
	Log  *slog.Logger

	// OnConnected is told of each device that the server has let in and has the description of,
	// OnAcknowledged of each report that the server has acknowledged, OnCommand of each
	// command as it is carried out. They are called by many goroutines.
	OnConnected    func(device string)
	OnAcknowledged func(device string, boot uint64, r wire.ReportItem)
	OnCommand      func(device string, c wire.Command)
}

// Fleet is a fleet.
type Fleet struct {
	o       Options
	began   time.Time
	devices []*device
	stats   stats
	halt    chan struct{} // closed by Stop
	once    sync.Once
}

// New returns a fleet. Run starts it.
func New(o Options) (*Fleet, error) {
	if o.Server == "" && o.MQTT == "" {
		return nil, errors.New("a fleet needs the address of a server")
	}
	if o.Kind != "" && !o.Kind.Known() {
		return nil, errors.New("a device is a greenhouse, weather, meter or door")
	}
	setDefault(&o.Every, 10*time.Second)
	setDefault(&o.Buffer, 20_000)
	setDefault(&o.Backoff, 30*time.Second)
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, _ int, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	if fw := o.Firmware; fw != nil {
		with := *fw
		o.Firmware = &with
		setDefault(&with.Within, 30*time.Second)
		setDefault(&with.Crash, 5*time.Second)
	}
	f := &Fleet{o: o, began: time.Now(), halt: make(chan struct{})}
	for i, who := range o.Devices {
		p := o.plan(i)
		if who.Kind != "" {
			p.Kind = who.Kind
		}
		d := f.newDevice(who, p)
		if o.Firmware != nil {
			var err error
			if d.unit, err = f.newUnit(d); err != nil {
				return nil, err
			}
		}
		f.devices = append(f.devices, d)
	}
	return f, nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// step is the time between two measurements of the past.
func (o *Options) step() time.Duration { return max(o.Every, time.Minute) }

// Plans returns what the devices are.
func (f *Fleet) Plans() []Plan {
	plans := make([]Plan, 0, len(f.devices))
	for _, d := range f.devices {
		plans = append(plans, d.plan)
	}
	return plans
}

// Stop has the devices measure nothing more. Run returns once all is acknowledged.
func (f *Fleet) Stop() { f.once.Do(func() { close(f.halt) }) }

// settled reports whether the server knows all that the devices have to tell.
func (f *Fleet) settled() bool {
	return !slices.ContainsFunc(f.devices, func(d *device) bool {
		return d.memory.waiting() > 0 ||
			len(d.memory.owed()) > 0
	})
}

// Run runs the fleet until ctx ends or, after Stop or with Options.Steps, until all is acknowledged
// and commands are answered. It is called once.
func (f *Fleet) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var measuring, connected sync.WaitGroup
	for _, d := range f.devices {
		connected.Go(func() { d.connect(ctx) })
		if d.plan.Conduct == Hostile {
			connected.Go(func() { d.attackAll(ctx) })
		}
		measuring.Go(func() { d.measureAll(ctx) })
	}
	measuring.Wait()
	for !f.settled() {
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
			continue
		}
		break
	}
	cancel()
	connected.Wait()
}
