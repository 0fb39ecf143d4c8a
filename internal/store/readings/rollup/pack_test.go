package rollup

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/unhidra/unhidra/internal/chunk"
)

const minute = 60_000 // milliseconds

// bucketOf summarises values of a minute. Its sum is rounded, as it is after it was packed.
func bucketOf(at int64, vs ...float64) Bucket {
	b := Bucket{At: at * minute}
	for _, v := range vs {
		b.add(v)
	}
	b.Sum = Round(b.Sum)
	return b
}

func TestBucketsComeBackAsTheyWerePacked(t *testing.T) {
	t.Parallel()
	var codec chunk.Codec
	bs := Buckets{
		0: {bucketOf(0, 21.31, 21.28, 21.33), bucketOf(1, 21.3), bucketOf(3, -0.1, 0.2)},
		2: {bucketOf(0, 1e300, -1e300), bucketOf(1, math.MaxFloat64, math.MaxFloat64), bucketOf(2, math.Pi, math.E)},
		3: {bucketOf(2, math.Copysign(0, -1))},
		4: {bucketOf(0, 1<<60, 1<<60+512), bucketOf(1, 0.000000001, 1e-300)},
		7: {bucketOf(0, 0, 1, 1), bucketOf(1, 0, 0)},
	}
	got, err := Unpack(&codec, bs.Pack(&codec), nil)
	if err != nil || len(got) != len(bs) {
		t.Fatal(got, err)
	}
	for slot, want := range bs {
		for i, w := range want {
			g := got[slot][i]
			for j, x := range []float64{g.First, g.Last, g.Min, g.Max, g.Sum} {
				y := []float64{w.First, w.Last, w.Min, w.Max, w.Sum}[j]
				if math.Float64bits(x) != math.Float64bits(y) || g.Count != w.Count || g.At != w.At {
					t.Errorf("slot %d: %+v, want %+v", slot, g, w)
				}
			}
		}
	}
}

// The bodies that databases have must be read for as long as these exist.
func TestStoredBucketsAreRead(t *testing.T) {
	t.Parallel()
	decimals := []Bucket{bucketOf(1, 21.5, 21, 22), bucketOf(2, 21.25)}
	for name, c := range map[string]struct {
		body string
		want Buckets
		same bool // whether Pack writes these bytes: they depend on no compression
	}{
		"over the least value": {"010002c0a907e0d403020c4fc0a907000000010002060303010203e82032060101020a09070100020201080100" +
			"020201090101021e1d200180020204230180020201260180030200002701800202082801800202082901800202083bd6a561",
			Buckets{0: decimals, 2: {bucketOf(2, -1, 3)}}, true},
		"no short numbers": {"010101c0a9070002064128b52ffd0000a50100b402c0a9071001000104130120084005bf0a8b14576911012008" +
			"400921fb54442d18121415010905e4dab4d42b021404082bb24f6759f2c2",
			Buckets{1: {bucketOf(1, math.Pi, math.E)}}, false},
		"of older programs": {"010002c0a907e0d403000631c0a907000000010002060301010203cc213102010204b022950103010203e82032" +
			"04010204b022950105010204e464c943e6a1f1ed",
			Buckets{0: decimals}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var codec chunk.Codec
			body, err := hex.DecodeString(c.body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Unpack(&codec, body, nil)
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
			if packed := hex.EncodeToString(c.want.Pack(&codec)); c.same && packed != c.body {
				t.Errorf("packed as %s", packed)
			}
		})
	}
}

func TestOnlyWantedSlotsAreUnpacked(t *testing.T) {
	t.Parallel()
	var codec chunk.Codec
	bs := Buckets{1: {bucketOf(1, 1)}, 2: {bucketOf(1, 2), bucketOf(3, 4)}}
	got, err := Unpack(&codec, bs.Pack(&codec), func(slot uint32) bool { return slot == 2 })
	if want := (Buckets{2: bs[2]}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := Unpack(&codec, []byte("no body"), nil); !errors.Is(err, chunk.ErrDamaged) {
		t.Error(err)
	}
}
