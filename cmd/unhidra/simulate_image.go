package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"

	"github.com/unhidra/unhidra/internal/simulate"
	"github.com/unhidra/unhidra/internal/simulate/board"
)

const simulateImageText = `simulate image [flags] <file>

Makes a firmware that virtual devices run: an image of ESP-IDF's format, good or bad.
Upload it as that of any product, and give it to devices by a rollout:

  unhidra simulate image --product lamp --version 1.0 --code 1 old.bin
  unhidra simulate image --product lamp --version 1.1 --code 2 --fails 80 bad.bin
  unhidra simulate --keys devices.csv --firmware old.bin --root root.json

A bad one, on --fails percent of the devices,
  crashes   before it reaches the server; the bootloader takes it back
  later     once it is confirmed, again and again
  deaf      never reaches the server, and is taken back in time
  silent    never reaches the server, and nothing takes it back
  unfit     fails its own test
  flaps     loses its connection all the time, once it is confirmed
`

func runSimulateImage(_ context.Context, e *env, args []string) error {
	fs := e.flags("simulate image", simulateImageText)
	var f board.Firmware
	fs.StringVar(&f.Product, "product", "", "the `name` of the product, as its root has it")
	fs.StringVar(&f.Chip, "chip", "esp32c3", "the `name` of the chip")
	fs.StringVar(&f.Version, "version", "1.0.0", "for people")
	code := fs.Uint("code", 1, "version code, which grows with each release")
	secure := fs.Uint("secure-version", 0, "that devices keep as the lowest")
	fs.IntVar(&f.Padding, "size", 16<<10, "about so many `bytes`")
	fs.IntVar(&f.Does.FailsOn, "fails", 0, "`percent` of the devices on which it fails")
	revision := fs.Uint("revision", 0, "of the hardware on which alone it fails; 0: all")
	how := fs.String("how", "", "crashes, later, deaf, silent, unfit or flaps; empty: crashes")
	words, err := parse(fs, args, "<file>")
	if err != nil {
		return err
	}
	f.Code, f.SecureVersion, f.Does.Revision, f.Does.How = uint32(*code), uint32(*secure), uint16(*revision),
		board.Fault(*how)
	switch {
	case *code < 1 || *code > math.MaxUint32 || *secure > 32 || *revision > math.MaxUint16:
		return usagef("--code is 1 or more, --secure-version at most 32, --revision at most %d", math.MaxUint16)
	case f.Padding < 0 || f.Padding > 8<<20:
		return usagef("--size is at most 8 MiB")
	case f.Does.FailsOn < 0 || f.Does.FailsOn > 100:
		return usagef("--fails is percent")
	case !f.Does.How.Known():
		return usagef("--how is crashes, later, deaf, silent, unfit or flaps, not %q", *how)
	}
	b, err := f.Build()
	if err != nil {
		return err
	}
	if err := os.WriteFile(words[0], b, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: %s %s, %d bytes\n", words[0], f.Product, f.Version, len(b))
	return nil
}

// firmwareFlags are what has the devices of a fleet updated.
type firmwareFlags struct {
	image, root string
	slot, liars int
}

// read returns the firmware of the fleet; nil: its devices are not updated.
func (f firmwareFlags) read() (*simulate.Firmware, error) {
	if f.image == "" && f.root == "" {
		return nil, nil
	}
	if f.image == "" || f.root == "" {
		return nil, usagef("devices that are updated need --firmware, which they run, and --root, which they trust")
	}
	if f.liars < 0 || f.liars > 100 {
		return nil, usagef("--liars is percent")
	}
	if f.slot < 8 || f.slot > 16<<10 || f.slot%4 != 0 {
		return nil, usagef("--slot is 8 to %d KiB, a multiple of 4", 16<<10)
	}
	image, err := os.ReadFile(f.image)
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(f.root)
	if err != nil {
		return nil, err
	}
	return &simulate.Firmware{Root: root, Factory: image, HTTP: http.DefaultClient, Liars: f.liars,
		Models: func(n int) simulate.Model { return simulate.Model{Revision: revisionOf(n), Slot: f.slot << 10} }}, nil
}

// revisionOf is the revision of a device's hardware: of 20 devices, 13 have 1, 6 have 2, and one has 3.
func revisionOf(n int) uint16 {
	switch {
	case n%20 == 19:
		return 3
	case n%3 == 2:
		return 2
	}
	return 1
}
