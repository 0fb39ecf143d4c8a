package firmware

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var project = filepath.Join("..", "..", "firmware")

// A partition is a line of a table.
type partition struct {
	name, kind, subtype string
	at, size            uint64
}

func partitions(t *testing.T, file string) (all []partition) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(project, file))
	must(t, err)
	for line := range strings.Lines(string(b)) {
		if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) == "" {
			continue
		}
		f := strings.Split(line, ",")
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if len(f) < 5 || len(f[0]) > 16 {
			t.Fatalf("%s: %q", file, line)
		}
		at, err := strconv.ParseUint(f[3], 0, 32)
		must(t, err)
		size, err := strconv.ParseUint(f[4], 0, 32)
		must(t, err)
		all = append(all, partition{f[0], f[1], f[2], at, size})
	}
	return all
}

// Tables of partitions fit into their flash behind their own sector, nothing overlaps, apps begin at multiples of
// 64 KiB and are of one size, and what the firmware asks for by name is there.
func TestPartitionsFit(t *testing.T) {
	t.Parallel()
	for file, of := range map[string]struct{ table, flash uint64 }{"partitions.csv": {0x8000, 4 << 20},
		"partitions-8mb.csv": {0x8000, 8 << 20}, "partitions-secure.csv": {0x10000, 4 << 20}} {
		names, apps, end := make(map[string]partition), []partition(nil), of.table+0x1000
		for _, p := range partitions(t, file) {
			if p.at < end || p.at%0x1000 != 0 || p.size == 0 || p.size%0x1000 != 0 || p.at+p.size > of.flash {
				t.Errorf("%s: %s is at %#x and has %#x; what is before ends at %#x, and the flash at %#x", file, p.name, p.at,
					p.size, end, of.flash)
			}
			if _, twice := names[p.name]; twice {
				t.Errorf("%s: %s is there twice", file, p.name)
			}
			end, names[p.name] = p.at+p.size, p
			if p.kind == "app" {
				apps = append(apps, p)
				if p.at%0x10000 != 0 {
					t.Errorf("%s: %s is at %#x, no multiple of 64 KiB", file, p.name, p.at)
				}
			}
		}
		if len(apps) != 2 || apps[0].subtype != "ota_0" || apps[1].subtype != "ota_1" || apps[0].size != apps[1].size {
			t.Errorf("%s: the apps are %+v", file, apps)
		}
		// otadata has two sectors; a log needs three; NVS at least three, of which one stays free.
		if names["otadata"].size != 0x2000 || names["log"].size < 0x3000 || names["nvs"].size < 0x3000 {
			t.Errorf("%s: %+v", file, names)
		}
	}
}

var (
	setting = regexp.MustCompile(`(?m)^CONFIG_([A-Z0-9_]+)=(.+)$`)
	inC     = regexp.MustCompile(`CONFIG_(UNHIDRA_[A-Z0-9_]+)`)
	inK     = regexp.MustCompile(`(?m)^\s*config\s+([A-Z0-9_]+)`)
)

// Each of our options that C or the settings use is declared, and each that is declared is used. Settings name no
// option twice in a file, and files of the project that are there.
func TestOptionsAreDeclared(t *testing.T) {
	t.Parallel()
	read := func(pattern string) map[string]string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(project, pattern))
		must(t, err)
		texts := make(map[string]string)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(t, err)
			texts[f] = string(b)
		}
		if len(texts) == 0 {
			t.Fatalf("there is no %s", pattern)
		}
		return texts
	}
	declared, used := make(map[string]bool), make(map[string]bool)
	for _, text := range read("main/Kconfig.projbuild") {
		for _, m := range inK.FindAllStringSubmatch(text, -1) {
			declared[m[1]] = true
		}
	}
	for _, pattern := range []string{"main/*.c", "components/unhidra_port_esp/*.c"} {
		for _, text := range read(pattern) {
			for _, m := range inC.FindAllStringSubmatch(text, -1) {
				used[m[1]] = true
			}
		}
	}
	for file, text := range read("sdkconfig.*") {
		seen := make(map[string]bool)
		for _, m := range setting.FindAllStringSubmatch(text, -1) {
			if seen[m[1]] {
				t.Errorf("%s has %s twice", file, m[1])
			}
			if seen[m[1]] = true; strings.HasPrefix(m[1], "UNHIDRA_") {
				used[m[1]] = true
			}
			if name, quoted := strings.CutPrefix(m[2], `"`); quoted {
				if _, err := os.Stat(filepath.Join(project, strings.TrimSuffix(name, `"`))); err != nil {
					t.Errorf("%s: %s: %v", file, m[1], err)
				}
			}
		}
	}
	if fmt.Sprint(declared) != fmt.Sprint(used) {
		t.Errorf("declared are %v, and used %v", declared, used)
	}
}
