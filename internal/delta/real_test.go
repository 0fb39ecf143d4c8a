package delta

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/firmwaretools"
)

// With UNHIDRA_FIRMWARE_IMAGES, which names what make firmware-image has made, a patch between two real images is made,
// and applied here and by detools.
func TestRealImagesArePatched(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("UNHIDRA_FIRMWARE_IMAGES")
	if folder == "" {
		t.Skip("UNHIDRA_FIRMWARE_IMAGES names no images of make firmware-image: no real image is patched")
	}
	firmwaretools.Need(t)
	dir := t.TempDir()
	image := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	base, target := image("1.0.0.bin"), image("1.1.0.bin")
	patch, err := Create(t.Context(), base, target, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range min(len(base), len(target)) {
		if base[i] != target[i] {
			changed++
		}
	}
	t.Logf("images of %d and %d bytes, of which %d differ: a patch of %d", len(base), len(target), changed, len(patch))
	if len(patch) > len(target)/4 {
		t.Errorf("the patch has %d bytes, and the image %d", len(patch), len(target))
	}
	if err := os.WriteFile(filepath.Join(dir, "patch"), patch[headerSize:], 0o600); err != nil {
		t.Fatal(err)
	}
	firmwaretools.Must(t, dir, "detools", "apply_patch", "1.0.0.bin", "patch", "made")
	if made, err := os.ReadFile(filepath.Join(dir, "made")); err != nil || !bytes.Equal(made, target) {
		t.Errorf("detools made %d bytes, %v", len(made), err)
	}
}
