package espimage

import (
	"bytes"
	"crypto/md5" //nolint:gosec // bootloaders check partition tables, and chips what is in flash, by it
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// Partition tables are as ESP-IDF documents them: entries of 32 bytes, then the MD5 of these.
const (
	tableSize      = 0xC00 // bytes
	tableLast      = 0x20000
	tableMD5       = "\xeb\xeb\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	appPartition   = 0
	dataPartition  = 1
	factoryApp     = 0x00
	firstOTA       = 0x10
	lastOTA        = 0x1F
	otaData        = 0x00
	otaDataSize    = 2 * sector
	maxFlash       = 256 << 20
	otaInvalid     = 3
	otaAborted     = 4
	appAlign       = 0x10000
	factoryFix     = "Merge bootloader, partition table and application from offset 0, with `esptool merge-bin`."
	tableFix       = "Make the table anew with ESP-IDF's gen_esp32part.py, and merge it again."
	bootloaderName = "bootloader"
	tableName      = "partition table"
)

type partition struct {
	kind, subtype byte
	at, size      int64
	label         string
}

func (p partition) end() int64 { return p.at + p.size }

func (p partition) isApp() bool {
	return p.kind == appPartition && (p.subtype == factoryApp || p.subtype >= firstOTA && p.subtype <= lastOTA)
}

// ReadFactory reads a factory image: a flash from its beginning, with a bootloader, a partition table, and the
// application that is started first. What is wrong with the file are findings; the error is one of file. What the
// result says of chip, project and version is what the application says; Parts are to be written.
func ReadFactory(file io.ReaderAt, size int64) (*Image, error) {
	r := &reader{file: file, size: size, Image: &Image{Format: "factory", Size: size, RevisionMax: noRevision}}
	sum, err := r.sum(0, size)
	if err != nil {
		return nil, err
	}
	r.SHA256 = hex.EncodeToString(sum[:])
	return r.Image, r.factory()
}

func (r *reader) factory() error {
	chip, boot, err := r.bootloader()
	if err != nil || r.Refused() {
		return err
	}
	at, table, err := r.table(boot)
	if err != nil || r.Refused() {
		return err
	}
	bootEnd, err := r.checkBootloader(boot, at)
	if err != nil || r.Refused() {
		return err
	}
	if err := r.fits(table, at); err != nil || r.Refused() {
		return err
	}
	app, appEnd, err := r.application(chip, table)
	if err != nil || r.Refused() {
		return err
	}
	if err := r.part(bootloaderName, boot, bootEnd); err != nil {
		return err
	}
	if err := r.part(tableName, at, at+sector); err != nil {
		return err
	}
	for _, p := range table {
		end, err := r.filled(p.at, min(p.end(), r.size))
		if err != nil {
			return err
		}
		switch {
		case p.at == app.at:
			end = max(end, appEnd)
		case p.kind == dataPartition && p.subtype == otaData:
			end = p.end() // what a board had there would start another application
		}
		if end == p.at {
			continue
		}
		if err := r.part(p.label, p.at, end); err != nil {
			return err
		}
		r.Parts[len(r.Parts)-1].App = p.at == app.at
	}
	return nil
}

// bootloader finds the bootloader, which begins at another offset for each chip.
func (r *reader) bootloader() (c Chip, at int64, err error) {
	for _, at := range []int64{0, 0x1000, 0x2000} {
		head, err := r.bytes(at, headerSize)
		if err != nil {
			return c, 0, err
		}
		if len(head) < headerSize || head[0] != magic || !r.plausible(head) {
			continue
		}
		c, _ := chipByID(binary.LittleEndian.Uint16(head[12:]))
		if c.boot != at {
			r.refuse("bootloader_offset", factoryFix, "at byte %#x is an image for %s, whose bootloader begins at %#x", at,
				c.Title, c.boot)
		}
		return c, at, nil
	}
	r.refuse("no_bootloader", factoryFix, "at none of the bytes 0, 0x1000 and 0x2000 begins a bootloader")
	return c, 0, nil
}

// checkBootloader reads the bootloader whole, and returns where it ends.
func (r *reader) checkBootloader(at, limit int64) (end int64, err error) {
	b := &reader{file: io.NewSectionReader(r.file, at, limit-at), size: limit - at, Image: &Image{RevisionMax: noRevision}}
	head, err := b.bytes(0, sector)
	if err != nil {
		return 0, err
	}
	b.header(head)
	end, sum, err := b.walk(int(head[1]))
	if err == nil && end > 0 {
		_, err = b.closing(end, sum, head[23] != 0)
	}
	r.adopt(bootloaderName, b.Findings)
	if err != nil {
		return 0, err
	}
	end, err = r.filled(at, limit) // with a signature, if it has one
	return max(end, at+b.ImageSize), err
}

// adopt takes over findings about a part. What is only worth knowing of an application is left out.
func (r *reader) adopt(name string, findings []domain.ImageFinding) {
	for _, f := range findings {
		if f.Level == domain.ErrorFinding {
			f.Text = fmt.Sprintf("the %s: %s", name, f.Text)
			r.Findings = append(r.Findings, f)
		}
	}
}

// table finds and reads the partition table, which may follow the bootloader at any sector from 0x8000 on.
func (r *reader) table(boot int64) (at int64, table []partition, err error) {
	for at = partitionsAt; at <= tableLast; at += sector {
		b, err := r.bytes(at, tableSize)
		if err != nil {
			return 0, nil, err
		}
		if bytes.HasPrefix(b, []byte(partitionMagic)) {
			return at, r.entries(at, b), nil
		}
	}
	r.refuse("no_partition_table", factoryFix, "no partition table begins at any sector from %#x to %#x", partitionsAt,
		tableLast)
	return 0, nil, nil
}

func (r *reader) entries(at int64, b []byte) (table []partition) {
	for n := 0; n+partitionEntry <= len(b); n += partitionEntry {
		e := b[n : n+partitionEntry]
		switch {
		case bytes.HasPrefix(e, []byte(partitionMagic)):
			table = append(table, partition{e[2], e[3], int64(binary.LittleEndian.Uint32(e[4:])),
				int64(binary.LittleEndian.Uint32(e[8:])), text(e[12:28])})
			continue
		case bytes.HasPrefix(e, []byte(tableMD5)):
			if sum := md5.Sum(b[:n]); !bytes.Equal(sum[:], e[16:]) { //nolint:gosec // as above
				r.refuse("bad_partition_table", tableFix, "the MD5 of the partition table at byte %#x is not that of its entries",
					at)
			}
			return table
		case len(bytes.TrimRight(e, "\xff")) == 0:
			r.warn("no_table_md5", "Leave CONFIG_PARTITION_TABLE_MD5 on.",
				"the partition table at byte %#x has no MD5: damage of it is not noticed", at)
			return table
		}
		r.refuse("bad_partition_table", tableFix, "the entry at byte %#x is none of a partition table", at+int64(n))
		return nil
	}
	r.refuse("bad_partition_table", tableFix, "the partition table at byte %#x does not end", at)
	return nil
}

// fits adds findings about partitions that are where they cannot be.
func (r *reader) fits(table []partition, at int64) error {
	table = slices.Clone(table)
	slices.SortFunc(table, func(a, b partition) int { return int(a.at - b.at) })
	last := partition{at: at, size: sector, label: tableName}
	for _, p := range table {
		switch {
		case p.at%sector != 0 || p.size == 0 || p.isApp() && p.at%appAlign != 0:
			r.refuse("bad_partition", tableFix, "the partition %q has %d bytes at %#x: it must begin at a multiple of %#x",
				p.label, p.size, p.at, map[bool]int{true: appAlign, false: sector}[p.isApp()])
		case p.kind == dataPartition && p.subtype == otaData && p.size != otaDataSize:
			r.refuse("bad_partition", tableFix, "the partition %q has %d bytes: otadata has %d", p.label, p.size, otaDataSize)
		case p.end() > maxFlash:
			r.refuse("bad_partition", tableFix, "the partition %q ends at %#x: no chip has that much flash", p.label, p.end())
		case p.at < last.end():
			r.refuse("bad_partition", tableFix, "the partition %q begins at %#x, and %q ends at %#x", p.label, p.at, last.label,
				last.end())
		}
		last = p
	}
	if r.FlashBytes = last.end(); r.size > r.FlashBytes {
		end, err := r.filled(r.FlashBytes, r.size)
		if err != nil {
			return err
		}
		if end > r.FlashBytes {
			r.refuse("outside_partitions", factoryFix, "the partitions end at %#x, and the file has data behind that",
				r.FlashBytes)
		}
	}
	return nil
}

// application reads the application that the bootloader starts, and returns where its image ends.
func (r *reader) application(c Chip, table []partition) (app partition, end int64, err error) {
	app, ok, err := r.started(table)
	if err != nil {
		return app, 0, err
	}
	if !ok || app.at >= r.size {
		r.refuse("no_app", factoryFix, "nothing is in the partition that the bootloader starts (%s)", app.label)
		return app, 0, nil
	}
	limit := min(app.end(), r.size)
	i, err := Read(io.NewSectionReader(r.file, app.at, limit-app.at), limit-app.at)
	if err != nil {
		return app, 0, err
	}
	r.adopt("application in "+app.label, i.Findings)
	if i.Chip != "" && i.Chip != c.Name {
		r.refuse("wrong_chip", factoryFix, "the bootloader is for %s, and the application for %s", c.Title, chipTitle(i.Chip))
	}
	r.Chip, r.ChipID, r.RevisionMin, r.RevisionMax = i.Chip, i.ChipID, i.RevisionMin, i.RevisionMax
	r.Project, r.Version, r.Built, r.SDK = i.Project, i.Version, i.Built, i.SDK
	r.SecureVersion, r.ELFSHA256, r.FlashMode, r.FlashSize = i.SecureVersion, i.ELFSHA256, i.FlashMode, i.FlashSize
	return app, app.at + i.ImageSize, nil
}

// started returns the partition that the bootloader starts: what otadata chooses, and else the factory partition, or
// the first of those for updates.
func (r *reader) started(table []partition) (p partition, ok bool, err error) {
	var slots []partition
	var chosen uint32
	for _, q := range table {
		switch {
		case q.isApp() && q.subtype >= firstOTA:
			slots = append(slots, q)
		case q.isApp():
			p, ok = q, true
		case q.kind == dataPartition && q.subtype == otaData:
			if chosen, err = r.sequence(q); err != nil {
				return p, false, err
			}
		}
	}
	slices.SortFunc(slots, func(a, b partition) int { return int(a.subtype) - int(b.subtype) })
	if len(slots) > 0 && (chosen > 0 || !ok) {
		return slots[int64(max(chosen, 1)-1)%int64(len(slots))], true, nil
	}
	return p, ok, nil
}

// sequence returns the higher of the two numbers by which otadata chooses a slot; 0: it chooses none.
// The bootloader skips an entry whose application was found invalid, or was given up.
func (r *reader) sequence(p partition) (n uint32, err error) {
	b, err := r.bytes(p.at, otaDataSize)
	for ; len(b) >= 32; b = b[min(sector, len(b)):] {
		seq := binary.LittleEndian.Uint32(b)
		sum := crc32.Update(0xFFFFFFFF, crc32.IEEETable, b[:4])
		state := binary.LittleEndian.Uint32(b[24:])
		if seq != 0xFFFFFFFF && state != otaInvalid && state != otaAborted && sum == binary.LittleEndian.Uint32(b[28:]) {
			n = max(n, seq)
		}
	}
	return n, err
}

// filled returns where what is not 0xff ends between two offsets; from, if nothing is there.
func (r *reader) filled(from, to int64) (end int64, err error) {
	end = from
	if to <= from {
		return end, nil
	}
	err = r.each(from, to, func(at int64, b []byte) bool {
		if n := len(bytes.TrimRight(b, "\xff")); n > 0 {
			end = at + int64(n)
		}
		return true
	})
	return end, err
}

// part adds a part that is to be written. Flash is erased by whole sectors, so it has whole sectors.
func (r *reader) part(name string, at, end int64) error {
	size := (end - at + sector - 1) / sector * sector
	sum := md5.New() //nolint:gosec // as above
	there := max(0, min(size, r.size-at))
	if _, err := io.Copy(sum, io.NewSectionReader(r.file, at, there)); err != nil {
		return err
	}
	sum.Write(bytes.Repeat([]byte{0xFF}, int(size-there)))
	r.Parts = append(r.Parts, domain.FlashPart{Name: name, Offset: at, Size: size, MD5: hex.EncodeToString(sum.Sum(nil))})
	return nil
}
