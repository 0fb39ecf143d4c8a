package delta

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/espimage/imagetest"
)

func image(version string, code []byte) []byte {
	return imagetest.Build(imagetest.App{ChipID: 5, Project: "greenhouse", Version: version, Code: code})
}

// changed is code with something inserted, and with every 50th address after it moved.
func changed(code []byte) []byte {
	cut := len(code) / 3 &^ 3
	b := append(append(bytes.Clone(code[:cut]), imagetest.Code(240, 9)...), code[cut:]...)
	for i := cut + 240; i < len(b); i += 200 {
		b[i]++
	}
	return b
}

func apply(base, patch []byte) ([]byte, error) {
	var out bytes.Buffer
	err := Apply(bytes.NewReader(base), int64(len(base)), bytes.NewReader(patch), &out)
	return out.Bytes(), err
}

func TestAPatchMakesTheImage(t *testing.T) {
	t.Parallel()
	code := imagetest.Code(200_000, 1)
	base, target := image("1.0", code), image("1.1", changed(code))
	patch, err := Create(t.Context(), base, target, [32]byte{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(patch) > len(target)/15 {
		t.Errorf("the patch has %d bytes of %d", len(patch), len(target))
	}
	if id, err := Base(patch); err != nil || id != [32]byte{1, 2} {
		t.Errorf("%x, %v", id, err)
	}
	got, err := apply(base, patch)
	if err != nil || !bytes.Equal(got, target) {
		t.Errorf("made %d bytes, %v", len(got), err)
	}
	if same, err := Create(t.Context(), base, base, [32]byte{}); err != nil || len(same) > len(base)/50 {
		t.Errorf("an image out of itself: %d bytes, %v", len(same), err)
	}
}

// example is the example of docs/firmware-signing.md.
var (
	exampleBase   = []byte("The greenhouse is at 21 degrees.\n")
	exampleTarget = []byte("The greenhouse is at 19 degrees now.\n")
	exampleHex    = "10decdfc" + strings.Repeat("00", 60) + "04" + "25" + "44"
)

func TestTheExampleInTheDocumentationIsRight(t *testing.T) {
	t.Parallel()
	patch, err := Create(t.Context(), exampleBase, exampleTarget, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	got := hex.EncodeToString(patch)
	if !strings.HasPrefix(got, exampleHex) {
		t.Errorf("%s, want %s...", got, exampleHex)
	}
	page, err := os.ReadFile("../../docs/firmware-signing.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, []byte(got[2*headerSize:])) {
		t.Errorf("the page does not have %s", got[2*headerSize:])
	}
}

func TestWhatIsNoPatchIsRefused(t *testing.T) {
	t.Parallel()
	code := imagetest.Code(5000, 1)
	base, target := image("1.0", code), image("1.1", changed(code))
	patch, err := Create(t.Context(), base, target, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	// The last byte may have nothing but the bits that fill it up.
	for n := range len(patch) - 1 {
		if _, err := apply(base, patch[:n]); !errors.Is(err, ErrPatch) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
	}
	if _, err := apply(base[:1000], patch); !errors.Is(err, ErrPatch) {
		t.Errorf("of another base: %v", err)
	}
	records := func(size int64, numbers ...int64) []byte {
		b := appendVarint(append(bytes.Clone(patch[:headerSize]), sequential), size)
		var stream []byte
		for _, n := range numbers {
			stream = appendVarint(stream, n)
		}
		return compress(b, stream)
	}
	for name, b := range map[string][]byte{
		"another header":           append([]byte{1}, patch[1:]...),
		"another compression":      append(bytes.Clone(patch[:headerSize]), 0x02, 0x01, 0x44),
		"a window that is too big": append(bytes.Clone(patch[:headerSize]), sequential, 0x01, 0xC4),
		"no lookahead":             append(bytes.Clone(patch[:headerSize]), sequential, 0x01, 0x09),
		"a huge number":            append(bytes.Clone(patch[:headerSize]), sequential, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"a negative size":          records(-5, 0),
		"a data format":            records(5, 1),
		"too much out of the base": records(5, 0, 6),
		"a negative part":          records(5, 0, -1),
		"beyond the base":          records(1<<20, 0, 1<<19),
		"before the base":          records(5, 0, 0, 0, -1),
		"far away":                 records(5, 0, 0, 0, 1<<20),
		"too much that is new":     records(5, 0, 0, 6),
	} {
		if _, err := apply(base, b); !errors.Is(err, ErrPatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImagesThatDifferTooMuchHaveNoPatch(t *testing.T) {
	t.Parallel()
	a, b := imagetest.Code(100_000, 1), imagetest.Code(100_000, 2)
	for i := range b {
		b[i] ^= byte(i * i >> 3)
	}
	if _, err := Create(t.Context(), a, b, [32]byte{}); !errors.Is(err, ErrDifferent) {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Create(stopped, a, b, [32]byte{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, size := range []int{0, MaxImage + 1} {
		if _, err := Create(t.Context(), make([]byte, size), a, [32]byte{}); err == nil {
			t.Errorf("a base of %d bytes was taken", size)
		}
	}
}

func TestWhatIsCompressedComesBack(t *testing.T) {
	t.Parallel()
	code := imagetest.Code(70_000, 3)
	for _, b := range [][]byte{nil, {1}, code, bytes.Repeat([]byte{0}, 300_000), bytes.Repeat([]byte("abc"), 50_000),
		append(bytes.Clone(code[:300]), code[:200]...)} {
		d, err := newDecoder(&byteReader{r: bytes.NewReader(compress(nil, b))})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.LimitReader(d, int64(len(b))))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes became %d, %v", len(b), len(got), err)
		}
	}
}

func TestNumbersAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, 1, 63, 64, -1, -63, -64, 8191, 8192, 1 << 30, -1 << 30} {
		got, err := readVarint(bytes.NewReader(appendVarint(nil, n)))
		if err != nil || got != n {
			t.Errorf("%d became %d, %v", n, got, err)
		}
	}
}

// Whatever a device is sent, it makes no more than the patch says, and reads nothing outside the base.
func FuzzApply(f *testing.F) {
	base := image("1.0", imagetest.Code(1000, 1))
	for _, target := range [][]byte{image("1.1", imagetest.Code(1000, 1)), base, exampleTarget} {
		patch, err := Create(context.Background(), base, target, [32]byte{})
		if err == nil {
			f.Add(patch)
		}
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		var out counter
		err := Apply(bytes.NewReader(base), int64(len(base)), bytes.NewReader(patch), &out)
		if err != nil && !errors.Is(err, ErrPatch) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if size, err := readVarint(bytes.NewReader(patch[headerSize+1:])); err != nil || size != int64(out) {
			t.Fatalf("it made %d bytes, and says %d", out, size)
		}
	})
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// Any image is made of any other, or there is no patch.
func FuzzCreate(f *testing.F) {
	f.Add(exampleBase, exampleTarget)
	f.Add(image("1.0", imagetest.Code(400, 1)), image("1.1", imagetest.Code(480, 1)))
	f.Fuzz(func(t *testing.T, base, target []byte) {
		patch, err := Create(t.Context(), base, target, [32]byte{})
		if err != nil {
			if len(base) > 0 && len(target) > 0 && !errors.Is(err, ErrDifferent) {
				t.Fatal(err)
			}
			return
		}
		if got, err := apply(base, patch); err != nil || !bytes.Equal(got, target) {
			t.Fatalf("%x, %v", got, err)
		}
	})
}
