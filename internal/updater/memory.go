package updater

import (
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/wire"
)

// phase is how far an update has come, as the device remembers it.
type phase string

const (
	fetching  phase = "fetching"
	starting  phase = "starting"  // the bootloader is told, or was, to start the image
	confirmed phase = "confirmed" // which the server does not know yet
)

// startsMost is how often the bootloader is told to start an image. The second time is for a power cut on the way.
const startsMost = 2

// memory is what a device must not forget.
type memory struct {
	Root  *manifest.Root `json:"root,omitempty"`
	Floor uint32         `json:"floor,omitempty"`
	Open  *update        `json:"open,omitempty"`
}

// update is one that the device has accepted.
type update struct {
	ID     string              `json:"id"`
	Image  manifest.Image      `json:"image"`
	URL    string              `json:"url,omitempty"`
	Floor  uint32              `json:"floor"` // that the device has once the image is confirmed
	Delta  *wire.FirmwareDelta `json:"delta,omitempty"`
	Phase  phase               `json:"phase"`
	Offset int64               `json:"offset,omitempty"` // bytes that are in flash for certain
	Starts int                 `json:"starts,omitempty"`
}

// takenBack reports whether the image of the update was started, and runs no more.
func (o *update) takenBack(r Running) bool {
	return o.Phase == starting && r.SHA256 != o.Image.SHA256 &&
		(r.Other == domain.SlotAborted || r.Other == domain.SlotInvalid)
}

// change changes what the device remembers.
func (u *Updater) change(do func(m *memory)) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	next := u.m
	if next.Open != nil {
		open := *next.Open
		next.Open = &open
	}
	do(&next)
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := u.o.Board.Save(b); err != nil {
		return err
	}
	u.m = next
	return nil
}

// open returns the update that the device is in, or nil.
func (u *Updater) open() *update {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.m.Open == nil {
		return nil
	}
	o := *u.m.Open
	return &o
}

func (u *Updater) forget() error { return u.change(func(m *memory) { m.Open = nil }) }
