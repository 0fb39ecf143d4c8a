// Package device connects a program to a server of Unhidra as a device: it says what it is, reports
// what it measures, and obeys commands.
//
// Reports are on disk before Report returns, and are sent until the server has stored them: over
// lost connections, days without a network, and restarts of the program. A command is carried out at
// most once, and its answer is sent until the server has it.
package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/updater"
	"github.com/unhidra/unhidra/internal/wire"
)

// What a device says about itself; see docs/devices.md.
type (
	Capabilities = domain.Capabilities
	Sensor       = domain.Sensor
	Actuator     = domain.Actuator
	Arg          = domain.Arg
)

// The kinds of values.
const (
	Number = domain.NumberArg
	Bool   = domain.BoolArg
	Text   = domain.TextArg
	Choice = domain.ChoiceArg
)

// Action carries out a command. Its result, any value that JSON can hold, is shown to whoever gave
// the command; its error too, in place of a result. args are as the device has declared them:
// numbers are float64.
type Action func(ctx context.Context, args map[string]any) (result any, err error)

// Set sets what the server wants to be set: all of it, by the names of settings, each time; what is missing
// is as the device has it by itself. Numbers are float64. It returns why it did not take a setting, by its
// name; nil: it took all.
type Set func(ctx context.Context, settings map[string]any) (refused map[string]error)

// Options are the options of a Device.
type Options struct {
	Server string // for example https://chat.example.org
	Key    string // of the device
	// Dir is a folder of this device alone, for reports that are not sent yet and commands that
	// were carried out. It is made if it is not there.
	Dir          string
	Capabilities Capabilities
	Actions      map[string]Action // by the name of the actuator
	Set          Set               // nil: the device has no settings
	Firmware     *Firmware         // nil: the device is not updated by the server
	MaxBuffer    int               // bytes of reports that wait; of more the oldest are lost; 0: 64 MiB
	Log          *slog.Logger      // nil: nothing is logged
	Client       *client.Client    // nil: one for Server and Key
}

// Device is a device of a server. Its methods are safe for concurrent use.
type Device struct {
	o        Options
	reports  *buffer
	commands *ledger
	orders   chan wire.Command
	hello    chan struct{} // a connection has begun
	live     atomic.Pointer[client.Live]
	settings chan wire.Settings // the latest that is to be set

	updater   *updater.Updater        // nil: it is not updated
	offers    chan wire.FirmwareOffer // the latest one
	connected chan string             // id of the device; a connection has begun
}

const (
	defaultBuffer = 64 << 20
	ordersMost    = 100
)

// Open returns a device. Run connects it.
func Open(o Options) (*Device, error) {
	if o.MaxBuffer == 0 {
		o.MaxBuffer = defaultBuffer
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = client.New(o.Server)
		o.Client.Device(o.Key)
	}
	if o.Dir == "" {
		return nil, errors.New("a device needs a folder (Dir) for what it must not forget")
	}
	if err := domain.CheckCapabilities("/capabilities", o.Capabilities); err != nil {
		return nil, describeError(err)
	}
	updates, err := newUpdater(&o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	reports, err := openBuffer(filepath.Join(o.Dir, "reports.jsonl"), o.MaxBuffer)
	if err != nil {
		return nil, err
	}
	commands, err := openLedger(filepath.Join(o.Dir, "commands.json"))
	if err != nil {
		return nil, errors.Join(err, reports.close())
	}
	return &Device{o: o, reports: reports, commands: commands, orders: make(chan wire.Command, ordersMost),
		hello: make(chan struct{}, 1), settings: make(chan wire.Settings, 1),
		updater: updates, offers: make(chan wire.FirmwareOffer, 1), connected: make(chan string, 1)}, nil
}

// describeError names the value that is wrong.
func describeError(err error) error {
	var e *domain.Error
	if errors.As(err, &e) && len(e.Fields) > 0 {
		return fmt.Errorf("%s: %s", e.Fields[0].Pointer, e.Fields[0].Detail)
	}
	return err
}

// Report takes what was measured now, by the names of sensors: numbers, bools and strings. It
// returns once that is on disk, and needs no connection.
func (d *Device) Report(values map[string]any) error { return d.ReportAt(time.Now(), values) }

// ReportAt is Report for what was measured at a time.
func (d *Device) ReportAt(at time.Time, values map[string]any) error {
	readings := make(map[string]json.RawMessage, len(values))
	for name, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		readings[name] = b
	}
	if len(readings) == 0 {
		return errors.New("a report has at least one value")
	}
	return d.reports.add(wire.ReportItem{At: at.UTC().Truncate(time.Millisecond), Readings: readings})
}

// Waiting returns how many reports wait to be sent.
func (d *Device) Waiting() int { return d.reports.len() }

