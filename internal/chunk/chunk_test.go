package chunk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// sample is a chunk of n times with a column of every sort.
func sample(n int, random *rand.Rand) *Chunk {
	k := &Chunk{Mark: 4711, Times: make([]int64, n), Qualities: make([]byte, n)}
	sparse := make([]bool, n)
	temperature := Column{Slot: 0, Kind: domain.NumberValue}
	float := Column{Slot: 1, Kind: domain.NumberValue}
	relay := Column{Slot: 2, Kind: domain.BoolValue}
	mode := Column{Slot: 900, Kind: domain.TextValue, Present: sparse}
	at := int64(1_760_000_000_000)
	for i := range n {
		at += 10_000 + random.Int64N(30)
		k.Times[i], k.Qualities[i] = at, byte(i/100%4)
		temperature.Numbers = append(temperature.Numbers, math.Round(2000+random.NormFloat64()*3)/100)
		float.Numbers = append(float.Numbers, random.NormFloat64())
		relay.Bools = append(relay.Bools, i/50%2 == 0)
		if sparse[i] = i%7 == 0; sparse[i] {
			mode.Texts = append(mode.Texts, []string{"heat", "cool", "", "aus & an"}[i/7%4])
		}
	}
	k.Columns = []Column{temperature, float, relay, mode}
	return k
}

func TestWhatIsPackedComesBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var c Codec
	for _, n := range []int{0, 1, 2, 63, 64, 65, 512, MaxTimes} {
		want := sample(n, random)
		b := c.Pack(want)
		got, err := c.Unpack(b, nil)
		if err != nil {
			t.Fatalf("%d times: %v", n, err)
		}
		if n == 0 {
			if len(got.Times) != 0 || len(got.Columns) != 4 {
				t.Errorf("%+v", got)
			}
			continue
		}
		if n == 1 { // the only value is there: this needs no bits
			want.Columns[3].Present = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d times came back otherwise", n)
		}
		h, err := ReadHeader(b)
		if err != nil || h != (Header{n, want.Times[0], want.Times[n-1], 4711}) {
			t.Errorf("header %+v, %v", h, err)
		}
	}
}

