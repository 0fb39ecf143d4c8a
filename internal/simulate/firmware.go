package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/updater"
	"github.com/unhidra/unhidra/internal/wire"
)

// Firmware has the devices of a fleet run firmware that the server updates. Each is a board of its own, with flash and
// a bootloader; what an image does is written in it.
type Firmware struct {
	Root    []byte           // the first root of the product
	Factory []byte           // the image with which the devices were made
	Models  func(int) Model  // what the device of a number is; nil: revision 1, with slots of 128 KiB or four images
	Within  time.Duration    // for a new image to reach the server, before it is taken back; 0: 30 s
	Crash   time.Duration    // after which a firmware that crashes later crashes, again and again; 0: 5 s
	HTTP    *http.Client     // nil: images are read over the devices' connections
	Liars   int              // percent of devices that say they run what they are offered, and install nothing
	Hear    func(Happened)   // is told what happens; nil: nobody
	Patches map[string]Patch // formats of deltas; nil: detools-heatshrink
}

// Model is what a board is made as, and Patch makes an image of another one.
type (
	Model = board.Model
	Patch = updater.Patch
)

// Happened says what happened to the firmware of a device.
type Happened struct {
	Device string
	Code   uint32 // version code that it runs now
	What   What
	Err    error // of Refused
}

// What happens to firmware.
type What string

// What happens to firmware.
const (
	Booted  What = "booted" // for whatever reason
	Crashed What = "crashed"
	Lost    What = "lost" // it will never be heard of again
	Refused What = "refused an update"
)

// unit is the firmware of a device. Only the goroutine of its connection uses it.
type unit struct {
	d      *device
	o      *Firmware
	root   *manifest.Root
	board  *board.Board
	update *updater.Updater
	crash  *wire.CrashReport // that the server does not know; nil: none
}

// newUnit makes the board of a device. It has not started.
func (f *Fleet) newUnit(d *device) (*unit, error) {
	o := f.o.Firmware
	e, err := manifest.Parse(o.Root)
	if err != nil {
		return nil, fmt.Errorf("the root of the firmware: %w", err)
	}
	root, err := manifest.FirstRoot(e)
	if err != nil {
		return nil, fmt.Errorf("the root of the firmware: %w", err)
	}
	m := Model{Revision: 1}
	if o.Models != nil {
		m = o.Models(d.plan.Number)
	}
	if m.Slot == 0 {
		m.Slot = max(128<<10, 4*updater.SectorSize*(1+len(o.Factory)/updater.SectorSize))
	}
	b, err := board.New(m, o.Factory)
	return &unit{d: d, o: o, root: root, board: b}, err
}

func (u *unit) hear(what What, err error) {
	if u.o.Hear != nil {
		u.o.Hear(Happened{u.d.who.ID, u.board.Firmware().Code, what, err})
	}
}

// boot starts the board.
func (u *unit) boot(why domain.ResetReason) error {
	if why.Crashed() {
		is := u.board.Running()
		u.crash = &wire.CrashReport{ELFSHA256: is.ELFSHA256, ResetReason: string(why), Task: "main", PC: 0x42000020,
			Backtrace: []uint32{0x42000020, 0x42000100 + uint32(len(is.Version))}, Message: "Guru Meditation Error"}
		u.hear(Crashed, nil)
	}
	if err := u.board.Boot(why); err != nil {
		return err
	}
	var err error
	u.update, err = updater.New(updater.Options{Board: u.board, Root: u.root, Device: u.d.who.ID, HTTP: u.o.HTTP,
		Patches: u.o.Patches, SelfTest: u.selfTest, Every: time.Second,
		Hear: func(_ string, err error) { u.hear(Refused, err) }})
	u.hear(Booted, nil)
	return err
}

// fault is how the firmware that runs fails on this device; empty: it does not. Which devices it fails on is the same
// for the same firmware.
func (u *unit) fault() board.Fault {
	fw := u.board.Firmware()
	does := fw.Does
	if does.FailsOn == 0 || does.Revision != 0 && does.Revision != u.board.Running().Revision {
		return ""
	}
	if u.lot(fmt.Append(nil, fw.Code, " ", fw.Version)) >= does.FailsOn {
		return ""
	}
	if does.How == "" {
		return board.Crashes
	}
	return does.How
}

// lot is a number below 100, always the same for the same device and of.
func (u *unit) lot(of []byte) int {
	sum := sha256.Sum256(fmt.Append(of, " ", u.d.plan.Number))
	return int(binary.BigEndian.Uint64(sum[:]) % 100)
}

func (u *unit) lies() bool { return u.lot([]byte("liar")) < u.o.Liars }