// Run connects the device and stays connected until ctx ends, or until the server refuses its key;
// then it returns why. It is called once.
func (d *Device) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	live := d.o.Client.Live(ctx, client.LiveOptions{
		OnHello: d.onHello,
		OnOther: func(typ string, data json.RawMessage) {
			switch typ {
			case wire.TypeOrder:
				d.onOrder(data)
			case wire.TypeSet:
				d.onSettings(data)
			case wire.TypeFirmwareOffer:
				d.onOffer(data)
			}
		},
		OnState: func(s client.State, err error) {
			if s == client.Ended {
				select {
				case ended <- err:
				default:
				}
			}
		},
	})
	d.live.Store(live)
	defer d.live.Store(nil)
	var wg sync.WaitGroup
	wg.Go(func() { d.greet(ctx, live) })
	wg.Go(func() { d.send(ctx, live) })
	wg.Go(func() { d.obey(ctx, live) })
	wg.Go(func() { d.set(ctx, live) })
	wg.Go(func() { d.update(ctx, live) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	cancel()
	live.Close()
	wg.Wait()
	return errors.Join(err, d.reports.sync())
}

// onHello notes that a connection has begun.
func (d *Device) onHello(h client.Hello) {
	if h.Me == nil {
		return // it is no server of ours
	}
	select {
	case d.hello <- struct{}{}:
	default:
	}
	select {
	case d.connected <- h.Me.ID:
	default:
	}
}

// Why a device goes away on purpose.
const (
	Sleep   = "sleep"
	Update  = "update"
	Restart = "restart"
	Off     = "off"
)

// FactoryReset is why a device goes away that forgets its key, which the server ends; backIn does not count.
const FactoryReset = "reset"

var errNotRunning = errors.New("the device does not run")

// Leave tells the server that the device will be away for some time, on purpose, and when it wants to be
// back: until then it is asleep, and its silence is no alarm. It closes nothing; end Run after it. It
// fails without a connection.
func (d *Device) Leave(ctx context.Context, why string, backIn time.Duration) error {
	live := d.live.Load()
	if live == nil {
		return errNotRunning
	}
	return live.Request(ctx, wire.TypeBye, wire.Bye{Reason: why, BackIn: int(backIn / time.Second)}, nil)
}

// Close must be called after Run has returned.
func (d *Device) Close() error { return d.reports.close() }

// greet says what the device is, with each connection, and asks for commands that it began before
// it was restarted.
func (d *Device) greet(ctx context.Context, live *client.Live) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.hello:
		}
		err := d.insist(ctx, live, wire.TypeDescribe, wire.Describe{Capabilities: d.o.Capabilities}, nil)
		if err != nil && ctx.Err() == nil {
			d.o.Log.ErrorContext(ctx, "the server refuses what the device says about itself", "err", err)
		}
		var open wire.Commands
		if err := d.insist(ctx, live, wire.TypeCommands, nil, &open); err != nil {
			continue
		}
		for _, c := range open.Commands {
			d.order(c)
		}
	}
}

const (
	batchReports = 200
	batchBytes   = maxReport
	oldAfter     = 2 * time.Minute // a report that is older is history
)

// send sends reports, the oldest first, until ctx ends.
func (d *Device) send(ctx context.Context, live *client.Live) {
	plain := false // the server knows no packed batches
	for {
		frame, boot, last, n := d.next(plain)
		if n == 0 {
			select {
			case <-ctx.Done():
				return
			case <-d.reports.more:
			}
			continue
		}
		var said wire.Reported
		err := d.insist(ctx, live, "report", frame, &said)
		if ctx.Err() != nil {
			return
		}
		if err != nil && frame.Packed != "" {
			plain = true
			continue
		}
		if err != nil {
			d.o.Log.ErrorContext(ctx, "the server refuses reports; they are dropped", "reports", n, "err", err)
		}
		for _, r := range said.Refused {
			d.o.Log.WarnContext(ctx, "the server refuses a reading", "sensor", r.Name, "reason", r.Reason)
		}
		if err := d.reports.drop(boot, last); err != nil {
			d.o.Log.ErrorContext(ctx, "cannot store which reports are sent; they are sent again", "err", err)
		}
	}
}

// next returns the oldest reports as they are sent, the number of the last one, and how many they are.
// Many are packed, unless plain is set or they cannot be.
func (d *Device) next(plain bool) (frame wire.Report, boot uint64, last uint32, n int) {
	if !plain {
		boot, items := d.reports.head(packReports, packBytes)
		if packed, n := pack(boot, aged(items)); n > 0 {
			return wire.Report{Packed: packed}, boot, *items[n-1].Seq, n
		}
	}
	boot, items := d.reports.head(batchReports, batchBytes)
	if len(items) == 0 {
		return frame, 0, 0, 0
	}
	return wire.Report{Boot: &boot, Reports: aged(items)}, boot, *items[len(items)-1].Seq, len(items)
}

// aged marks reports that are history.
func aged(items []wire.ReportItem) []wire.ReportItem {
	for i := range items {
		items[i].Old = time.Since(items[i].At) > oldAfter
	}
	return items
}

// insist repeats an idempotent request until the server has answered it: with success, or with an
// error that another attempt would not change.
func (d *Device) insist(ctx context.Context, live *client.Live, typ string, data, out any) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := live.Request(ctx, typ, data, out)
		var no *client.Error
		again := wait
		if err == nil || ctx.Err() != nil {
			return err
		}
		if errors.As(err, &no) {
			switch no.Kind {
			case "unavailable", "rate_limited", "internal":
				again = max(wait, no.RetryAfter)
			default:
				return err
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(again):
		}
	}
}
