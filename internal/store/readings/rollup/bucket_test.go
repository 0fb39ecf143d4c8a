package rollup

import (
	"math"
	"reflect"
	"testing"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
)

func TestStretchesBeginAtMultiplesOfTheirWidth(t *testing.T) {
	t.Parallel()
	begins := map[int64]int64{
		0: 0, 59_999: 0, 60_000: 60_000, -1: -60_000, -60_000: -60_000, -60_001: -120_000,
	}
	for at, want := range begins {
		if got := Begin(at, minute); got != want {
			t.Errorf("%d begins at %d, want %d", at, got, want)
		}
	}
}

func TestChunksAreSummarisedAsTheirValuesAre(t *testing.T) {
	t.Parallel()
	k := &chunk.Chunk{Times: []int64{1, 2, minute - 1, minute, 3 * minute}, Columns: []chunk.Column{
		{Slot: 0, Kind: domain.NumberValue, Numbers: []float64{5, 3, 4, 7, 9}},
		{Slot: 1, Kind: domain.BoolValue, Present: []bool{false, true, false, true, true}, Bools: []bool{true, false, true}},
		{Slot: 2, Kind: domain.TextValue, Texts: []string{"a", "b", "c", "d", "e"}},
	}}
	got, want := make(Buckets), make(Buckets)
	if !got.AddChunk(k, 2, 3*minute, minute) { // neither the first nor the last time
		t.Fatal("not added")
	}
	for _, v := range []float64{3, 4} {
		want.Add(0, 0, v)
	}
	want.Add(0, minute, 7)
	want.Add(1, 0, 1)
	want.Add(1, minute, 0)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	twice := &chunk.Chunk{Times: []int64{5 * minute}, Columns: []chunk.Column{
		{Slot: 0, Kind: domain.NumberValue, Numbers: []float64{1}},
		{Slot: 0, Kind: domain.BoolValue, Bools: []bool{true}},
	}}
	if got.AddChunk(twice, 0, 9*minute, minute) || !reflect.DeepEqual(got, want) {
		t.Errorf("added a series of two columns: %+v", got)
	}
}

func TestBucketsMergeIntoWiderOnes(t *testing.T) {
	t.Parallel()
	huge := math.MaxFloat64
	bs := Buckets{
		0: {bucketOf(0, 4, 2), bucketOf(1, 9), bucketOf(3, 1)},
		1: {bucketOf(0, huge), bucketOf(1, huge)},
	}
	want := Buckets{
		0: {{At: 0, Count: 3, First: 4, Last: 9, Min: 2, Max: 9, Sum: 15}, bucketOf(2, 1)},
		1: {{At: 0, Count: 2, First: huge, Last: huge, Min: huge, Max: huge, Sum: huge}},
	}
	if got := bs.Coarser(2 * minute); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBucketsAreRemovedAndJoinedInTheirOrder(t *testing.T) {
	t.Parallel()
	bs := Buckets{0: {bucketOf(0, 1), bucketOf(1, 2), bucketOf(2, 3)}, 1: {bucketOf(1, 4)}}
	bs.Without(minute, 2*minute)
	if want := (Buckets{0: {bucketOf(0, 1), bucketOf(2, 3)}}); !reflect.DeepEqual(bs, want) {
		t.Errorf("%+v, want %+v", bs, want)
	}
	bs.Join(Buckets{0: {bucketOf(1, 5), bucketOf(2, 6)}, 2: {bucketOf(4, 7)}})
	bs.Follow(Buckets{0: {bucketOf(8, 8)}})
	want := Buckets{
		0: {bucketOf(0, 1), bucketOf(1, 5), bucketOf(2, 3), bucketOf(2, 6), bucketOf(8, 8)},
		2: {bucketOf(4, 7)},
	}
	if !reflect.DeepEqual(bs, want) {
		t.Errorf("%+v, want %+v", bs, want)
	}
}
