package board

import (
	"errors"
	"fmt"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/updater"
)

// Model is what a board is made as.
type Model struct {
	Revision   uint16 // of the hardware
	Slot       int    // bytes of each of its two slots, a multiple of 4096
	NoRollback bool   // its bootloader takes nothing back
}

// Board is a board. It has power all the time, except as Cut says. It is not safe for concurrent use.
type Board struct {
	model  Model
	flash  flash
	fuses  uint32 // secure version
	runs   image
	slot   int // that runs
	reset  domain.ResetReason
	Now    updater.Conditions
	booted int
}

// New returns a board that was made with an image in its first slot. It has not started yet.
func New(m Model, factory []byte) (*Board, error) {
	if m.Slot <= 0 || m.Slot%sector != 0 {
		return nil, errors.New("a slot has a multiple of 4096 bytes")
	}
	b := &Board{model: m, flash: flash{b: make([]byte, firstSlot+2*m.Slot), cut: -1}}
	for i := range b.flash.b {
		b.flash.b[i] = 0xff
	}
	if len(factory) > m.Slot {
		return nil, fmt.Errorf("an image of %d bytes does not fit in a slot of %d", len(factory), m.Slot)
	}
	copy(b.flash.b[firstSlot:], factory)
	is, err := read(b.slotBytes(0))
	if err != nil {
		return nil, err
	}
	b.fuses = is.SecureVersion // the bootloader burns it for an image that was flashed by wire
	return b, nil
}

func (b *Board) slotAt(n int) int       { return firstSlot + n*b.model.Slot }
func (b *Board) slotBytes(n int) []byte { return b.flash.b[b.slotAt(n):][:b.model.Slot] }

// Cut has the power fail after so many bytes of work on the flash; negative: it does not fail.
func (b *Board) Cut(after int) { b.flash.cut = after }

// Steps returns how many bytes of work the flash has seen.
func (b *Board) Steps() int { return b.flash.steps }

// Boots returns how often the board has started.
func (b *Board) Boots() int { return b.booted }

// Power does something on a board with power. It reports false if that failed meanwhile.
func (b *Board) Power(do func()) (whole bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, cut := r.(PowerCut); !cut {
				panic(r)
			}
			b.flash.cut, whole = -1, false
		}
	}()
	do()
	return true
}

// ErrBricked is the error of a board that cannot start any more.
var ErrBricked = errors.New("the board starts no image")

// Boot is the bootloader. It panics with PowerCut if the power fails meanwhile; call it again then.
func (b *Board) Boot(why domain.ResetReason) error {
	b.reset = why
	b.booted++
	if !b.model.NoRollback {
		for i := range 2 {
			if e := b.flash.entry(i); e.seq != erased && e.state == statePending {
				b.flash.setEntry(i, entry{e.seq, stateAborted})
			}
		}
	}
	first := 0
	active := b.flash.active()
	if active >= 0 {
		e := b.flash.entry(active)
		first = e.slot()
		if !b.model.NoRollback && e.state == stateNew && b.bootable(first) {
			b.flash.setEntry(active, entry{e.seq, statePending})
		}
	}
	for _, slot := range []int{first, 1 - first} {
		if b.bootable(slot) {
			b.slot = slot
			b.runs, _ = read(b.slotBytes(slot))
			return nil
		}
	}
	return ErrBricked
}

// bootable reports whether a slot has an image that the bootloader starts.
func (b *Board) bootable(slot int) bool {
	is, err := read(b.slotBytes(slot))
	return err == nil && is.SecureVersion >= b.fuses && is.elf != ""
}

// Firmware returns what runs.
func (b *Board) Firmware() Firmware { return b.runs.Firmware }

// Reset returns why the board started.
func (b *Board) Reset() domain.ResetReason { return b.reset }

func (b *Board) state(slot int) (s domain.SlotState, known bool) {
	e, n := b.flash.of(slot)
	if n < 0 {
		return domain.SlotUndefined, false
	}
	return names[e.state], true
}

