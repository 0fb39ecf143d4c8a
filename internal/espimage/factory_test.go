package espimage

import (
	"bytes"
	"crypto/md5" //nolint:gosec // chips check by it
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unhidra/unhidra/internal/espimage/imagetest"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretools"
)

func readFactory(t testing.TB, b []byte) *Image {
	t.Helper()
	i, err := ReadFactory(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func forChip(chip uint16) imagetest.App {
	a := app()
	a.ChipID = chip
	return a
}

// esptool merges a factory image, of which is read what is to be written, and where.
func TestWhatEsptoolMergesIsRead(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	for _, c := range []struct {
		chip uint16
		name string
		boot string
		more []string
	}{{0, "esp32", "0x1000", nil}, {5, "esp32c3", "0x0", []string{"--pad-to-size", "4MB"}}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, image := t.TempDir(), imagetest.Build(forChip(c.chip))
			write(t, filepath.Join(dir, "boot.bin"), imagetest.Bootloader(c.chip))
			write(t, filepath.Join(dir, "table.bin"), imagetest.Table(imagetest.Partitions()...))
			write(t, filepath.Join(dir, "app.bin"), image)
			firmwaretools.Must(t, dir, "esptool", slices.Concat([]string{"--chip", c.name, "merge-bin", "-o", "factory.bin"},
				c.more, []string{c.boot, "boot.bin", "0x8000", "table.bin", "0x20000", "app.bin"})...)
			_, b := readFile(t, filepath.Join(dir, "factory.bin"))
			i := readFactory(t, b)
			expectCodes(t, i)
			if i.Chip != c.name || i.Project != "greenhouse" || i.Version != "2.4.0" || i.FlashBytes != 0x220000 {
				t.Errorf("%+v", i)
			}
			var names []string
			for _, p := range i.Parts {
				names = append(names, p.Name)
				whole := append(bytes.Clone(b), bytes.Repeat([]byte{0xFF}, sector)...)[p.Offset:][:p.Size]
				sum := md5.Sum(whole) //nolint:gosec // as above
				if p.MD5 != hex.EncodeToString(sum[:]) || p.App != (p.Offset == 0x20000) {
					t.Errorf("%+v", p)
				}
			}
			if !slices.Equal(names, []string{"bootloader", "partition table", "otadata", "ota_0"}) {
				t.Errorf("%q is written", names)
			}
		})
	}
}

// What is merged wrongly is refused before it gets near a board.
func TestFactoryImagesThatNoBoardStartsAreRefused(t *testing.T) {
	t.Parallel()
	image := imagetest.Build(app())
	with := func(change func(b []byte) []byte) []byte { return change(imagetest.Factory(5, 0, image)) }
	table := func(change func(p []imagetest.Partition)) []byte {
		p := imagetest.Partitions()
		change(p)
		return with(func(b []byte) []byte {
			copy(b[0x8000:], imagetest.Table(p...))
			return b
		})
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":                     {nil, "no_bootloader"},
		"the application alone":     {image, "no_partition_table"},
		"a bootloader of elsewhere": {imagetest.Factory(5, 0x1000, image), "bootloader_offset"},
		"of ESP32 from 0x1000 on":   {imagetest.Factory(0, 0x1000, image)[0x1000:], "bootloader_offset"},
		"cut off after the table":   {imagetest.Factory(5, 0, image)[:0x10000], "no_app"},
		"cut off in the image":      {imagetest.Factory(5, 0, image)[:0x21000], "truncated"},
		"an application for another chip": {
			imagetest.Factory(5, 0, imagetest.Build(forChip(9))), "wrong_chip"},
		"a changed bootloader": {with(func(b []byte) []byte {
			b[200] ^= 1
			return b
		}), "bad_checksum"},
		"a changed table": {with(func(b []byte) []byte {
			b[0x8000+40] ^= 1
			return b
		}), "bad_partition_table"},
		"a table with something else": {with(func(b []byte) []byte {
			b[0x8000+64] = 7
			return b
		}), "bad_partition_table"},
		"a changed application": {with(func(b []byte) []byte {
			b[0x20000+400] ^= 1
			return b
		}), "bad_checksum"},
		"data behind all partitions": {with(func(b []byte) []byte {
			return append(append(b, bytes.Repeat([]byte{0xFF}, 0x220000-len(b))...), 7)
		}), "outside_partitions"},
		"partitions over one another": {table(func(p []imagetest.Partition) { p[1].At = 0xE000 }), "bad_partition"},
		"a partition over the table":  {table(func(p []imagetest.Partition) { p[0].At = 0x8000 }), "bad_partition"},
		"a slot that no chip maps":    {table(func(p []imagetest.Partition) { p[2].At = 0x21000 }), "bad_partition"},
		"otadata of 4 GiB":            {table(func(p []imagetest.Partition) { p[1].Size = 0xFFFFF000 }), "bad_partition"},
		"more flash than there is":    {table(func(p []imagetest.Partition) { p[3].Size = 0xF0000000 }), "bad_partition"},
		"no slot":                     {table(func(p []imagetest.Partition) { p[2].Kind, p[3].Kind = 1, 1 }), "no_app"},
	} {
		if i := readFactory(t, c.file); !i.Refused() || !slices.Contains(codes(i), c.want) || len(i.Parts) != 0 {
			t.Errorf("%s: %+v, and not %s", name, i.Findings, c.want)
		}
	}
}

