package ml

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A goldenFrame is a message and its bytes. The tests of the Python package read the same file.
type goldenFrame struct {
	Name   string `json:"name"`
	Kind   byte   `json:"kind"`
	ID     uint64 `json:"id"`
	Budget int64  `json:"budget_ms"`
	Body   any    `json:"body"` // {"bytes": hex} stands for bytes
	Hex    string `json:"hex"`
}

func goldenFrames(tb testing.TB) []goldenFrame {
	tb.Helper()
	b, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		tb.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var frames []goldenFrame
	if err := d.Decode(&frames); err != nil {
		tb.Fatal(err)
	}
	return frames
}

// plain returns what JSON holds as frames carry it.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		items := make([]any, 0, len(v))
		for _, item := range v {
			items = append(items, plain(item))
		}
		return items
	case map[string]any:
		if text, ok := v["bytes"].(string); ok && len(v) == 1 {
			b, _ := hex.DecodeString(text)
			return b
		}
		entries := map[string]any{}
		for key, item := range v {
			entries[key] = plain(item)
		}
		return entries
	}
	return v
}

// appendMessage appends the frames of m.
func appendMessage(b []byte, m message) ([]byte, error) {
	parts, err := m.frames()
	return append(b, bytes.Join(parts, nil)...), err
}

func TestGoldenFrames(t *testing.T) {
	t.Parallel()
	for _, g := range goldenFrames(t) {
		m := message{kind: g.Kind, id: g.ID, budget: time.Duration(g.Budget) * time.Millisecond, body: plain(g.Body)}
		b, err := appendMessage(nil, m)
		must(t, err)
		if got := hex.EncodeToString(b); got != g.Hex {
			t.Errorf("%s: %s, want %s", g.Name, got, g.Hex)
		}
		back, err := readMessage(bytes.NewReader(b), maxMessage)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%s: read back as %v, %v", g.Name, back, err)
		}
	}
}

func TestALongMessageIsSentInChunks(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	b, err := appendMessage(nil, message{kind: frameRequest, id: 9, body: body})
	must(t, err)
	if n := bytes.Count(b, []byte{'M', 'L', frameVersion, frameRequest}); n != 4 {
		t.Errorf("%d frames", n)
	}
	back, err := readMessage(bytes.NewReader(b), maxMessage)
	if got, _ := back.body.([]byte); err != nil || !bytes.Equal(got, body) {
		t.Errorf("read back %d bytes: %v", len(got), err)
	}
	if _, err := appendMessage(nil, message{body: make([]byte, maxMessage)}); err == nil {
		t.Error("sent more than the bound")
	}
}

// floatBytes are size bytes of FP32, none of which is infinite.
func floatBytes(size int) []byte {
	data := make([]byte, 0, size)
	for i := range size / 4 {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)/7))
	}
	return data
}

// What takes long with large tensors is done without copies of them.
func TestLargeTensorsAreNotCopied(t *testing.T) {
	data := floatBytes(1_000_000)
	tensor := Tensor{Name: "x", Type: "FP32", Shape: []int64{int64(len(data) / 4)}, Data: data}
	request := message{kind: frameRequest, id: 1, body: map[string]any{"items": []any{packTensors([]Tensor{tensor})}}}
	for name, do := range map[string]func() error{
		"check": tensor.Check, "send": func() error { _, err := request.frames(); return err },
	} {
		must(t, do())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			must(t, do())
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / 100; each > uint64(len(data)/4) {
			t.Errorf("%s takes %d bytes", name, each)
		}
	}
}

func TestNumbersThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, f := range []float64{0, -1.5, math.MaxFloat32, math.NaN(), math.Inf(1), math.Inf(-1)} {
		for kind, data := range map[string][]byte{
			"FP32": binary.LittleEndian.AppendUint32(make([]byte, 8), math.Float32bits(float32(f))),
			"FP64": binary.LittleEndian.AppendUint64(make([]byte, 16), math.Float64bits(f)),
		} {
			err := Tensor{Name: "x", Type: kind, Shape: []int64{3}, Data: data}.Check()
			if none := math.IsNaN(f) || math.IsInf(f, 0); none != errors.Is(err, errTensor) {
				t.Errorf("%v as %s: %v", f, kind, err)
			}
		}
	}
}

