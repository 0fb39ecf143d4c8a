package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

func simulateOnce(t *testing.T, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), &env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: environ},
		append([]string{"simulate"}, args...))
	return code, stdout.String(), stderr.String()
}

// The devices are registered once, their keys are kept, and a later run uses them.
func TestSimulateRegistersAndConnects(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	s := live.Start(t, o)
	s.User("ann")
	keys := filepath.Join(t.TempDir(), "devices.csv")
	environ := []string{"UNHIDRA_SERVER_KEY=the same key for every server of a test", "AUTH_DB_PATH=" + o.Path,
		"UNHIDRA_DATA_DIR=" + filepath.Dir(o.Path)}
	args := []string{"--server", s.URL, "--mqtt", "mqtt://" + s.MQTT, "--keys", keys, "--devices", "4", "--every", "50ms",
		"--for", "2s"}
	if code, _, errs := simulateOnce(t, environ, args...); code != exitFail || !strings.Contains(errs, "--owner") {
		t.Errorf("without keys: %d, %s", code, errs)
	}
	code, out, errs := simulateOnce(t, environ, append(args, "--owner", "ann")...)
	if code != exitOK || !strings.Contains(out, "of 4 connected") {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	first, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	if code, out, errs = simulateOnce(t, environ, append(args, "--devices", "3")...); code != exitOK {
		t.Errorf("with the keys of before: %d: %s%s", code, out, errs)
	}
	if again, _ := os.ReadFile(keys); !bytes.Equal(again, first) || bytes.Count(first, []byte("\n")) != 5 {
		t.Errorf("the file of keys:\n%s\nthen\n%s", first, again)
	}
}

func TestSimulateSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(bad, []byte("id,secret\na,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--kind boat", exitUsage, "greenhouse, weather, meter or door"},
		{"--devices 0", exitUsage, "more than 0"},
		{"--troubled 60 --hostile 60", exitUsage, "100 percent"},
		{"--server localhost:9000", exitUsage, "http:// or https://"},
		{"--mqtt http://localhost", exitUsage, "mqtt:// or mqtts://"},
		{"--firmware a.bin", exitUsage, "--root"},
		{"image --how badly x.bin", exitUsage, "crashes, later"},
		{"image --fails 101 x.bin", exitUsage, "percent"},
		{"image x.bin", exitFail, "a product"},
		{"--keys " + bad, exitFail, "columns device and key"},
		{"--keys " + filepath.Join(filepath.Dir(bad), "none.csv"), exitFail, "--owner"},
	} {
		if code, _, errs := simulateOnce(t, nil, strings.Fields(c.args)...); code != c.code ||
			!strings.Contains(errs, c.want) {
			t.Errorf("simulate %s: %d, %s", c.args, code, errs)
		}
	}
	code, out, _ := simulateOnce(t, nil, "--plan", "--devices", "30", "--hostile", "20")
	if code != exitOK || strings.Count(out, "\n") != 30 || !strings.Contains(out, "hostile") ||
		!strings.Contains(out, "mqtt 5") {
		t.Errorf("the plan of 30 devices: %d, %s", code, out)
	}
}

// An image that is made for virtual devices is one that the other commands understand.
func TestSimulateMakesImages(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lamp.bin")
	code, out, errs := simulateOnce(t, nil, "image", "--product", "lamp", "--version", "1.2.0", "--code", "3", "--fails",
		"80", "--revision", "3", file)
	if code != exitOK || !strings.Contains(out, "lamp 1.2.0") {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), &env{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr},
		[]string{"firmware", "inspect", file})
	if code != exitOK || !strings.Contains(stdout.String(), "lamp") || !strings.Contains(stdout.String(), "1.2.0") {
		t.Errorf("inspect: %d: %s%s", code, stdout.String(), stderr.String())
	}
}
