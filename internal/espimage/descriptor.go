package espimage

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

const (
	descriptorAt    = headerSize + segmentHeader
	descriptorSize  = 256
	descriptorMagic = 0xABCD5432
	bootloaderMagic = 80
	partitionMagic  = "\xaa\x50"
	partitionsAt    = 0x8000
	partitionEntry  = 32 // bytes
)

// descriptor reads the description of the application, which begins the first segment.
func (r *reader) descriptor(head []byte) {
	if r.Segments[0].Size < descriptorSize || len(head) < descriptorAt+descriptorSize ||
		binary.LittleEndian.Uint32(head[descriptorAt:]) != descriptorMagic {
		r.noDescriptor(head)
		return
	}
	d := head[descriptorAt : descriptorAt+descriptorSize]
	r.SecureVersion = binary.LittleEndian.Uint32(d[4:])
	r.Version, r.Project = text(d[16:48]), text(d[48:80])
	r.Built = strings.TrimSpace(text(d[96:112]) + " " + text(d[80:96]))
	r.SDK = text(d[112:144])
	if elf := d[144:176]; !bytes.Equal(elf, make([]byte, len(elf))) {
		r.ELFSHA256 = hex.EncodeToString(elf)
	} else {
		r.warn("no_elf_hash", "Make it with `idf.py build`, or `esptool elf2image --elf-sha256-offset 0xb0`.",
			"bytes 0xb0 to 0xcf, the hash of its ELF file, are zero: crashes cannot be explained")
	}
	if page := d[180]; page >= 12 && page <= 20 {
		r.PageSize = 1 << page
	}
	switch {
	case r.Version == "":
		r.refuse("no_version", "Set PROJECT_VER in CMakeLists.txt, or write a version.txt.", "it has no version")
	case len(r.Version) == 31:
		r.warn("cut_version", "Use a version of at most 30 bytes.",
			"the version %q is as long as it can be, and may have been cut off", r.Version)
	}
	if r.Project == "" {
		r.refuse("no_project", "Name it with project() in CMakeLists.txt.", "it has no project name")
	}
	if r.SecureVersion > 32 {
		r.refuse("bad_secure_version", "Set CONFIG_BOOTLOADER_APP_SECURE_VERSION to 32 at most.",
			"its secure version is %d; no chip can have more than 32", r.SecureVersion)
	}
}

func (r *reader) noDescriptor(head []byte) {
	if len(head) > descriptorAt && head[descriptorAt] == bootloaderMagic {
		r.refuse("bootloader", applicationFix, "it is a bootloader, not an application")
		return
	}
	r.refuse("no_descriptor", "Build it with ESP-IDF 4 or newer; of other frameworks, link an application descriptor. "+
		"If it is a bootloader, choose the application.",
		"byte 0x20 does not begin an application descriptor: it is a bootloader, or something old")
}

// text reads a text that ends with a zero byte.
func text(b []byte) string {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	clean := strings.Map(func(c rune) rune {
		if c < ' ' || c == utf8.RuneError || c == 0x7f {
			return '?'
		}
		return c
	}, string(b))
	return strings.TrimSpace(clean)
}

const applicationFix = "Choose the application: build/PROJECT.bin of ESP-IDF."

// otherThanImage recognises files that are something else.
func (r *reader) otherThanImage(head []byte) (found bool, err error) {
	if merged, err := r.merged(head); merged || err != nil {
		return true, err
	}
	for _, k := range []struct{ begins, code, what, fix string }{
		{"\x7fELF", "elf", "an ELF file", "Choose the .bin beside it; the ELF file goes with it, as such."},
		{partitionMagic, "partition_table", "a partition table", applicationFix},
		{"UF2\n", "uf2", "a UF2 file", applicationFix},
		{"\x10\xde\xcd\xfc", "patch", "a patch of esp_delta_ota",
			"Upload the whole image: the server makes patches by itself."},
		{"\x1f\x8b", "compressed", "compressed by gzip", "Unpack it first."},
		{"PK\x03\x04", "compressed", "a ZIP archive", "Unpack it first."},
		{":", "hex", "Intel HEX", "Convert it to binary: `objcopy -I ihex -O binary`."},
		{"\xea", "esp8266", "an image of ESP8266", esp8266Fix},
	} {
		if strings.HasPrefix(string(head), k.begins) {
			r.refuse(k.code, k.fix, "it is %s", k.what)
			return true, nil
		}
	}
	if len(head) == 0 {
		r.refuse("empty", "Upload the whole file.", "the file is empty")
		return true, nil
	}
	if head[0] != magic {
		r.refuse("bad_magic", "Choose an application image of ESP-IDF, or say that it is a raw image of another device.",
			"byte 0 is %#02x; images of ESP-IDF begin with 0xe9", head[0])
		return true, nil
	}
	if old, err := r.esp8266(head); old || err != nil {
		return true, err
	}
	return false, nil
}

const esp8266Fix = "Upload it as a raw image, with chip esp8266: it is not inspected then."

// esp8266 recognises images of ESP8266, which begin alike but have a shorter header: their segments and
// checksum fit when they are read so.
func (r *reader) esp8266(head []byte) (bool, error) {
	const header = 8
	if len(head) < header || head[1] < 1 || head[1] > maxSegments {
		return false, nil
	}
	at, sum := int64(header), byte(0xEF)
	for range head[1] {
		b, err := r.bytes(at, segmentHeader)
		if err != nil || len(b) < segmentHeader {
			return false, err
		}
		s := Segment{Offset: at + segmentHeader, Size: binary.LittleEndian.Uint32(b[4:])}
		if at = s.Offset + int64(s.Size); at >= r.size {
			return false, nil
		}
		if sum, err = r.xor(sum, s); err != nil {
			return false, err
		}
	}
	last, err := r.bytes((at+16)&^15-1, 1)
	if err != nil || len(last) < 1 || last[0] != sum {
		return false, err
	}
	r.refuse("esp8266", esp8266Fix, "it is an image of ESP8266")
	return true, nil
}

// merged recognises a factory image: a flash from its beginning, with bootloader, partition table and
// applications.
func (r *reader) merged(head []byte) (bool, error) {
	table, err := r.bytes(partitionsAt, partitionEntry)
	if err != nil {
		return false, err
	}
	blank := len(head) == sector && len(bytes.TrimRight(head, "\xff")) == 0
	if blank || len(head) > 0 && head[0] == magic {
		if len(table) == partitionEntry && strings.HasPrefix(string(table), partitionMagic) && table[2] <= 1 {
			r.refuse("factory_image", applicationFix,
				"it is a factory image: byte %#x begins a partition table, after a bootloader", partitionsAt)
			return true, nil
		}
	}
	if blank {
		r.refuse("blank", applicationFix, "its first 4096 bytes are 0xff: it is empty flash, or a factory image")
		return true, nil
	}
	return false, nil
}