// lie says of each offer that it is installed.
func (u *unit) lie(ctx context.Context, l line) error {
	r := u.update.Report()
	if err := l.Report(ctx, r); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-l.offered():
			for _, state := range []domain.FirmwareStep{domain.FirmwareVerified, domain.FirmwareSucceeded} {
				if _, err := l.Progress(ctx, wire.FirmwareProgress{Update: o.Update, State: string(state)}); err != nil {
					return err
				}
			}
			r.SHA256, r.ELFSHA256, r.Update = o.Image.SHA256, "", o.Update
			if err := l.Report(ctx, r); err != nil {
				return err
			}
		}
	}
}

var errUnfit = errors.New("the sensor does not answer")

func (u *unit) selfTest(context.Context) error {
	if u.fault() == board.Unfit {
		return errUnfit
	}
	return nil
}

// power starts a board that has not started, or was without power, and does what its firmware does before it connects.
func (u *unit) power(ctx context.Context, cut bool) error {
	if u == nil {
		return nil
	}
	if cut || u.update == nil {
		if err := u.boot(domain.ResetPowerOn); err != nil {
			return err
		}
	}
	return u.start(ctx)
}

// serveBeside has the device updated over a connection, beside all else. What it returns waits for the end of that, and
// starts the board anew if it must.
func (u *unit) serveBeside(ctx context.Context, l link) (wait func() error) {
	if u == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var again domain.ResetReason
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if again, err = u.serve(ctx, l); again != "" {
			l.close()
		}
	}()
	return func() error {
		cancel()
		<-done
		if again != "" {
			return u.boot(again)
		}
		return err
	}
}

const bootTime = 50 * time.Millisecond

// start does what the firmware does before it connects. It returns once it may, or with an error if it never will.
func (u *unit) start(ctx context.Context) error {
	for {
		wait, why := bootTime, domain.ResetPanic
		switch fault := u.fault(); {
		case fault == board.Crashes && u.update.Unconfirmed():
		case fault == board.Deaf && u.update.Unconfirmed():
			wait, why = u.o.Within, domain.ResetSoftware
		case fault == board.Silent:
			u.hear(Lost, nil)
			<-ctx.Done()
			return ctx.Err()
		default:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		if why == domain.ResetSoftware {
			if _, err := u.update.GiveUp(); err != nil {
				return err
			}
		}
		if err := u.boot(why); err != nil {
			return err
		}
	}
}

// serve has the device updated over a connection, until that ends. It returns why the board must start anew; empty: it
// need not.
func (u *unit) serve(ctx context.Context, l link) (again domain.ResetReason, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	on := line{l, new(atomic.Int32)}
	fault := u.fault()
	switch fault {
	case board.Later:
		ctx, cancel = context.WithTimeout(ctx, u.o.Crash)
		defer cancel()
	case board.FlapsOut:
		go func() { defer cancel(); on.flap(ctx, u.o.Crash) }()
	}
	defer context.AfterFunc(ctx, l.close)()
	if u.crash != nil {
		if err := l.crash(*u.crash); unknown(err) {
			return "", err
		}
		u.crash = nil
	}
	if u.lies() {
		return "", u.lie(ctx, on)
	}
	err = u.update.Serve(ctx, on, l.offered())
	switch {
	case errors.Is(err, updater.ErrRestart):
		return domain.ResetSoftware, nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && fault == board.Later:
		return domain.ResetPanic, nil
	}
	return "", err
}

// unknown reports whether an error is that of the connection, and no answer.
func unknown(err error) bool {
	var refused *no
	return err != nil && !errors.As(err, &refused)
}

// line is a link as an updater has it.
type line struct {
	link
	answers *atomic.Int32 // that the server has given
}

// A flapping device gets a little further by each connection, also where the server is slow.
const (
	flapAnswers = 4 // to its report, to what it says of an update, and to what it reads of it
	flapSlow    = 10 * time.Second
)

// flap returns when a flapping device loses its connection: after a time and, until flapSlow, not before the server has
// answered flapAnswers times.
func (l line) flap(ctx context.Context, after time.Duration) {
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(after):
		}
		if l.answers.Load() >= flapAnswers || time.Since(began) >= flapSlow {
			return
		}
	}
}

// insist repeats what is refused for now.
func (l line) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		var refused *no
		switch {
		case !errors.As(err, &refused):
			if err == nil {
				l.answers.Add(1)
			}
			return err
		case refused.final:
			return &updater.Refused{Reason: refused.text}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(refused.after, 200*time.Millisecond)):
		}
	}
}

// Report implements updater.Server.
func (l line) Report(ctx context.Context, r wire.FirmwareReport) error {
	return l.insist(ctx, func() error { return l.firmware(r) })
}

// Progress implements updater.Server.
func (l line) Progress(ctx context.Context, p wire.FirmwareProgress) (a wire.FirmwareAnswer, err error) {
	err = l.insist(ctx, func() (err error) {
		a, err = l.progress(p)
		return err
	})
	return a, err
}

// Read implements updater.Server.
func (l line) Read(ctx context.Context, r wire.FirmwareRead) (b []byte, err error) {
	err = l.insist(ctx, func() (err error) {
		b, err = l.readImage(r)
		return err
	})
	return b, err
}
