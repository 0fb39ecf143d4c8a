// Package herd has virtual devices measure and obey while a test breaks a server, and checks that what
// was acknowledged is there once, that commands were carried out once and answered, and that alarms
// were posted once.
package herd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
	"github.com/unhidra/unhidra/internal/wire"
)

// Options say which devices there are.
type Options struct {
	Owner           *client.Client
	Login, Password string // of the owner, to sign in again
	Room            string // that the devices are in, and their alarms are posted to
	Devices         int
	Every           time.Duration // between two measurements
	Seed            uint64
	Mix             simulate.Mix
	Server, MQTT    string // of the devices
	Dial            simulate.DialFunc
}

// Herd is devices under a test.
type Herd struct {
	o       Options
	t       testing.TB
	fleet   *simulate.Fleet
	devices []simulate.Identity
	stop    chan struct{}

	running, commanding sync.WaitGroup

	mu       sync.Mutex
	acked    map[string]int               // readings, by device
	executed map[string]int               // how often, by command
	given    map[string]simulate.Identity // devices by the commands that the server accepted
}

// Start registers greenhouses, and has them measure, and obey, until Stop or the end of ctx.
func Start(ctx context.Context, t testing.TB, o Options) *Herd {
	t.Helper()
	h := &Herd{o: o, t: t, stop: make(chan struct{}), acked: map[string]int{}, executed: map[string]int{},
		given: map[string]simulate.Identity{}}
	for i := range o.Devices {
		h.devices = append(h.devices, h.register(ctx, fmt.Sprint("node ", i)))
	}
	var err error
	if h.fleet, err = simulate.New(simulate.Options{Server: o.Server, MQTT: o.MQTT, Devices: h.devices, Seed: o.Seed,
		Mix: o.Mix, Kind: simulate.Greenhouse, Every: o.Every, Backoff: time.Second, Dial: o.Dial,
		OnAcknowledged: h.acknowledged, OnCommand: h.obeyed}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(func() { cancel(); h.commanding.Wait(); h.running.Wait() }) // of a test that has failed before Stop
	h.running.Go(func() { h.fleet.Run(ctx) })
	h.commanding.Go(func() { h.command(ctx) })
	return h
}

func (h *Herd) register(ctx context.Context, name string) simulate.Identity {
	h.t.Helper()
	var made struct {
		Device struct{ ID string }
		Key    string
	}
	err := h.o.Owner.Do(ctx, http.MethodPost, "/devices", map[string]any{"name": name}, &made)
	if err == nil {
		err = errors.Join(h.o.Owner.Add(ctx, h.o.Room, made.Device.ID),
			h.o.Owner.Do(ctx, http.MethodPost, "/devices/"+made.Device.ID+"/alarm-rules", map[string]any{"name": "Fan is on",
				"kind": "threshold", "sensor": "fan", "above": 0.5, "room": h.o.Room}, nil))
	}
	if err != nil {
		h.t.Fatalf("register a device: %v", err)
	}
	return simulate.Identity{ID: made.Device.ID, Name: name, Key: made.Key}
}

func (h *Herd) acknowledged(device string, _ uint64, r wire.ReportItem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.acked[device] += len(r.Readings)
}

func (h *Herd) obeyed(_ string, c wire.Command) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.executed[c.ID]++
}

// pause is the time between two commands.
const pause = 100 * time.Millisecond

// command switches the fans on and off, one after the other, until Stop. Each command is given under
// one key until the server has accepted it.
func (h *Herd) command(ctx context.Context) {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-h.stop:
			return
		case <-time.After(pause):
		}
		device := h.devices[n%len(h.devices)]
		order := map[string]any{"key": fmt.Sprint("herd-", n), "room": h.o.Room, "action": "fan", "expires_in": 3600,
			"args": map[string]any{"on": n/len(h.devices)%2 == 0}}
		if id := h.give(ctx, device, order); id != "" {
			h.mu.Lock()
			h.given[id] = device
			h.mu.Unlock()
		}
	}
}

// give gives a command, and returns its id; none if the server refuses it, as it does before the device
// has said what it can do.
func (h *Herd) give(ctx context.Context, device simulate.Identity, order map[string]any) string {
	for ctx.Err() == nil {
		var c wire.Command
		err := h.o.Owner.Do(ctx, http.MethodPost, "/devices/"+device.ID+"/commands", order, &c)
		var no *client.Error
		switch {
		case err == nil:
			return c.ID
		case errors.As(err, &no) && no.Kind == "unauthorized":
			_ = h.o.Owner.SignIn(ctx, h.o.Login, h.o.Password) // and try again
		case errors.As(err, &no) && no.Kind != "unavailable" && no.Kind != "internal":
			return ""
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return ""
}

// Await waits until n more reports are acknowledged, and a command was carried out.
func (h *Herd) Await(ctx context.Context, n int) {
	h.t.Helper()
	want := h.fleet.Stats()
	traffic.Wait(ctx, h.t, fmt.Sprintf("%d reports of devices are acknowledged", n), func() bool {
		s := h.fleet.Stats()
		return s.Acknowledged >= want.Acknowledged+n && s.Commands > want.Commands
	})
}

// Stop ends commands and measuring, and waits until the devices have carried out all commands that were
// given, and the server has all that was measured.
func (h *Herd) Stop(ctx context.Context) {
	h.t.Helper()
	close(h.stop)
	h.commanding.Wait()
	traffic.Wait(ctx, h.t, "all commands are carried out", func() bool { return len(h.open()) == 0 })
	h.fleet.Stop()
	h.running.Wait()
}

// open returns the commands that were given and not carried out.
func (h *Herd) open() (ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.given {
		if h.executed[id] == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}
