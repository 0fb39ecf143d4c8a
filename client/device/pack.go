package device

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	packFrom    = 8 // reports; fewer are not worth packing
	packReports = 1000
	packBytes   = 512 << 10 // of their JSON, of which some 5 % are left
)

// pack packs the first n of reports that can be sent together; 0: they are too few, or cannot be packed.
func pack(boot uint64, items []wire.ReportItem) (packed string, n int) {
	values := 0
	for n < len(items) && items[n].Old == items[0].Old && *items[n].Seq == *items[0].Seq+uint32(n) {
		if values += len(items[n].Readings); values > domain.MaxReadings {
			break
		}
		n++
	}
	for ; n >= packFrom; n /= 2 { // fewer, if that is too much for a frame
		b, ok := batchOf(boot, items[:n])
		if !ok {
			return "", 0
		}
		body, err := chunk.PackBatch(b)
		if err != nil {
			return "", 0
		}
		if packed = base64.StdEncoding.EncodeToString(body); len(packed) <= maxReport {
			return packed, n
		}
	}
	return "", 0
}

// batchOf returns reports as a batch; ok is false if one has a value of no kind, or too many sensors.
func batchOf(boot uint64, items []wire.ReportItem) (b *chunk.Batch, ok bool) {
	b = &chunk.Batch{Boot: &boot, First: items[0].Seq, Old: items[0].Old, Times: make([]int64, len(items))}
	type column struct {
		name string
		kind domain.ValueKind
	}
	columns := make(map[column]*chunk.Column)
	for i, item := range items {
		b.Times[i] = item.At.UnixMilli()
		for _, name := range slices.Sorted(maps.Keys(item.Readings)) {
			v, has, ok := valueOf(item.Readings[name])
			if !ok {
				return nil, false
			}
			if !has {
				continue
			}
			c := columns[column{name, v.Kind}]
			if c == nil {
				if !slices.Contains(b.Names, name) {
					b.Names = append(b.Names, name)
				}
				c = &chunk.Column{Slot: uint32(slices.Index(b.Names, name)), Kind: v.Kind, Present: make([]bool, len(items))}
				columns[column{name, v.Kind}] = c
			}
			c.Present[i] = true
			c.Append(v)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(columns), func(x, y column) int {
		return int(columns[x].Slot) - int(columns[y].Slot)
	}) {
		b.Columns = append(b.Columns, *columns[key])
	}
	return b, len(b.Names) <= domain.MaxSensors
}

// valueOf reads a value; has is false for null, and ok for what is no value.
func valueOf(raw json.RawMessage) (v domain.Value, has, ok bool) {
	var of any
	if json.Unmarshal(raw, &of) != nil {
		return v, false, false
	}
	switch of := of.(type) {
	case nil:
		return v, false, true
	case float64:
		return domain.Number(of), true, true
	case bool:
		return domain.Bool(of), true, true
	case string:
		return domain.Text(of), true, true
	}
	return v, false, false
}
