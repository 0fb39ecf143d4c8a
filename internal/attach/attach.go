// Package attach tells devices that are connected to this process that there is something for them. What there is
// stands in the store; a notice on the bus says which device to look for, and what notices lose is looked for now and
// then.
package attach

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/obs"
)

const noticesMost = 1024

// Devices are the connections of devices to this process, of any transport. C is what a module keeps of a connection.
type Devices[C any] struct {
	mu       sync.Mutex
	byDevice map[string][]*C // the newest last
	notices  chan string     // devices that there may be something for
	dropped  atomic.Int64    // notices that did not fit
}

// New returns an empty one.
func New[C any]() *Devices[C] {
	return &Devices[C]{byDevice: make(map[string][]*C), notices: make(chan string, noticesMost)}
}

// Add adds a connection of a device. remove must be called when it has ended.
func (d *Devices[C]) Add(device string, c *C) (remove func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byDevice[device] = append(d.byDevice[device], c)
	return func() { d.remove(device, c) }
}

func (d *Devices[C]) remove(device string, c *C) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.DeleteFunc(d.byDevice[device], func(x *C) bool { return x == c })
	if d.byDevice[device] = list; len(list) == 0 {
		delete(d.byDevice, device)
	}
}

// Newest returns the newest connection of a device, or nil.
func (d *Devices[C]) Newest(device string) *C {
	d.mu.Lock()
	defer d.mu.Unlock()
	if list := d.byDevice[device]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}

func (d *Devices[C]) none() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.byDevice) == 0
}

// Notice queues a device that there may be something for, if it is connected here. It does not block: what does not
// fit must be found by Work.Look.
func (d *Devices[C]) Notice(device string) {
	if d.Newest(device) == nil {
		return
	}
	select {
	case d.notices <- device:
	default:
		d.dropped.Add(1)
	}
}

// Queue returns the queue of notices, for the metrics.
func (d *Devices[C]) Queue(name string) obs.Queue {
	return obs.Queue{Name: name, Limit: noticesMost, Depth: func() int { return len(d.notices) }, Full: d.dropped.Load}
}

// Work is what is done for devices that are connected here.
type Work struct {
	Subject  string // of notices on the bus, which are ids of devices
	Workers  int    // that call HandOver at the same time
	HandOver func(ctx context.Context, device string)
	Every    time.Duration         // between two calls of Look
	Look     func(context.Context) // finds what notices have lost
}

// Run calls HandOver for each notice, and Look while any device is connected here, until ctx is done. It returns when
// all calls have.
func (d *Devices[C]) Run(ctx context.Context, b bus.Bus, w Work) error {
	stop, err := b.Subscribe(w.Subject, func(m bus.Message) { d.Notice(string(m.Data)) })
	if err != nil {
		return err
	}
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for range w.Workers {
		wg.Go(func() { d.serve(ctx, w) })
	}
	look := time.NewTicker(w.Every)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if !d.none() {
				w.Look(ctx)
			}
		}
	}
}

func (d *Devices[C]) serve(ctx context.Context, w Work) {
	for {
		select {
		case <-ctx.Done():
			return
		case device := <-d.notices:
			w.HandOver(ctx, device)
		}
	}
}