// What otadata chooses is what a board starts, so that is the application that counts.
func TestTheApplicationIsTheOneThatIsStarted(t *testing.T) {
	t.Parallel()
	first, second := app(), app()
	second.Version = "2.5.0"
	b := imagetest.Factory(5, 0, imagetest.Build(first))
	b = append(b, bytes.Repeat([]byte{0xFF}, 0x120000-len(b))...)
	b = append(b, imagetest.Build(second)...)
	if i := readFactory(t, b); i.Version != "2.4.0" || len(i.Parts) != 5 || !i.Parts[3].App || i.Parts[4].App {
		t.Errorf("without a choice: %s, %+v", i.Version, i.Parts)
	}
	binary.LittleEndian.PutUint32(b[0x10000:], 2)
	if i := readFactory(t, b); i.Version != "2.4.0" {
		t.Errorf("by a choice whose checksum is wrong: %s", i.Version)
	}
	binary.LittleEndian.PutUint32(b[0x10000+28:], 0x55F63774)
	if i := readFactory(t, b); i.Version != "2.5.0" || !i.Parts[4].App {
		t.Errorf("the second is chosen: %s, %+v", i.Version, i.Parts)
	}
	for state, want := range []string{"2.5.0", "2.5.0", "2.5.0", "2.4.0", "2.4.0"} {
		binary.LittleEndian.PutUint32(b[0x10000+24:], uint32(state))
		if i := readFactory(t, b); i.Version != want {
			t.Errorf("the second is chosen, in state %d: %s", state, i.Version)
		}
	}
}

// brokenAt fails where a file cannot be read any more.
type brokenAt struct {
	io.ReaderAt
	at int64
}

func (b brokenAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, io.ErrClosedPipe
	}
	return b.ReaderAt.ReadAt(p, off)
}

func TestFactoryDataBehindThePartitionsThatCannotBeReadIsNotTakenAsEmpty(t *testing.T) {
	t.Parallel()
	b := imagetest.Factory(5, 0, imagetest.Build(app()))
	flash := readFactory(t, b).FlashBytes
	b = append(b, bytes.Repeat([]byte{0xFF}, int(flash)+sector-len(b))...)
	if i := readFactory(t, b); i.Refused() {
		t.Fatalf("%+v", i.Findings)
	}
	if _, err := ReadFactory(brokenAt{bytes.NewReader(b), flash}, int64(len(b))); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
}

func FuzzReadFactory(f *testing.F) {
	f.Add(imagetest.Factory(5, 0, imagetest.Build(app())))
	f.Fuzz(func(t *testing.T, b []byte) {
		i := readFactory(t, b)
		for _, p := range i.Parts {
			if p.Offset < 0 || p.Size <= 0 || p.Offset%sector != 0 || p.Size%sector != 0 || p.Offset+p.Size > i.FlashBytes {
				t.Errorf("%+v of %d bytes of flash", p, i.FlashBytes)
			}
		}
	})
}
