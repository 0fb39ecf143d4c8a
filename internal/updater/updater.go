// Package updater is what a device does about updates of its firmware: it says what it runs, checks offers,
// fetches and installs images, tests them, and confirms them or has them taken back. It knows no transport: a
// Server is the connection, a Board the device itself. docs/firmware-updates.md describes the protocol.
//
// What it must not forget is on the board before it acts on it: it goes on after a power cut at any moment.
package updater

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/delta"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/wire"
)

// Running is what a board says about the image that it runs.
type Running struct {
	Product         string
	Chip            string
	Revision        uint16 // of the product's hardware
	Version         string
	VersionCode     uint32
	SHA256          string // of the whole image
	ELFSHA256       string
	Size            int64
	SecureVersion   uint32 // that the hardware demands of images
	Slot            domain.SlotState
	Other           domain.SlotState // of the image in the other slot; empty: there is none
	Reset           domain.ResetReason
	RollbackCapable bool
}

// Conditions are what preconditions of updates are about; nil: the board does not know.
type Conditions struct {
	Battery   *int // percent
	Signal    *int // dBm
	Charging  *bool
	UTCOffset *int // seconds
}

// Board is a device with two slots for images, of which it runs one. Running may be called while another goroutine
// writes or reads a slot; else one method is called at a time.
type Board interface {
	Running() Running
	// Slot returns the bytes that an image may have.
	Slot() int64
	// Write writes to the other slot, sector by sector: offset is a multiple of SectorSize. It erases first.
	Write(offset int64, b []byte) error
	// ReadOther and ReadRunning read the slots.
	ReadOther(offset int64, b []byte) error
	ReadRunning(offset int64, b []byte) error
	// Start has the bootloader start the other slot the next time: once, if the board can take it back.
	Start() error
	// Confirm keeps the image that runs, and GiveUp has the bootloader start the other one from now on.
	Confirm() error
	GiveUp() error
	// Load returns what was given to Save the last time, nil at first. Save replaces it as a whole: after a
	// power cut there is the one or the other.
	Load() ([]byte, error)
	Save(b []byte) error
	// Conditions returns what is so now.
	Conditions() Conditions
}

// SectorSize is what is erased and fetched at a time: all but the last part of an image is written in
// pieces of this many bytes.
const SectorSize = 4096

// Server is a connection to the server. Errors of kind *Refused are answers; others end the connection.
type Server interface {
	Report(ctx context.Context, r wire.FirmwareReport) error
	Progress(ctx context.Context, p wire.FirmwareProgress) (wire.FirmwareAnswer, error)
	Read(ctx context.Context, r wire.FirmwareRead) ([]byte, error)
}

// Refused is an answer of the server that says no.
type Refused struct {
	Code   string
	Reason string
}

func (r *Refused) Error() string { return "the server refuses: " + r.Reason }

// ErrRestart is what Serve returns when the board must restart now.
var ErrRestart = errors.New("restart the device to go on with its update")

// Patch makes an image, written to out, of another one and of a patch.
type Patch func(base io.ReaderAt, baseSize int64, patch io.Reader, out io.Writer) error

// Options are the options of an Updater.
type Options struct {
	Board  Board
	Root   *manifest.Root // the first one, with which the device was made
	Device string         // its id
	// Clock tells the time since some moment, and cannot be set; nil: since New.
	Clock func() time.Duration
	HTTP  *http.Client // nil: images are read by windows over the connection
	// Patches are the formats of deltas that the device can apply, by name; nil: those of package delta.
	Patches map[string]Patch
	// SelfTest says whether a new image works, once it has reached the server; nil: that is enough.
	SelfTest func(ctx context.Context) error
	Window   int // bytes that are read at a time: a multiple of SectorSize; 0: 16 KiB
	// Every is how often progress is told while an image is fetched; 0: 5 s.
	Every time.Duration
	// Hear is told of what was refused, and of what went wrong; nil: nothing is.
	Hear func(update string, err error)
}

// Updater updates a board. Its methods are safe for concurrent use; Serve runs once at a time.
type Updater struct {
	o Options

	mu      sync.Mutex
	m       memory
	nonce   string
	nonceAt time.Duration
	told    string // the nonce that the server knows
	givenUp bool   // the image that runs; the board must restart
}

const (
	defaultWindow = 16 << 10
	defaultEvery  = 5 * time.Second
)

