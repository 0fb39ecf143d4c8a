package app_test

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
	"github.com/unhidra/unhidra/internal/wire"
)

// compiled is a program with debug information, and where one of its functions begins.
func compiled(t *testing.T) (file []byte, crash uint32) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc: an ELF file of a program is not made, and no crash explained by it")
	}
	dir := t.TempDir()
	source, out := filepath.Join(dir, "app.c"), filepath.Join(dir, "app.elf")
	const program = "int volatile n;\nvoid crash(void) { n++; }\nint main(void) { crash(); return n; }\n"
	must(t, os.WriteFile(source, []byte(program), 0o600))
	said, err := exec.CommandContext(t.Context(), "gcc", "-g", "-no-pie", "-o", out, source).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	file, err = os.ReadFile(out)
	must(t, err)
	f, err := elf.NewFile(bytes.NewReader(file))
	must(t, err)
	all, err := f.Symbols()
	must(t, err)
	for _, s := range all {
		if s.Name == "crash" {
			return file, uint32(s.Value)
		}
	}
	t.Fatal("the program has no such function")
	return nil, 0
}

// Where the ELF file of a firmware is, its crashes are shown with functions and lines; until then, and for others, with
// addresses.
func TestCrashesHaveTheirFunctionsAndLines(t *testing.T) {
	t.Parallel()
	file, at := compiled(t)
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx, ann := t.Context(), s.User("ann")
		f := newFirm(t, s, ann, "")
		d := newTank(t, s, ann)
		d.report()
		sum := sha256.Sum256(file)
		must(t, d.live.Request(ctx, wire.TypeCrash, wire.CrashReport{ELFSHA256: hex.EncodeToString(sum[:])[:16],
			ResetReason: "panic", PC: at, Backtrace: []uint32{at, at + 1, 16}}, nil))
		type call struct {
			Address  uint32
			Function string
			Line     int
		}
		var all client.Page[struct {
			Explained string
			Calls     []call
		}]
		ask := func() {
			t.Helper()
			must(t, ann.Do(ctx, "GET", "/firmware/products/"+f.product+"/crashes", nil, &all))
			if len(all.Items) != 1 || len(all.Items[0].Calls) != 3 {
				t.Fatalf("%+v", all.Items)
			}
		}
		if ask(); all.Items[0].Explained != "no_elf" || all.Items[0].Calls[0] != (call{Address: at}) {
			t.Errorf("without the file: %+v", all.Items)
		}
		_, err := f.upload("elf", file)
		must(t, err)
		traffic.Wait(ctx, t, "the crash is explained", func() bool {
			ask()
			return all.Items[0].Explained == "done"
		})
		want := []call{{at, "crash", 2}, {at + 1, "crash", 2}, {Address: 16}} // the second returns to the byte after it
		for i, c := range all.Items[0].Calls {
			if c != want[i] {
				t.Errorf("call %d is %+v, and not %+v", i, c, want[i])
			}
		}
		eve := s.User("eve")
		err = eve.Do(ctx, "GET", "/firmware/products/"+f.product+"/crashes", nil, nil)
		if codeOf(err) != client.CodeNoProduct {
			t.Errorf("a stranger sees them: %v", err)
		}
	})
}