func TestSomeColumnsAreUnpacked(t *testing.T) {
	t.Parallel()
	var c Codec
	want := sample(100, rand.New(rand.NewPCG(3, 4)))
	got, err := c.Unpack(c.Pack(want), func(slot uint32) bool { return slot == 2 })
	if err != nil || !reflect.DeepEqual(got.Columns, want.Columns[2:3]) || !reflect.DeepEqual(got.Times, want.Times) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNumbersComeBackToTheBit(t *testing.T) {
	t.Parallel()
	var c Codec
	for _, vs := range [][]float64{
		{0}, {math.Copysign(0, -1)}, {0, math.Copysign(0, -1), 1}, {1e-9}, {1e-10}, {21.37, 21.4, -3}, {0.1 + 0.2, 0.3},
		{math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64}, {1 << 53, 1<<53 + 2}, {-1 << 53, 1 << 53, -1 << 53},
		{9007199254740993, 0.5}, {1e22, 1e-5}, {5e-324, -5e-324}, {123456.789012345},
	} {
		times := make([]int64, len(vs))
		got, err := c.Unpack(c.Pack(&Chunk{Times: times,
			Columns: []Column{{Kind: domain.NumberValue, Numbers: vs}}}), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got.Columns[0].Numbers {
			if math.Float64bits(v) != math.Float64bits(vs[i]) {
				t.Errorf("%v came back as %v in %v", vs[i], v, vs)
			}
		}
	}
}

func TestTimesOfAnyOrderComeBack(t *testing.T) {
	t.Parallel()
	var c Codec
	for _, times := range [][]int64{{0, 0, 0}, {-5, 0, 5}, {math.MinInt64, 0, math.MaxInt64}, {1, 2, 2, 2, 9}} {
		got, err := c.Unpack(c.Pack(&Chunk{Times: times}), nil)
		if len(times) == 3 && times[0] == math.MinInt64 { // no length of time is that long
			if err == nil {
				t.Error("a chunk of all times was read")
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got.Times, times) {
			t.Errorf("%v came back as %+v, %v", times, got, err)
		}
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	t.Parallel()
	var c Codec
	b := c.Pack(sample(80, rand.New(rand.NewPCG(5, 6))))
	for i := range b {
		b[i] ^= 0x10
		if _, err := c.Unpack(b, nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		b[i] ^= 0x10
	}
	for n := range b {
		if _, err := c.Unpack(b[:n], nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

// TestSlowSensorsTakeLittle holds the size that the choice of this format rests on: five sensors
// each 10 s in an hour, with the noise of real ones, take less than 0.75 bytes a value.
func TestSlowSensorsTakeLittle(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	k := &Chunk{}
	cols := make([]Column, 5)
	at := int64(1_760_000_000_000)
	for i := range 360 {
		at += 10_000 + int64(random.NormFloat64()*0.7)
		k.Times = append(k.Times, at)
		wave := math.Sin(float64(i) / 1400)
		round := func(v, to float64) float64 { return math.Round(v*to) / to }
		cols[0].Numbers = append(cols[0].Numbers, round(21+wave+random.NormFloat64()*0.02, 10))
		cols[1].Numbers = append(cols[1].Numbers, round(55-wave+random.NormFloat64()*0.1, 10))
		cols[2].Numbers = append(cols[2].Numbers, round(1013+wave+random.NormFloat64()*0.04, 10))
		cols[3].Numbers = append(cols[3].Numbers, math.Round(600+wave*50+random.NormFloat64()*3))
		cols[4].Bools = append(cols[4].Bools, i/180 == 0)
	}
	for i := range cols {
		cols[i].Slot, cols[i].Kind = uint32(i), domain.NumberValue
	}
	cols[4].Kind = domain.BoolValue
	k.Columns = cols
	var c Codec
	if n := len(c.Pack(k)); float64(n)/(5*360) > 0.75 {
		t.Errorf("%d bytes for 1800 values", n)
	}
}

// sealed returns b with the checksum that it should have.
func sealed(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b[:len(b):len(b)], crc32.Checksum(b, castagnoli))
}

// FuzzUnpack holds that no bytes, with a right checksum, make Unpack crash or return what cannot
// be packed again.
func FuzzUnpack(f *testing.F) {
	var c Codec
	random := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{0, 1, 5, 100} {
		b := c.Pack(sample(n, random))
		f.Add(b[:len(b)-crcLength])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := c.Unpack(sealed(b), nil)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if n := len(k.Times); n > 0 && (k.Times[n-1] < k.Times[0]) {
			return // sorted by nobody
		}
		again, err := c.Unpack(c.Pack(k), nil)
		if err != nil {
			t.Fatalf("what was unpacked cannot be packed again: %v", err)
		}
		if len(again.Times) != len(k.Times) || len(again.Columns) != len(k.Columns) {
			t.Fatal("packed again, it is another chunk")
		}
	})
}

func BenchmarkPack(b *testing.B) {
	var c Codec
	k := sample(360, rand.New(rand.NewPCG(1, 2)))
	for b.Loop() {
		c.Pack(k)
	}
}

func BenchmarkUnpack(b *testing.B) {
	var c Codec
	body := c.Pack(sample(360, rand.New(rand.NewPCG(1, 2))))
	for b.Loop() {
		if _, err := c.Unpack(body, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func TestMemoryThatIsUsedAgainKeepsNothingOfWhatItHad(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	var c Codec
	var again Chunk
	for range 200 {
		packed := c.Pack(sample(1+random.IntN(600), random))
		if random.IntN(4) == 0 {
			packed = packed[:len(packed)-1-random.IntN(20)] // damaged
		}
		slot := uint32(random.IntN(4))
		want := func(s uint32) bool { return slot == 3 || s == slot }
		fresh, err := c.Unpack(packed, want)
		if errAgain := c.UnpackInto(&again, packed, want); (err == nil) != (errAgain == nil) {
			t.Fatalf("%v, and into the same memory %v", err, errAgain)
		}
		if err != nil {
			continue
		}
		got := Chunk{Mark: again.Mark, Times: again.Times, Qualities: again.Qualities, Columns: again.Columns}
		if len(got.Columns) == 0 {
			got.Columns = nil
		}
		if !reflect.DeepEqual(&got, fresh) {
			t.Fatalf("got %+v, want %+v", got, fresh)
		}
	}
}
