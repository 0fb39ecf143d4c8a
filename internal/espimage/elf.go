package espimage

import (
	"debug/elf"
	"encoding/hex"
	"io"
)

// ReadELF reads the ELF file of an image: its hash is the one that the image names, and its debug information
// explains crashes. Like Read, it returns what is wrong as findings.
func ReadELF(file io.ReaderAt, size int64) (*Image, error) {
	r := &reader{file: file, size: size, Image: &Image{Format: "elf", Size: size, RevisionMax: noRevision}}
	sum, err := r.sum(0, size)
	if err != nil {
		return nil, err
	}
	r.SHA256 = hex.EncodeToString(sum[:])
	r.ELFSHA256 = r.SHA256
	f, err := elf.NewFile(io.NewSectionReader(file, 0, size))
	if err != nil {
		r.refuse("no_elf", "Choose build/PROJECT.elf.", "it is no ELF file: %v", err)
		return r.Image, nil
	}
	r.Entry = uint32(f.Entry)
	switch {
	case f.Type != elf.ET_EXEC:
		r.refuse("no_program", "Choose build/PROJECT.elf.", "it is no program, but %v", f.Type)
	case f.Section(".debug_line") == nil:
		r.warn("stripped", "Upload it as the linker made it, without strip.",
			"it has no line numbers: of crashes, only functions can be named")
	}
	return r.Image, nil
}
