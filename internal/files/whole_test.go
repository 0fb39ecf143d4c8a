package files

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
)

// added has the files that were added, and no blob.
type added struct {
	Store
	blob.Rows
	files []domain.File
	full  error // what Add refuses with
}

func (a *added) MayAdd(context.Context, domain.File, int64, time.Time) (domain.File, bool, error) {
	return domain.File{}, false, nil
}

func (a *added) Add(
	_ context.Context, f domain.File, _ []domain.Blob, _ int64, _ time.Time,
) (domain.File, error) {
	if a.full == nil {
		a.files = append(a.files, f)
	}
	return f, a.full
}

func (a *added) Blob(context.Context, string) (domain.Blob, error) {
	return domain.Blob{}, domain.NotFound.Errorf(domain.CodeNoSuchFile, "none")
}

// Of a file that is refused in one request nothing is left, whoever refuses it and when; of one that may have been
// added, its content is.
func TestOfAFileThatIsRefusedNothingIsLeft(t *testing.T) {
	t.Parallel()
	room := domain.NewID(domain.RoomPrefix)
	for name, c := range map[string]struct {
		content string
		scanner *Clamd
		full    error
		want    domain.Code
		left    int
	}{
		"a good one": {content: "tea", scanner: standIn(t, 1<<20), left: 1},
		"a virus":    {content: eicar, scanner: standIn(t, 1<<20), want: domain.CodeFileRefused},
		"no scanner": {content: "tea", scanner: &Clamd{Addr: "/nowhere/clamd.ctl"}, want: domain.CodeScannerAway},
		"lenient":    {content: "tea", scanner: &Clamd{Addr: "/nowhere/clamd.ctl", Lenient: true}, left: 1},
		"the quota": {content: "tea", full: domain.TooLarge.Errorf(domain.CodeQuotaExceeded, "full"),
			want: domain.CodeQuotaExceeded},
		"nobody knows": {content: "tea", full: domain.Unavailable.Errorf(domain.CodeBusy, "away"),
			want: domain.CodeBusy, left: 1},
	} {
		dir, store := t.TempDir(), &added{full: c.full}
		disk, err := blob.OpenDisk(filepath.Join(dir, "files"))
		if err != nil {
			t.Fatal(err)
		}
		s := New(Deps{Store: store, Blobs: blob.New(blob.Deps{Objects: disk, Rows: store, Temp: dir}),
			Log: slog.New(slog.DiscardHandler), Scanner: c.scanner, Limits: Limits{Size: 1 << 20}})
		f, err := s.Upload(t.Context(), domain.Principal{ID: "usr_1"},
			Whole{Room: room, Name: "a.txt", Size: int64(len(c.content))}, strings.NewReader(c.content))
		if (err != nil) != (c.want != "") || domain.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (f.State != domain.FileReady || f.Type != "text/plain" || len(store.files) != 1) {
			t.Errorf("%s: %+v", name, f)
		}
		left := 0
		err = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				left++
			}
			return err
		})
		if err != nil || left != c.left {
			t.Errorf("%s: %d files are left, want %d; %v", name, left, c.left, err)
		}
	}
}
