package blob

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
)

// failing are objects of which every operation ends with an error, or none.
type failing struct {
	Objects
	err error
}

func (f *failing) Put(context.Context, string, *os.File, int64) error { return f.err }
func (f *failing) Delete(context.Context, string) error               { return f.err }
func (f *failing) Get(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return nil, f.err
}

func TestOperationsOnFilesAreCounted(t *testing.T) {
	t.Parallel()
	f := &failing{}
	o := Measured(f, prometheus.NewRegistry())
	for _, err := range []error{nil, domain.NotFound.Errorf("", "none"), errors.New("the disk is away"), context.Canceled} {
		f.err = err
		_ = o.Put(t.Context(), "a", nil, 7)
		_, _ = o.Get(t.Context(), "a", 0, 1)
		_ = o.Delete(t.Context(), "a")
	}
	m := o.(measured)
	for _, operation := range []string{"put", "get", "delete"} {
		for _, result := range []string{"ok", "missing", "failed"} {
			if n := testutil.ToFloat64(m.operations.WithLabelValues(operation, result)); n != 1 {
				t.Errorf("%s %s: %v", operation, result, n)
			}
		}
	}
	if n := testutil.ToFloat64(m.bytes); n != 7 {
		t.Errorf("%v bytes stored", n)
	}
}