// New returns an Updater of a board that has just started.
func New(o Options) (*Updater, error) {
	switch {
	case o.Root == nil:
		return nil, errors.New("a device that is updated needs the root that it trusts")
	case o.Window%SectorSize != 0 || o.Window > domain.MaxFirmwareWindow:
		return nil, fmt.Errorf("a window is a multiple of %d, at most %d", SectorSize, domain.MaxFirmwareWindow)
	}
	if o.Patches == nil {
		o.Patches = map[string]Patch{delta.Format: delta.Apply}
	}
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	if o.Every == 0 {
		o.Every = defaultEvery
	}
	if o.Clock == nil {
		began := time.Now()
		o.Clock = func() time.Duration { return time.Since(began) }
	}
	if o.Hear == nil {
		o.Hear = func(string, error) {}
	}
	u := &Updater{o: o}
	b, err := o.Board.Load()
	if err != nil {
		return nil, fmt.Errorf("what the device knows of updates cannot be read: %w", err)
	}
	if b != nil {
		if err := json.Unmarshal(b, &u.m); err != nil {
			return nil, fmt.Errorf("what the device knows of updates is not understood: %w", err)
		}
	}
	if u.m.Root == nil || u.m.Root.Version < o.Root.Version {
		u.m.Root = o.Root
	}
	u.newNonce()
	return u, nil
}

// newNonce makes the nonce that the next offer must have.
func (u *Updater) newNonce() {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	u.nonce, u.nonceAt = hex.EncodeToString(b[:]), u.o.Clock()
}

// floor is the lowest version code that the device accepts.
func (u *Updater) floor(r Running) uint32 {
	if u.m.Floor != 0 {
		return u.m.Floor
	}
	return r.VersionCode
}

// Identify sets the id of the device, where only a connection tells it.
func (u *Updater) Identify(device string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.o.Device = device
}

// running returns what the board runs. As GiveUp may come at any time, what reads or changes the state of slots is done
// one at a time.
func (u *Updater) running() Running {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.o.Board.Running()
}

// Unconfirmed reports whether an image runs that the next reset takes back.
func (u *Updater) Unconfirmed() bool { return u.running().unconfirmed() }

func (r Running) unconfirmed() bool { return r.Slot == domain.SlotNew || r.Slot == domain.SlotPending }

// GiveUp has the image that runs taken back if it is not confirmed: it could not reach the server in time. The board
// must then be restarted. It reports false if the image stays.
func (u *Updater) GiveUp() (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.givenUp || !u.o.Board.Running().unconfirmed() {
		return u.givenUp, nil
	}
	if err := u.o.Board.GiveUp(); err != nil {
		return false, err
	}
	u.givenUp = true
	return true, nil
}

// startOther has the bootloader start the other slot.
func (u *Updater) startOther() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.o.Board.Start()
}

// confirm keeps the image that runs, unless it is given up.
func (u *Updater) confirm() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.givenUp:
		return ErrRestart
	case u.o.Board.Running().unconfirmed():
		return u.o.Board.Confirm()
	}
	return nil
}

// Report returns what the device says about its firmware.
func (u *Updater) Report() wire.FirmwareReport {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, c := u.o.Board.Running(), u.o.Board.Conditions()
	report := wire.FirmwareReport{
		Product: r.Product, Chip: r.Chip, Revision: r.Revision, Version: r.Version, VersionCode: r.VersionCode,
		SHA256: r.SHA256, ELFSHA256: r.ELFSHA256, SecureVersion: r.SecureVersion, SlotState: string(r.Slot),
		ResetReason: string(r.Reset), RollbackCapable: r.RollbackCapable, Nonce: u.nonce, RootVersion: u.m.Root.Version,
		Features: append(u.Formats(), domain.FeatureWindows),
		Battery:  c.Battery, Signal: c.Signal, Charging: c.Charging, UTCOffset: c.UTCOffset,
	}
	if o := u.m.Open; o != nil {
		report.Update = o.ID
		if o.takenBack(r) {
			report.SlotState = string(r.Other)
		}
	}
	return report
}

// Serve serves a connection that has just begun, until it ends or ctx does: it says what the device runs, goes on with
// the update that it is in, and takes offers. ErrRestart: the board must restart.
func (u *Updater) Serve(ctx context.Context, s Server, offers <-chan wire.FirmwareOffer) error {
	if err := u.report(ctx, s); err != nil {
		return err
	}
	if err := u.goOn(ctx, s); err != nil {
		return err
	}
	for {
		if err := u.ask(ctx, s); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-offers:
			if err := u.take(ctx, s, o); err != nil {
				return err
			}
		}
	}
}

// report tells the server what the device runs.
func (u *Updater) report(ctx context.Context, s Server) error {
	r := u.Report()
	if err := s.Report(ctx, r); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told = r.Nonce
	return nil
}

// ask tells the server the nonce for the next offer, if it does not know it.
func (u *Updater) ask(ctx context.Context, s Server) error {
	u.mu.Lock()
	known := u.told == u.nonce
	u.mu.Unlock()
	if known {
		return nil
	}
	return u.report(ctx, s)
}
