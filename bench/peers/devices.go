package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/device"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/store/all"
)

// register makes devices, perOwner of each user.
func (w *world) register(ctx context.Context, n int) (devices []simulate.Identity, err error) {
	db, err := all.Open(ctx, w.options())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	service := device.New(device.Deps{Store: db.Devices, Log: slog.New(slog.DiscardHandler), Audit: nobody{},
		Pepper: w.keys.Derive(app.DevicePepper)})
	devices = make([]simulate.Identity, n)
	errs := make([]error, 64) // so many at a time share a commit
	var wg sync.WaitGroup
	for k := range errs {
		wg.Go(func() {
			for i := k; i < n && errs[k] == nil; i += len(errs) {
				var made device.Issued
				made, errs[k] = service.Register(ctx, userID(i/perOwner), device.Registration{Name: fmt.Sprint("node ", i)})
				devices[i] = simulate.Identity{ID: made.Device.ID, Key: made.Key, Kind: simulate.Greenhouse}
			}
		})
	}
	wg.Wait()
	return devices, firstOf(errs)
}

func firstOf(errs []error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// nobody records nothing.
type nobody struct{}

// Record implements device.Recorder.
func (nobody) Record(context.Context, domain.AuditEvent) {}

// devicesBack kills the server under all devices at once, half of them by MQTT, starts it again at the
// same address, and waits until each has been let in, and has told what it is.
func (s *settings) devicesBack(ctx context.Context) error {
	fmt.Println("| devices | server answers after | half are back after | all are back after | attempts | server CPU-s |")
	fmt.Println("|---|---|---|---|---|---|")
	n := s.clients
	w, err := makeWorld(ctx, s.fresh(), "", n/perOwner+1, 1)
	if err != nil {
		return err
	}
	devices, err := w.register(ctx, n)
	if err != nil {
		return err
	}
	for range s.rounds {
		if err := s.oneReturn(ctx, w, devices); err != nil {
			return err
		}
	}
	return nil
}

// crowd is which devices have told the server something since a moment.
type crowd struct {
	mu   sync.Mutex
	from time.Time
	back map[string]time.Duration
}

func (c *crowd) heard(device string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.back[device]; !known {
		c.back[device] = time.Since(c.from)
	}
}

func (c *crowd) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from, c.back = time.Now(), make(map[string]time.Duration)
}

// await waits until so many devices are back.
func (c *crowd) await(n int) error {
	for began := time.Now(); time.Since(began) < giveUp; time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		have := len(c.back)
		c.mu.Unlock()
		if have == n {
			return nil
		}
	}
	return fmt.Errorf("not all %d devices came within %v", n, giveUp)
}

func (s *settings) oneReturn(ctx context.Context, w *world, devices []simulate.Identity) error {
	public, mqtt := freeAddr(), freeAddr()
	environ := append(w.environ(public, w.dir, "", ""), "UNHIDRA_MQTT_ADDR="+mqtt)
	t := &target{name: "Unhidra", addrs: []string{public, mqtt}}
	serve := func() error {
		p, err := run(environ, s.unhidra, "serve")
		t.servers = []*process{p}
		return err
	}
	if err := serve(); err != nil {
		return err
	}
	defer func() { t.stop() }()
	if err := t.await(); err != nil {
		return err
	}
	c := &crowd{}
	c.restart()
	fleet, err := simulate.New(simulate.Options{Server: "http://" + public, MQTT: "mqtt://" + mqtt, Devices: devices,
		Seed:  1,
		Every: 10 * time.Second, Dial: ownAddress, OnConnected: c.heard})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { fleet.Run(ctx) })
	defer running.Wait()
	defer cancel()
	if err := c.await(len(devices)); err != nil {
		return err
	}
	before := fleet.Stats()
	t.stop()
	c.restart()
	if err := serve(); err != nil {
		return err
	}
	if err := t.await(); err != nil {
		return err
	}
	answers := time.Since(c.from)
	if err := c.await(len(devices)); err != nil {
		return err
	}
	var back []time.Duration
	for _, took := range c.back {
		back = append(back, took)
	}
	slices.Sort(back)
	after := fleet.Stats()
	fmt.Printf("| %d | %.1f s | %.1f s | **%.1f s** | %d | %.1f |\n", len(devices), answers.Seconds(),
		back[len(back)/2].Seconds(), back[len(back)-1].Seconds(), after.Connects-before.Connects, t.cpu().Seconds())
	for reason, n := range after.Refused {
		if n -= before.Refused[reason]; n > 0 {
			complain("refused %d times: %s", n, reason)
		}
	}
	return nil
}

// ownAddress gives each device an address of its own.
func ownAddress(ctx context.Context, number int, address string) (net.Conn, error) {
	return dialer(number).DialContext(ctx, "tcp", address)
}

const (
	busyDevices = 500
	busyEvery   = 150 * time.Millisecond // with six readings in a report: 20,000 a second
)

// beside is the time that chat takes, without and with devices that send 20,000 readings a second: once to a
// server of their own, which tells what they cost the machine, and once to the same.
func (s *settings) beside(ctx context.Context) error {
	fmt.Println("| readings/s | to | deliveries/s | p50 | p99 | CPU-s a second of the server with the people |")
	fmt.Println("|---|---|---|---|---|---|")
	l := load{rooms: 20, members: 10, publishers: 2, perSecond: 2000, length: s.length}
	chat, err := makeWorld(ctx, s.fresh(), "", l.clients(), l.rooms)
	if err != nil {
		return err
	}
	other, err := makeWorld(ctx, s.fresh(), "", busyDevices/perOwner+1, 1)
	if err != nil {
		return err
	}
	here, err := chat.register(ctx, busyDevices)
	if err != nil {
		return err
	}
	there, err := other.register(ctx, busyDevices)
	if err != nil {
		return err
	}
	for range s.rounds {
		for _, c := range []struct {
			to      string
			devices []simulate.Identity
			w       *world
		}{{"nobody", nil, nil}, {"another server", there, other}, {"the same server", here, chat}} {
			if err := s.oneBeside(ctx, l, chat, c.w, c.devices, c.to); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneBeside puts l on a server of chat, while devices report to one of to; nil: none do.
func (s *settings) oneBeside(
	ctx context.Context, l load, chat, to *world, devices []simulate.Identity, name string,
) error {
	t, err := chat.start(s.unhidra, 1, "", "")
	if err != nil {
		return err
	}
	defer t.stop()
	readings := func() int { return 0 }
	if to != nil {
		reported := t
		if to != chat {
			if reported, err = to.start(s.unhidra, 1, "", ""); err != nil {
				return err
			}
			defer reported.stop()
		}
		fleet, stop, err := busy(ctx, reported, devices)
		if err != nil {
			return err
		}
		defer stop()
		readings = func() int { return fleet.Stats().Readings }
		time.Sleep(3 * time.Second) // all are connected
	}
	had, used, began := readings(), t.cpu(), time.Now()
	o, err := fanout(ctx, t, l)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	fmt.Printf("| %.0f | %s | %.0f | %v | **%v** | %.2f |\n", float64(readings()-had)/took, name, o.achieved, o.p50, o.p99,
		(t.cpu()-used).Seconds()/took)
	return nil
}

// busy has devices report to a server until stop.
func busy(ctx context.Context, t *target, devices []simulate.Identity) (f *simulate.Fleet, stop func(), err error) {
	f, err = simulate.New(simulate.Options{Server: "http://" + t.addrs[0], Devices: devices, Seed: 1, Every: busyEvery,
		Dial: ownAddress})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx)
	}()
	return f, func() { cancel(); <-done }, nil
}
