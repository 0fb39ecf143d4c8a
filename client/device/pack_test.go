package device

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/wire"
)

// measured are n reports, 10 s apart.
func measured(n int) (items []wire.ReportItem) {
	for i := range n {
		item := wire.ReportItem{Seq: new(uint32(40 + i)), At: time.UnixMilli(1_760_000_000_000 + int64(i)*10_000),
			Readings: map[string]json.RawMessage{"air": json.RawMessage(fmt.Sprintf("%.1f", 20+float64(i%7)/10))}}
		if i%3 == 0 {
			item.Readings["mode"] = json.RawMessage(`"heat"`)
			item.Readings["relay"] = json.RawMessage("null")
		}
		items = append(items, item)
	}
	return items
}

func TestManyReportsArePackedAsTheyAre(t *testing.T) {
	t.Parallel()
	items := measured(500)
	items[400].Old = true // another batch begins
	packed, n := pack(7, items)
	if n != 400 || len(packed) > 2000 {
		t.Fatalf("%d reports in %d bytes", n, len(packed))
	}
	body, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	b, err := chunk.UnpackBatch(body)
	if err != nil || *b.Boot != 7 || *b.First != 40 || len(b.Times) != 400 || fmt.Sprint(b.Names) != "[air mode]" {
		t.Fatalf("%+v, %v", b, err)
	}
	for i, at := range b.Times {
		if at != items[i].At.UnixMilli() || fmt.Sprintf("%.1f",
			b.Columns[0].Numbers[i]) != string(items[i].Readings["air"]) ||
			b.Columns[1].Present[i] != (i%3 == 0) {
			t.Errorf("report %d came back otherwise", i)
		}
	}
}

func TestWhatCannotBePackedIsSentAsItIs(t *testing.T) {
	t.Parallel()
	few, gap, list := measured(packFrom-1), measured(20), measured(20)
	gap[5].Seq = new(uint32(99))
	list[19].Readings["air"] = json.RawMessage("[1]")
	for name, items := range map[string][]wire.ReportItem{"few": few, "a gap": gap, "a list": list, "none": nil} {
		if _, n := pack(7, items); n != 0 {
			t.Errorf("%s: %d are packed", name, n)
		}
	}
}
