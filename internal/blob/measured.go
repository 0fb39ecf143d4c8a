package blob

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

// Measured returns objects that count what is done with o, and registers the counters.
func Measured(o Objects, reg prometheus.Registerer) Objects {
	m := measured{
		Objects: o,
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "blob_operations_total",
			Help: "Operations on the storage of files, by operation (put, get, delete) and result (ok, missing, failed)."},
			[]string{"operation", "result"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "blob_stored_bytes_total",
			Help: "Bytes of files that this node has stored."}),
	}
	for _, operation := range []string{"put", "get", "delete"} {
		for _, result := range []string{"ok", "failed"} {
			m.operations.WithLabelValues(operation, result) // so that it is there before the first
		}
	}
	reg.MustRegister(m.operations, m.bytes)
	if files, ok := o.(Opener); ok {
		return measuredFiles{m, files}
	}
	if links, ok := o.(Presigner); ok {
		return measuredLinks{m, links}
	}
	return m
}

// measuredFiles are measured objects that are files.
type measuredFiles struct {
	measured
	files Opener
}

func (m measuredFiles) OpenObject(name string) (*os.File, error) {
	f, err := m.files.OpenObject(name)
	m.count("get", err)
	return f, err
}

// measuredLinks are measured objects that others can load. What they load is not counted.
type measuredLinks struct {
	measured
	Presigner
}

type measured struct {
	Objects
	operations *prometheus.CounterVec
	bytes      prometheus.Counter
}

// count counts an operation. One that its caller gave up is not counted.
func (m measured) count(operation string, err error) {
	switch {
	case err == nil:
		m.operations.WithLabelValues(operation, "ok").Inc()
	case domain.KindOf(err) == domain.NotFound:
		m.operations.WithLabelValues(operation, "missing").Inc()
	case !errors.Is(err, context.Canceled):
		m.operations.WithLabelValues(operation, "failed").Inc()
	}
}

func (m measured) Put(ctx context.Context, name string, f *os.File, size int64) error {
	err := m.Objects.Put(ctx, name, f, size)
	m.count("put", err)
	if err == nil {
		m.bytes.Add(float64(size))
	}
	return err
}

func (m measured) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	r, err := m.Objects.Get(ctx, name, offset, length)
	m.count("get", err)
	return r, err
}

func (m measured) Delete(ctx context.Context, name string) error {
	err := m.Objects.Delete(ctx, name)
	m.count("delete", err)
	return err
}
