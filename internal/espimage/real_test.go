package espimage

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// With UNHIDRA_FIRMWARE_IMAGES, which names what make firmware-image has made, images with Espressif's radio, and the
// factory image of one with a bootloader of ESP-IDF, are read.
func TestRealImagesAreRead(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("UNHIDRA_FIRMWARE_IMAGES")
	if folder == "" {
		t.Skip("UNHIDRA_FIRMWARE_IMAGES names no images of make firmware-image: no real image is read")
	}
	var first *Image
	for _, version := range []string{"1.1.0", "1.0.0"} {
		i, b := readFile(t, filepath.Join(folder, version+".bin"))
		expectCodes(t, i)
		if i.Chip != "esp32c3" || i.Project != "unhidra-device" || i.Version != version || len(i.Signatures) != 1 ||
			i.Signatures[0].Scheme != schemeRSA || i.ImageSize >= int64(len(b)) || len(i.Segments) < 5 {
			t.Errorf("%s: %+v", version, i)
		}
		elf, err := os.ReadFile(filepath.Join(folder, version+".elf"))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := ReadELF(bytes.NewReader(elf), int64(len(elf))); err != nil || e.ELFSHA256 != i.ELFSHA256 {
			t.Errorf("%s: its ELF file is %+v, %v", version, e, err)
		}
		b[len(b)/2] ^= 1
		if broken := read(t, b); !broken.Refused() {
			t.Errorf("%s: a byte that is changed is not found", version)
		}
		first = i
	}
	_, b := readFile(t, filepath.Join(folder, "factory.bin"))
	f := readFactory(t, b)
	expectCodes(t, f)
	if f.Chip != "esp32c3" || f.Version != "1.0.0" || f.ELFSHA256 != first.ELFSHA256 || len(f.Parts) < 3 {
		t.Errorf("%+v", f)
	}
}