func TestWhatIsReadIsBounded(t *testing.T) {
	t.Parallel()
	small := map[string]byte{"empty maps": 0x80, "empty arrays": 0x90, "empty texts": 0xa0, "nothing": 0xc0}
	for name, item := range small {
		b := binary.BigEndian.AppendUint32([]byte{0xdd}, maxValues)
		if _, err := unpack(append(b, bytes.Repeat([]byte{item}, maxValues)...)); !errors.Is(err, errPacked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tensors := slices.Repeat([]Tensor{{Name: "y", Type: "FP32", Shape: []int64{1, 1, 1, 1}, Data: make([]byte, 4)}}, 64)
	items := slices.Repeat([]any{map[string]any{"outputs": packTensors(tensors)}}, 1024)
	largest, err := appendMessage(nil, message{kind: frameResponse, body: map[string]any{"items": items}})
	must(t, err)
	if _, err := readMessage(bytes.NewReader(largest), maxMessage); err != nil {
		t.Errorf("the largest answer: %v", err)
	}
	for size, want := range map[int]error{maxControl: errFrame, maxControl - 5: nil} { // 5: the length
		b, err := appendMessage(nil, message{kind: frameError, body: make([]byte, size)})
		must(t, err)
		if _, err := readMessage(bytes.NewReader(b), maxControl); !errors.Is(err, want) {
			t.Errorf("%d bytes on control: %v, want %v", size, err, want)
		}
	}
}

// Whatever fits by packedSize fits into a message, in a batch as well.
func TestPackedSizeIsNotBelowWhatIsSent(t *testing.T) {
	t.Parallel()
	var items []any
	size := 0
	for n := range 64 {
		var tensors []Tensor
		for i := range n {
			tensors = append(tensors, Tensor{Name: strings.Repeat("n", i*5), Type: "UINT64", Data: make([]byte, i*i*i),
				Shape: slices.Repeat([]int64{maxElements}, i%9)})
		}
		if got := len(pack(nil, packTensors(tensors))); got > packedSize(tensors) {
			t.Errorf("%d tensors take %d bytes, not %d", n, got, packedSize(tensors))
		}
		items, size = append(items, packTensors(tensors)), size+packedSize(tensors)
	}
	if got := len(pack(nil, map[string]any{"items": items})); got > size+maxMessage-maxBatch {
		t.Errorf("a batch takes %d bytes, not %d", got, size)
	}
}

func TestFramesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	good, err := appendMessage(nil, message{kind: framePing, id: 1})
	must(t, err)
	for name, change := range map[string]func([]byte){
		"magic": func(b []byte) { b[0] = 'X' }, "version": func(b []byte) { b[2] = 2 },
		"flags": func(b []byte) { b[5] |= 4 }, "codec": func(b []byte) { b[6] = 2 },
		"extension": func(b []byte) { b[7] = 28 }, "chunk": func(b []byte) { b[19] = 1 },
		"length": func(b []byte) { b[24] = 0xff }, "compressed": func(b []byte) { b[31] = 1 },
		"value": func(b []byte) { b[32] = 0xc1 },
	} {
		b := bytes.Clone(good)
		change(b)
		if _, err := readMessage(bytes.NewReader(b), maxMessage); !errors.Is(err, errFrame) && !errors.Is(err, errPacked) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readMessage(bytes.NewReader(good[:20]), maxMessage); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a frame: %v", err)
	}
	deep := append(bytes.Repeat([]byte{0x91}, maxDepth+1), 0xc0)
	for name, b := range map[string][]byte{
		"nesting": deep, "twice": {0x82, 0xa1, 'a', 1, 0xa1, 'a', 2}, "key": {0x81, 1, 2}, "text": {0xa1, 0xff},
		"more": {1, 2}, "huge array": {0xdd, 0xff, 0xff, 0xff, 0xff}, "huge bytes": {0xc6, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := unpack(b); !errors.Is(err, errPacked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzReadMessage reads whatever a worker may send: no panic, no more memory than the bound, and what is
// read is written and read again the same.
func FuzzReadMessage(f *testing.F) {
	for _, g := range goldenFrames(f) {
		b, _ := hex.DecodeString(g.Hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bytes.NewReader(b), maxMessage)
		if err != nil {
			return
		}
		again, err := appendMessage(nil, m)
		must(t, err)
		back, err := readMessage(bytes.NewReader(again), maxMessage)
		if err != nil {
			t.Fatal(err)
		}
		if x, y := pack(nil, back.body), pack(nil, m.body); !bytes.Equal(x, y) {
			t.Errorf("%x was read again as %x", y, x)
		}
		if fields, ok := m.body.(map[string]any); ok {
			_, _ = unpackTensors(fields["outputs"])
			_ = messageOf(fields["error"])
		}
	})
}

func FuzzTOML(f *testing.F) {
	f.Add("a = 1\n[b]\nc = [\"x\", true]\n[[d]]\n\"e.f\" = -2 # end")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = readTOML(strings.NewReader(text)) })
}
