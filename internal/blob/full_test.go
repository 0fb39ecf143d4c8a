package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

type anyRows interface{ Rows } // to embed, beside a method of that name

// noRows has no blob.
type noRows struct{ anyRows }

func (noRows) Blob(context.Context, string) (domain.Blob, error) {
	return domain.Blob{}, domain.NotFound.Errorf(domain.CodeNoSuchFile, "none")
}

func (noRows) TouchBlob(context.Context, string, time.Time) (domain.Blob, bool, error) {
	return domain.Blob{}, false, nil
}

// A disk that gets full while a file is written is said to be so, and of the file nothing is left.
func TestADiskThatGetsFullInTheMiddleOfAFileIsSaidToBeFull(t *testing.T) {
	t.Parallel()
	full := &fs.PathError{Op: "write", Path: "upload", Err: syscall.ENOSPC}
	file := bytes.NewReader([]byte("half of a file"))
	for what, c := range map[string]struct {
		from    io.Reader
		objects error
		want    domain.Code
	}{
		"in the middle":   {io.MultiReader(file, broken{full}), nil, domain.CodeDiskFull},
		"at the end":      {file, full, domain.CodeDiskFull},
		"for another one": {file, errors.New("the disk is away"), ""},
	} {
		s := New(Deps{Objects: &failing{err: c.objects}, Rows: noRows{}, Temp: t.TempDir()})
		_, err := s.Put(t.Context(), c.from, 100)
		if err == nil || domain.CodeOf(err) != c.want {
			t.Errorf("%s: %v", what, err)
		}
		if e, ok := errors.AsType[*domain.Error](err); c.want != "" && (!ok || e.Kind != domain.Unavailable ||
			e.RetryAfter == 0) {
			t.Errorf("%s: %+v", what, e)
		}
		if left, err := os.ReadDir(s.Temp); err != nil || len(left) > 0 {
			t.Errorf("%s: there are still %v, %v", what, left, err)
		}
	}
}

// broken reads nothing but an error.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
