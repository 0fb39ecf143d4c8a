package delta

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/firmwaretools"
)

const (
	oldMicroPython = "micropython/esp8266-20180511-v1.9.4.bin"
	newMicroPython = "micropython/esp8266-20190125-v1.10.bin"
	itsPatch       = "micropython/esp8266-20180511-v1.9.4--20190125-v1.10-heatshrink.patch"
)

// detools and this package make the same image of each other's patches, of real firmware.
func TestDetoolsAndThisPackageApplyEachOthersPatches(t *testing.T) {
	t.Parallel()
	firmwaretools.Need(t)
	base, target := firmwaretools.Sample(t, oldMicroPython), firmwaretools.Sample(t, newMicroPython)
	patch := firmwaretools.Sample(t, itsPatch)
	dir := t.TempDir()
	ours, err := Create(t.Context(), base, target, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ours) > len(patch)+headerSize {
		t.Errorf("our patch has %d bytes, that of detools %d", len(ours), len(patch))
	}
	for name, b := range map[string][]byte{"base": base, "target": target, "ours": ours[headerSize:]} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	firmwaretools.Must(t, dir, "detools", "apply_patch", "base", "ours", "made")
	if got, err := os.ReadFile(filepath.Join(dir, "made")); err != nil || !bytes.Equal(got, target) {
		t.Errorf("detools made %d bytes, %v", len(got), err)
	}
	firmwaretools.Must(t, dir, "detools", "create_patch", "-c", "heatshrink", "target", "base", "back")
	back, err := os.ReadFile(filepath.Join(dir, "back"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ from, patch, want []byte }{
		"of its tests": {base, patch, target}, "made now": {target, back, base},
	} {
		var got bytes.Buffer
		err := applySequential(bytes.NewReader(test.from), int64(len(test.from)), bytes.NewReader(test.patch), &got)
		if err != nil || !bytes.Equal(got.Bytes(), test.want) {
			t.Errorf("%s: made %d bytes, %v", name, got.Len(), err)
		}
	}
}
