package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/certs"
)

// The doctor warns 90 days before a CA of devices' certificates ends. One that has ended is no failure beside a good
// one.
func TestDoctorSaysWhenADeviceCAEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	made := func(at time.Time) []byte {
		t.Helper()
		file, err := certs.MakeDeviceCA(filepath.Join(t.TempDir(), "ca"), at)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const tenYears = 10 * 365 * 24 * time.Hour
	day := 24 * time.Hour
	young, old, dead := made(now), made(now.Add(60*day-tenYears)), made(now.Add(-day-tenYears))
	for name, c := range map[string]struct {
		file   []byte
		want   string
		broken int
	}{
		"a new one":           {young, "ok    device CA     ", 0},
		"one that ends soon":  {old, "ends on 2027-01-27; put a new one beside it", 0},
		"one that has ended":  {dead, "FAIL  device CA     ", 1},
		"a new one beside it": {append(dead[:len(dead):len(dead)], young...), "warn  device CA     ", 0},
		"no CA":               {[]byte("nothing"), "has no certificate in PEM", 1},
	} {
		path := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		d := &diagnosis{w: &out}
		if d.deviceCA(path, now); !strings.Contains(out.String(), c.want) || d.broken != c.broken {
			t.Errorf("%s: %d broken: %s", name, d.broken, out.String())
		}
	}
}
