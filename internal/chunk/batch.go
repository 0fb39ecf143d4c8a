package chunk

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Batch is what a device measured at several times, as it sends it: columns in a map of CBOR (RFC 8949).
// docs/packed.md describes it byte by byte.
type Batch struct {
	Boot    *uint64  // with First: the numbers of the reports count within it
	First   *uint32  // number of the first report; each further one has the next
	Times   []int64  // milliseconds since 1970, or with Uptime since the boot
	Uptime  bool     // what Times are
	Sent    *int64   // uptime when the batch was sent
	Anchors []Anchor // of the boot
	Old     bool     // it was buffered
	Names   []string // of the series: a column's slot is an index of it
	Units   []string // likewise; may be shorter
	Columns []Column // ascending by their slots
}

// An Anchor says that a device's clock was right: when its uptime was that, it was this time.
type Anchor struct {
	_      struct{} `cbor:",toarray"`
	Uptime int64    // milliseconds
	Unix   int64    // milliseconds since 1970
}

// batchMap is the CBOR of a batch.
type batchMap struct {
	Boot    *uint64  `cbor:"1,keyasint,omitempty"`
	First   *uint32  `cbor:"2,keyasint,omitempty"`
	Count   int      `cbor:"3,keyasint"`
	Names   []string `cbor:"4,keyasint"`
	Columns []byte   `cbor:"5,keyasint"` // the times, then each column
	Deflate bool     `cbor:"6,keyasint,omitempty"`
	Units   []string `cbor:"7,keyasint,omitempty"`
	Old     bool     `cbor:"8,keyasint,omitempty"`
	Uptime  bool     `cbor:"9,keyasint,omitempty"`
	Sent    *int64   `cbor:"10,keyasint,omitempty"`
	Anchors []Anchor `cbor:"11,keyasint,omitempty"`
}

// Limits of a batch.
const (
	MaxAnchors   = 64
	maxBatch     = domain.MaxReadings // reports, and values
	maxInflating = 1 << 20            // bytes of columns
	maxTime      = 1 << 53            // milliseconds, either way
)

// ErrBatch is the error for what is no batch.
var ErrBatch = errors.New("this is no packed batch")

func noBatch(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBatch}, args...)...)
}

// PackBatch returns a batch as bytes, deflated (RFC 1951) if that is shorter. It panics as Pack does.
func PackBatch(b *Batch) ([]byte, error) {
	columns := appendTimes(nil, b.Times)
	for i := range b.Columns {
		columns = appendColumn(columns, &b.Columns[i], len(b.Times))
	}
	m := batchMap{Boot: b.Boot, First: b.First, Count: len(b.Times), Names: b.Names, Columns: columns, Units: b.Units,
		Old: b.Old, Uptime: b.Uptime, Sent: b.Sent, Anchors: b.Anchors}
	var short bytes.Buffer
	w, err := flate.NewWriter(&short, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(columns); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if short.Len() < len(columns) {
		m.Columns, m.Deflate = short.Bytes(), true
	}
	return cbor.Marshal(m)
}

// UnpackBatch reads a batch. It allocates no more than a batch may have.
func UnpackBatch(body []byte) (*Batch, error) {
	mode, err := cbor.DecOptions{MaxArrayElements: domain.MaxReadings, MaxMapPairs: 32, MaxNestedLevels: 4,
		DupMapKey: cbor.DupMapKeyEnforcedAPF, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil {
		return nil, err
	}
	var m batchMap
	if err := mode.Unmarshal(body, &m); err != nil {
		return nil, notTheMap(err)
	}
	if m.Count < 1 || m.Count > maxBatch || len(m.Names) > domain.MaxSensors || len(m.Units) > len(m.Names) ||
		len(m.Anchors) > MaxAnchors {
		return nil, noBatch("it has no reports, or more than %d, %d series or %d anchors", maxBatch, domain.MaxSensors,
			MaxAnchors)
	}
	if m.First != nil && (m.Boot == nil || int64(*m.First)+int64(m.Count)-1 > math.MaxUint32) {
		return nil, noBatch("the number of the first report is without a boot, or too large")
	}
	if m.Columns, err = inflated(&m); err != nil {
		return nil, err
	}
	b := &Batch{Boot: m.Boot, First: m.First, Uptime: m.Uptime, Sent: m.Sent, Anchors: m.Anchors, Old: m.Old,
		Names: m.Names, Units: m.Units}
	return b, b.readColumns(m.Columns, m.Count)
}

// notTheMap says what is wrong with the map of a batch, by its keys.
func notTheMap(err error) error {
	var kind *cbor.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return noBatch("%v", err)
	}
	if i := strings.LastIndexByte(kind.StructFieldName, '.'); i >= 0 {
		return noBatch("key %s must not be of the CBOR type %s", kind.StructFieldName[i+1:], kind.CBORType)
	}
	return noBatch("it is of the CBOR type %s, or something in it is, where that must not be", kind.CBORType)
}

func inflated(m *batchMap) ([]byte, error) {
	if !m.Deflate {
		return m.Columns, nil
	}
	r := flate.NewReader(bytes.NewReader(m.Columns))
	columns, err := io.ReadAll(io.LimitReader(r, maxInflating+1))
	if err != nil || len(columns) > maxInflating {
		return nil, noBatch("its columns are not deflated, or have more than %d bytes", maxInflating)
	}
	return columns, nil
}

// readColumns reads the times and the columns.
func (b *Batch) readColumns(columns []byte, count int) error {
	r := reader{b: columns}
	b.Times = r.times(count, nil)
	tooFar := func(t int64) bool { return t < -maxTime || t > maxTime }
	if r.bad || slices.ContainsFunc(b.Times, tooFar) {
		return noBatch("its times are cut off or too far away")
	}
	values := 0
	for len(r.b) > 0 {
		c, n, _ := r.column(count, nil, nil)
		if r.bad {
			return noBatch("column %d is cut off, or not of a known kind", len(b.Columns))
		}
		if int64(c.Slot) >= int64(len(b.Names)) {
			return noBatch("column %d is of series %d, which has no name", len(b.Columns), c.Slot)
		}
		if values += n; values > maxBatch {
			return noBatch("it has more than %d values", maxBatch)
		}
		b.Columns = append(b.Columns, c)
	}
	return nil
}
