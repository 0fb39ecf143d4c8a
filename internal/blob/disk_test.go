package blob_test

import (
	"testing"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/blob/blobtest"
	"github.com/unhidra/unhidra/internal/domain"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	disk, err := blob.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	blobtest.Conform(t, disk)
}

func TestNoNameLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	disk, err := blob.OpenDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", ""} {
		if _, err := disk.Get(t.Context(), name, 0, -1); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
