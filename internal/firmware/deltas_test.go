package firmware

import (
	"slices"
	"testing"

	"github.com/unhidra/unhidra/internal/delta"
	"github.com/unhidra/unhidra/internal/domain"
)

// Patches begin at the images for the same chip that most devices run: known ones, and not too large to compare.
func TestPatchesBeginAtWhatMostDevicesRun(t *testing.T) {
	t.Parallel()
	image := func(hash, chip string, size int64) domain.FirmwareImage {
		return domain.FirmwareImage{SHA256: hash, Chip: chip, Size: size}
	}
	target := image("new", "esp32", 1000)
	releases := []domain.Release{
		{Images: []domain.FirmwareImage{target}},
		{Images: []domain.FirmwareImage{image("a", "esp32", 1), image("other chip", "esp32c3", 1)}},
		{Images: []domain.FirmwareImage{image("b", "esp32", 1), image("c", "esp32", 1)}},
		{Images: []domain.FirmwareImage{image("d", "esp32", 1), image("huge", "esp32", delta.MaxImage+1)}},
		{Images: []domain.FirmwareImage{image("e", "esp32", 1)}},
	}
	running := map[string]int{"new": 90, "a": 3, "b": 50, "c": 7, "d": 2, "huge": 80, "other chip": 70, "unknown": 60}
	var got []string
	for _, i := range bases(releases, target, running) {
		got = append(got, i.SHA256)
	}
	if want := []string{"b", "c", "a"}; !slices.Equal(got, want) {
		t.Errorf("%v, and not %v", got, want)
	}
}