// Running implements updater.Board.
func (b *Board) Running() updater.Running {
	is := b.runs
	r := updater.Running{Product: is.Product, Chip: is.Chip, Revision: b.model.Revision, Version: is.Version,
		VersionCode: is.Code, SHA256: is.sha256, ELFSHA256: is.elf, Size: int64(is.size), SecureVersion: b.fuses,
		Reset: b.reset, RollbackCapable: !b.model.NoRollback}
	r.Slot, _ = b.state(b.slot)
	if s, known := b.state(1 - b.slot); known {
		r.Other = s
	}
	if is.Does.Claims != "" {
		r.Version, r.VersionCode = is.Does.Claims, is.Does.ClaimsAs
	}
	return r
}

// Slot implements updater.Board.
func (b *Board) Slot() int64 { return int64(b.model.Slot) }

var errOutside = errors.New("this is outside of the slot, or not at the start of a sector")

// Write implements updater.Board.
func (b *Board) Write(offset int64, p []byte) error {
	if offset < 0 || offset%sector != 0 || offset+int64(len(p)) > b.Slot() {
		return errOutside
	}
	at := b.slotAt(1-b.slot) + int(offset)
	for i := 0; i < len(p); i += sector {
		b.flash.replace(at+i, p[i:min(i+sector, len(p))])
	}
	return nil
}

func (b *Board) read(slot int, offset int64, p []byte) error {
	if offset < 0 || offset+int64(len(p)) > b.Slot() {
		return errOutside
	}
	copy(p, b.slotBytes(slot)[offset:])
	return nil
}

// ReadOther implements updater.Board.
func (b *Board) ReadOther(offset int64, p []byte) error { return b.read(1-b.slot, offset, p) }

// ReadRunning implements updater.Board.
func (b *Board) ReadRunning(offset int64, p []byte) error { return b.read(b.slot, offset, p) }

// Errors of ESP-IDF, by their names.
var (
	errInvalidState = errors.New("ESP_ERR_OTA_ROLLBACK_INVALID_STATE: the image that runs is not confirmed")
	errValidate     = errors.New("ESP_ERR_OTA_VALIDATE_FAILED: there is no valid image")
	errSecure       = errors.New("ESP_ERR_OTA_SMALL_SEC_VER: the image's secure version is too low")
)

// Start implements updater.Board, as esp_ota_set_boot_partition does.
func (b *Board) Start() error {
	other := 1 - b.slot
	is, err := read(b.slotBytes(other))
	s, _ := b.state(b.slot)
	switch {
	case s == domain.SlotPending:
		return errInvalidState
	case err != nil:
		return errValidate
	case is.SecureVersion < b.fuses:
		return errSecure
	}
	highest := uint32(0)
	for i := range 2 {
		if e := b.flash.entry(i); e.seq != erased {
			highest = max(highest, e.seq)
		}
	}
	next := entry{seq: highest + 1, state: stateNew}
	if next.slot() != other {
		next.seq++
	}
	if b.model.NoRollback {
		next.state = stateUndefined
	}
	active := b.flash.active()
	b.flash.setEntry(max(1-active, 0)%2, next) // never over the one that is in use
	return nil
}

// Confirm implements updater.Board: it marks the image as valid, and then burns its secure version.
func (b *Board) Confirm() error {
	if e, n := b.flash.of(b.slot); n >= 0 && e.state != stateValid {
		b.flash.setEntry(n, entry{e.seq, stateValid})
	}
	b.fuses = max(b.fuses, b.runs.SecureVersion)
	return nil
}

// GiveUp implements updater.Board.
func (b *Board) GiveUp() error {
	e, n := b.flash.of(b.slot)
	if n < 0 || !b.bootable(1-b.slot) {
		return errors.New("ESP_ERR_OTA_ROLLBACK_FAILED: there is no other image to go back to")
	}
	b.flash.setEntry(n, entry{e.seq, stateInvalid})
	return nil
}

// Load implements updater.Board.
func (b *Board) Load() ([]byte, error) {
	saved, _, _ := b.flash.saved()
	return slices.Clone(saved), nil
}

// Save implements updater.Board.
func (b *Board) Save(p []byte) error { return b.flash.save(p) }

// Conditions implements updater.Board.
func (b *Board) Conditions() updater.Conditions { return b.Now }
