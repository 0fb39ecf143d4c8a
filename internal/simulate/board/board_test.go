package board_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/espimage"
	"github.com/unhidra/unhidra/internal/simulate/board"
)

var lamp = board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "1.4.0", Code: 140, SecureVersion: 1,
	Padding: 9000}

func build(t *testing.T, f board.Firmware) []byte {
	t.Helper()
	b, err := f.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What virtual boards run is what the server reads of it: an image of ESP-IDF without faults.
func TestImagesAreThoseOfESPIDF(t *testing.T) {
	t.Parallel()
	b := build(t, lamp)
	is, err := espimage.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(is.Findings) > 0 {
		t.Fatalf("%v, findings %+v", err, is.Findings)
	}
	x, err := board.New(board.Model{Slot: 16 << 10}, b)
	if err == nil {
		err = x.Boot(domain.ResetPowerOn)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := x.Running()
	if r.SHA256 != is.SHA256 || r.ELFSHA256 != is.ELFSHA256 || r.Product != is.Project || r.Version != is.Version ||
		r.Chip != is.Chip || r.SecureVersion != is.SecureVersion || r.Size != is.Size {
		t.Errorf("the board runs %+v, the file is %+v", r, is)
	}
}

// An image that is not what its hash says is not started, and a board without another one starts none.
func TestTheBootloaderStartsWholeImagesOnly(t *testing.T) {
	t.Parallel()
	b := build(t, lamp)
	x, err := board.New(board.Model{Slot: 16 << 10}, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Boot(domain.ResetPowerOn); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 100, len(b) - 1} {
		bad := bytes.Clone(b)
		bad[at] ^= 0x10
		if err := x.Write(0, bad); err != nil {
			t.Fatal(err)
		}
		if x.Start() == nil {
			t.Errorf("an image whose byte %d is wrong is to be started", at)
		}
		if _, err := board.New(board.Model{Slot: 16 << 10}, bad); err == nil {
			t.Errorf("a board is made with an image whose byte %d is wrong", at)
		}
	}
}

// A bootloader that takes nothing back goes on with what it was told to start.
func TestABoardWithoutRollbackKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	x, err := board.New(board.Model{Slot: 16 << 10, NoRollback: true}, build(t, lamp))
	if err != nil {
		t.Fatal(err)
	}
	next := lamp
	next.Code = 141
	boot := func() {
		if err := x.Boot(domain.ResetSoftware); err != nil {
			t.Fatal(err)
		}
	}
	boot()
	if err := errors.Join(x.Write(0, build(t, next)), x.Start()); err != nil {
		t.Fatal(err)
	}
	boot()
	boot()
	if r := x.Running(); r.VersionCode != 141 || r.Slot != domain.SlotUndefined || r.RollbackCapable {
		t.Errorf("%+v", r)
	}
}
