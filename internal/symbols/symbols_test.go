package symbols

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const program = `static int volatile sink;

__attribute__((noinline)) void crash(int n) {
	sink = n; /* line 4 */
}

static inline __attribute__((always_inline)) void inlined(int n) {
	crash(n + 1); /* line 8 */
}

__attribute__((noinline)) void task(int n) {
	inlined(n); /* line 12 */
	sink++;
}

int main(int argc, char **argv) {
	task(argc); /* line 17 */
	return sink;
}
`

// built compiles the program, for a machine whose compiler may be missing.
func built(t testing.TB, compiler string, flags ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skipf("no %s: what it compiles is not looked at", compiler)
	}
	dir := t.TempDir()
	source, out := filepath.Join(dir, "app.c"), filepath.Join(dir, "app.elf")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), compiler, append(flags, "-O1", "-o", out, source)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// function is where a function of a program begins and ends.
func function(t testing.TB, file []byte, name string) (begin, end uint32) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Name == name {
			return uint32(s.Value), uint32(s.Value + s.Size)
		}
	}
	t.Fatalf("there is no %s", name)
	return 0, 0
}

var compilers = map[string][]string{
	"gcc": {"-no-pie", "-g"}, "gcc -gdwarf-4": {"-no-pie", "-gdwarf-4"},
	"riscv64-unknown-elf-gcc": {"-march=rv32imc", "-mabi=ilp32", "-nostdlib", "-Wl,-emain", "-g"},
	"xtensa-esp32-elf-gcc":    {"-nostdlib", "-Wl,-emain", "-g"},
}

// Each address has its function, file and line; of one that is inlined also that which it is inlined into.
func TestAddressesHaveTheirLines(t *testing.T) {
	t.Parallel()
	for compiler, flags := range compilers {
		t.Run(compiler, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(compiler, " ")
			file := built(t, name, flags...)
			begin, end := function(t, file, "task")
			var all []uint32
			for a := begin; a < end; a++ {
				all = append(all, a)
			}
			crash, _ := function(t, file, "crash")
			found, err := Resolve(t.Context(), bytes.NewReader(file), append(all, crash, crash, 1))
			if err != nil {
				t.Fatal(err)
			}
			if f := found[crash]; len(f) != 1 || f[0].Function != "crash" || !strings.HasSuffix(f[0].File, "/app.c") ||
				f[0].Line < 3 || f[0].Line > 4 {
				t.Errorf("crash: %+v", f)
			}
			inlined := false
			for _, a := range all {
				f := found[a]
				if len(f) == 0 || f[len(f)-1].Function != "task" {
					t.Errorf("%#x of task: %+v", a, f)
				} else if len(f) == 2 {
					inlined = inlined || f[0].Function == "inlined" && f[0].Line == 8 && f[1].Line == 12
				}
			}
			if !inlined || found[1] != nil {
				t.Errorf("the call within the inlined function is not found; at 1 there is %+v", found[1])
			}
		})
	}
}

func TestWithoutDebugInformationThereAreNames(t *testing.T) {
	t.Parallel()
	file := built(t, "gcc", "-no-pie", "-g0")
	begin, _ := function(t, file, "task")
	found, err := Resolve(t.Context(), bytes.NewReader(file), []uint32{begin + 1})
	if f := found[begin+1]; err != nil || len(f) != 1 || f[0] != (Frame{Function: "task"}) {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestXtensaReturnsWithoutItsWindow(t *testing.T) {
	t.Parallel()
	for in, want := range map[uint32]uint32{0x800d1234: 0x400d1234, 0xc0081234: 0x40081234, 0x400d1234: 0x400d1234} {
		if got := Code(elf.EM_XTENSA, in); got != want {
			t.Errorf("%#x is %#x, and not %#x", in, got, want)
		}
	}
	if got := Code(elf.EM_RISCV, 0x80001234); got != 0x80001234 {
		t.Errorf("of RISC-V: %#x", got)
	}
}

func TestHugeDebugInformationIsRefused(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	f := &elf.File{FileHeader: elf.FileHeader{ByteOrder: le}}
	units := bytes.Repeat([]byte{7, 0, 0, 0, 4, 0, 0, 0, 0, 0, 4}, maxUnits+1)
	if err := check(f, units, []byte{0}); !errors.Is(err, ErrTooMuch) {
		t.Errorf("%d units: %v", maxUnits+1, err)
	}
	table := append(bytes.Repeat([]byte{1, 1, 0, 0, 0}, 100), 0)
	var overlap []byte
	for i := range byte(3) {
		overlap = append(overlap, 7, 0, 0, 0, 4, 0, i*5, 0, 0, 0, 4)
	}
	if err := check(f, overlap, table); !errors.Is(err, ErrTooMuch) {
		t.Errorf("tables that overlap: %v", err)
	}
	header := []byte{0, 1, 0, 0, 5, 0, 4, 0, 0, 1, 0, 0, 1, 1, 1, 0xfb, 14, 1}
	for name, lists := range map[string][]byte{
		"2^40 directories of no form": {0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20},
		"2^40 directories":            {1, 1, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20},
		"2^40 files":                  {1, 1, 8, 1, 'a', 0, 1, 1, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20},
	} {
		if err := checkLines(le, append(bytes.Clone(header), lists...), 0); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestItEndsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := built(t, "gcc", "-no-pie", "-g")
	if _, err := Resolve(ctx, bytes.NewReader(file), []uint32{1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzResolve changes bytes of a program: nothing that it says takes long, or the process down.
func FuzzResolve(f *testing.F) {
	file := built(f, "gcc", "-no-pie", "-g")
	begin, _ := function(f, file, "task")
	f.Add(uint32(0), []byte{1}, begin)
	f.Add(uint32(len(file)/2), []byte{0xff, 0xff, 0xff}, begin+4)
	f.Fuzz(func(t *testing.T, at uint32, change []byte, address uint32) {
		changed := bytes.Clone(file)
		copy(changed[int(at)%len(changed):], change)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := Resolve(ctx, bytes.NewReader(changed), []uint32{begin, address})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("it takes too long")
		}
	})
}
