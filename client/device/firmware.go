package device

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/updater"
	"github.com/unhidra/unhidra/internal/wire"
)

// What a device is that the server updates; see docs/firmware-updates.md.
type (
	Board      = updater.Board
	Running    = updater.Running
	Conditions = updater.Conditions
	Patch      = updater.Patch
	SlotState  = domain.SlotState
	Reset      = domain.ResetReason
	Crash      = domain.CrashReport
)

// Firmware has a device updated by the server.
type Firmware struct {
	Board Board
	Root  []byte // the first root of the product, with which the device was made: a file of `unhidra firmware root`
	// Restart restarts the device, once Run can do no more before that. It may return: Run then goes on.
	Restart  func()
	SelfTest func(ctx context.Context) error // says whether a new image works; nil: that it reaches the server is enough
	HTTP     *http.Client                    // nil: images are read over the device's connection
	Patches  map[string]Patch                // formats of deltas that the device can apply; nil: detools-heatshrink
	// Within is how long a new image may take to reach the server and to be confirmed, before it is taken back; 0: 10 min.
	Within time.Duration
}

const testWithin = 10 * time.Minute

// newUpdater returns what updates the device, or nil.
func newUpdater(o *Options) (*updater.Updater, error) {
	f := o.Firmware
	if f == nil {
		return nil, nil
	}
	if f.Board == nil || f.Restart == nil {
		return nil, errors.New("a device that is updated needs a Board, and Restart")
	}
	e, err := manifest.Parse(f.Root)
	if err != nil {
		return nil, fmt.Errorf("the root of the device: %w", err)
	}
	root, err := manifest.FirstRoot(e)
	if err != nil {
		return nil, fmt.Errorf("the root of the device: %w", err)
	}
	return updater.New(updater.Options{Board: f.Board, Root: root, HTTP: f.HTTP, Patches: f.Patches, SelfTest: f.SelfTest,
		Hear: func(update string, err error) { o.Log.Warn("update", "update", update, "err", err) }})
}

// onOffer takes an offer, in the place of one that was not looked at yet.
func (d *Device) onOffer(data json.RawMessage) {
	var o wire.FirmwareOffer
	if err := json.Unmarshal(data, &o); err != nil {
		d.o.Log.Error("an offer that is not understood", "err", err)
		return
	}
	if d.updater == nil {
		return
	}
	select {
	case <-d.offers:
	default:
	}
	d.offers <- o // the reader of frames alone sends
}

// update has the device updated, until ctx ends or it must restart.
func (d *Device) update(ctx context.Context, live *client.Live) {
	u := d.updater
	if u == nil {
		return
	}
	within := d.o.Firmware.Within
	if within == 0 {
		within = testWithin
	}
	late := time.NewTimer(within)
	defer late.Stop()
	stop, ended := func() {}, (<-chan error)(nil)
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			givenUp, err := u.GiveUp()
			switch {
			case err != nil:
				d.o.Log.ErrorContext(ctx, "the new firmware cannot be given up", "err", err)
			case !givenUp:
				continue
			default:
				d.o.Log.ErrorContext(ctx, "the new firmware did not reach the server in time, and is given up")
			}
			d.o.Firmware.Restart()
		case id := <-d.connected:
			stop()
			u.Identify(id)
			stop, ended = d.serveUpdates(ctx, live)
		case err := <-ended:
			ended = nil
			d.servedUpdates(ctx, err)
		}
	}
}

// serveUpdates serves one connection. stop ends that, and waits for it.
func (d *Device) serveUpdates(ctx context.Context, live *client.Live) (stop func(), ended <-chan error) {
	ctx, cancel := context.WithCancel(ctx)
	done, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		done <- d.updater.Serve(ctx, line{d, live}, d.offers)
	}()
	return func() { cancel(); <-gone }, done
}

// servedUpdates restarts the device if Serve has ended for that.
func (d *Device) servedUpdates(ctx context.Context, err error) {
	switch {
	case errors.Is(err, updater.ErrRestart):
		bye, cancel := context.WithTimeout(ctx, byeTime)
		defer cancel()
		_ = d.Leave(bye, Update, restartTime) // else its silence is noticed
		d.o.Firmware.Restart()
	case ctx.Err() == nil:
		d.o.Log.WarnContext(ctx, "the device is not updated over this connection", "err", err)
	}
}

const (
	byeTime     = 3 * time.Second
	restartTime = 2 * time.Minute
)

// line is the connection as a Server.
type line struct {
	d    *Device
	live *client.Live
}

func (l line) ask(ctx context.Context, typ string, data, out any) error {
	err := l.d.insist(ctx, l.live, typ, data, out)
	var no *client.Error
	if errors.As(err, &no) {
		return &updater.Refused{Code: string(no.Code), Reason: no.Error()}
	}
	return err
}

// Report implements updater.Server.
func (l line) Report(ctx context.Context, r wire.FirmwareReport) error {
	return l.ask(ctx, wire.TypeFirmware, r, nil)
}

// Progress implements updater.Server.
func (l line) Progress(ctx context.Context, p wire.FirmwareProgress) (a wire.FirmwareAnswer, err error) {
	err = l.ask(ctx, wire.TypeFirmwareProgress, p, &a)
	return a, err
}

// Read implements updater.Server.
func (l line) Read(ctx context.Context, r wire.FirmwareRead) ([]byte, error) {
	var data wire.FirmwareData
	if err := l.ask(ctx, wire.TypeFirmwareRead, r, &data); err != nil {
		return nil, err
	}
	if data.Offset != r.Offset {
		return nil, &updater.Refused{Reason: fmt.Sprintf("it answered with what is at %d instead of %d", data.Offset,
			r.Offset)}
	}
	return data.Data, nil
}

// Crashed tells the server of the last crash, once it is connected.
func (d *Device) Crashed(ctx context.Context, c Crash) error {
	live := d.live.Load()
	if live == nil {
		return errNotRunning
	}
	return d.insist(ctx, live, wire.TypeCrash, wire.CrashReport{ELFSHA256: c.ELFSHA256, ResetReason: string(c.ResetReason),
		Task: c.Task, PC: c.PC, Backtrace: c.Backtrace, Message: c.Message, Core: c.Core}, nil)
}
