package readings

import (
	"cmp"
	"slices"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
)

// columnKey names a column of a chunk. A series whose values changed their kind has two.
type columnKey struct {
	slot uint32
	kind domain.ValueKind
}

// sortRecords sorts by time; those of one time stay in the order in which they came.
func sortRecords(rs []record) {
	byTime := func(a, b record) int { return cmp.Compare(a.at, b.at) }
	if !slices.IsSortedFunc(rs, byTime) { // parts that do not overlap are
		slices.SortStableFunc(rs, byTime)
	}
}

// pack packs sorted records into a chunk. Those without values are only of the journal.
func (repo *Repository) pack(rs []record, mark int64) []byte {
	k := chunk.Chunk{Mark: mark, Times: make([]int64, len(rs))}
	index := make(map[columnKey]int)
	for i, r := range rs {
		k.Times[i] = r.at
		if r.quality != domain.DeviceTime {
			if k.Qualities == nil {
				k.Qualities = make([]byte, len(rs))
			}
			k.Qualities[i] = byte(r.quality)
		}
		for _, v := range r.values {
			key := columnKey{v.slot, v.value.Kind}
			at, ok := index[key]
			if !ok {
				at = len(k.Columns)
				index[key] = at
				k.Columns = append(k.Columns, chunk.Column{Slot: v.slot, Kind: v.value.Kind,
					Present: make([]bool, len(rs))})
			}
			k.Columns[at].Present[i] = true
			k.Columns[at].Append(v.value)
		}
	}
	for i := range k.Columns {
		if c := &k.Columns[i]; c.Len() == len(rs) {
			c.Present = nil
		}
	}
	slices.SortFunc(k.Columns, func(a, b chunk.Column) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Kind, b.Kind))
	})
	return repo.codec.Pack(&k)
}

// unpack returns the records of a chunk, with the values of the slots that are wanted; nil: all.
func (repo *Repository) unpack(body []byte, want func(uint32) bool) ([]record, error) {
	k, err := repo.codec.Unpack(body, want)
	if err != nil {
		return nil, err
	}
	rs := make([]record, len(k.Times))
	values := make([]slotValue, len(k.Times)*len(k.Columns)) // one piece for all records
	for i, at := range k.Times {
		rs[i].at = at
		if k.Qualities != nil {
			rs[i].quality = domain.TimeQuality(k.Qualities[i])
		}
		from := i * len(k.Columns)
		rs[i].values = values[from : from : from+len(k.Columns)]
	}
	for _, c := range k.Columns {
		n := 0
		for i := range rs {
			if c.Present != nil && !c.Present[i] {
				continue
			}
			rs[i].values = append(rs[i].values, slotValue{c.Slot, c.At(n)})
			n++
		}
	}
	return rs, nil
}
