package chunk

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/unhidra/unhidra/internal/domain"
)

func ptr[T any](v T) *T { return &v }

// greenhouse is the example of docs/packed.md.
func greenhouse() *Batch {
	return &Batch{Boot: ptr(uint64(7)), First: ptr(uint32(40)), Times: []int64{60000, 70000, 80000, 90001}, Uptime: true,
		Sent: ptr(int64(95000)), Names: []string{"temperature", "relay"}, Units: []string{"Cel"},
		Columns: []Column{
			{Slot: 0, Kind: domain.NumberValue, Numbers: []float64{21.4, 21.4, 21.5, 21.3}},
			{Slot: 1, Kind: domain.BoolValue, Present: []bool{true, false, true, true}, Bools: []bool{false, true, true}},
		}}
}

// greenhouseHex are the bytes that docs/packed.md explains.
const greenhouseHex = "a80107021828030404826b74656d70657261747572656572656c617905581d" +
	"c0a9079f8d06000002" + "00010106ac0300000203" + "010280060d0000020000" + "07816343656c09f50a1a00017318"

func TestABatchIsAsDocumented(t *testing.T) {
	t.Parallel()
	body, err := PackBatch(greenhouse())
	if err != nil {
		t.Fatal(err)
	}
	if h := hex.EncodeToString(body); h != greenhouseHex {
		t.Errorf("packed as %s", h)
	}
	got, err := UnpackBatch(body)
	if err != nil || !reflect.DeepEqual(got, greenhouse()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestABatchThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	many := greenhouse()
	many.Times = make([]int64, domain.MaxReadings+1)
	many.Columns = nil
	tooMany, err := PackBatch(many)
	if err != nil {
		t.Fatal(err)
	}
	bomb, _ := PackBatch(&Batch{Times: make([]int64, domain.MaxReadings), Names: []string{"a"}, Columns: []Column{
		{Kind: domain.BoolValue, Bools: make([]bool, domain.MaxReadings)},
		{Kind: domain.BoolValue, Bools: make([]bool, domain.MaxReadings)}}})
	long, _ := cbor.Marshal(batchMap{Count: 1, Columns: []byte(strings.Repeat("\x00", 10)), Deflate: true})
	far, _ := cbor.Marshal(batchMap{Count: 1, Columns: appendTimes(nil, []int64{1 << 60})})
	numbered, _ := cbor.Marshal(batchMap{Count: 2, First: ptr(uint32(1<<32 - 1)), Boot: ptr(uint64(1))})
	nameless, _ := PackBatch(&Batch{Times: []int64{1},
		Columns: []Column{{Slot: 3, Numbers: []float64{1}, Kind: domain.NumberValue}}})
	for name, body := range map[string][]byte{
		"nothing": nil, "no map": {0x80}, "other keys": {0xa1, 0x18, 0x63, 0x01}, "text": []byte("{}"), "too many": tooMany,
		"many values in few bytes": bomb, "not deflated": long, "far times": far, "numbers run over": numbered,
		"no name": nameless,
	} {
		if _, err := UnpackBatch(body); !errors.Is(err, ErrBatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole, _ := PackBatch(greenhouse())
	for n := range whole {
		if _, err := UnpackBatch(whole[:n]); err == nil {
			t.Errorf("cut off after %d bytes, it was taken", n)
		}
	}
}

func FuzzUnpackBatch(f *testing.F) {
	body, _ := PackBatch(greenhouse())
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := UnpackBatch(body)
		if err != nil {
			return
		}
		for _, c := range b.Columns {
			n := 0
			for i := range b.Times {
				if c.Present == nil || c.Present[i] {
					c.At(n)
					n++
				}
			}
		}
	})
}
