package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

func checkUpgrade(t *testing.T, settings ...string) (code int, out string) {
	t.Helper()
	var b strings.Builder
	e := &env{stdin: strings.NewReader(""), stdout: &b, stderr: &b, environ: settings}
	code = run(t.Context(), e, []string{"upgrade-check"})
	return code, b.String()
}

// settingsOf returns the settings of a server with the database of o.
func settingsOf(o store.Options) []string {
	if o.URL != "" {
		return []string{"DATABASE_URL=" + o.URL}
	}
	return []string{"UNHIDRA_DATA_DIR=" + filepath.Dir(o.Path)}
}

func says(t *testing.T, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

// For a database of an earlier version, the pending steps are listed, and whether nodes of the old
// version have to stop.
func TestUpgradeCheckSaysWhatWouldBeDone(t *testing.T) {
	t.Parallel()
	testkit.EachOlder(t, 8, func(t *testing.T, o store.Options) {
		code, out := checkUpgrade(t, settingsOf(o)...)
		if code != exitOK {
			t.Errorf("exit code %d", code)
		}
		says(t, out, "8 now; this version migrates it to ", "todo  0009_compatible ", "indexes members (0 rows, ",
			"warn  rollback", "stop all nodes", "Ready for version")
		if strings.Contains(out, "FAIL") {
			t.Error(out)
		}
	})
}

// For a database of this version nothing is pending. One of a newer version is refused.
func TestUpgradeCheckBesideThisVersionAndANewer(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		testkit.Open(t, o)
		code, out := checkUpgrade(t, settingsOf(o)...)
		if code != exitOK {
			t.Errorf("beside this version's server: exit code %d", code)
		}
		says(t, out, "no migration is pending")
		if strings.Contains(out, "rollback") {
			t.Error(out)
		}
		newer := `INSERT INTO schema_migrations VALUES (9999, 'x', 0)`
		if _, err := testkit.Raw(t, o).ExecContext(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		if code, out = checkUpgrade(t, settingsOf(o)...); code != exitFail {
			t.Errorf("a newer schema: exit code %d", code)
		}
		says(t, out, "FAIL  schema", "was used by a newer Unhidra", "not ready for version")
	})
}

func TestUpgradeCheckNamesSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := "UNHIDRA_DATA_DIR=" + t.TempDir()
	code, out := checkUpgrade(t, dir, "UNHIDRA_DRAIN=soon", "UNHIDRA_NO_SUCH=1")
	if code != exitFail {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "FAIL  configuration", "UNHIDRA_DRAIN", "UNHIDRA_NO_SUCH", "rejects 2 of the settings")
	code, out = checkUpgrade(t, dir, "NATS_URL=nats://127.0.0.1:1", "DATABASE_URL=postgres://u:secret@127.0.0.1:1/x")
	if code != exitFail {
		t.Errorf("exit code %d", code)
	}
	says(t, out, "FAIL  schema", "FAIL  bus", "2 problems")
	if strings.Contains(out, "secret") {
		t.Error(out)
	}
	if code, out = checkUpgrade(t, dir); code != exitFail {
		t.Errorf("no database: exit code %d", code)
	}
	says(t, out, "FAIL  database", "use the settings of the server", "not ready", "1 problem\n")
}

// Too little disk space for the steps is reported before they run.
func TestStepsNeedRoomForTheTablesThatTheyGoThrough(t *testing.T) {
	t.Parallel()
	u := store.Upgrade{Steps: []store.Step{{Tables: []store.TableUse{
		{Table: "events", Does: "indexes", Bytes: 1 << 60, Scans: true},
		{Table: "users", Does: "adds a column to", Bytes: 100},
	}}}}
	if got := stepBytes(u); got != 2<<60 {
		t.Errorf("%d bytes", got)
	}
	var out strings.Builder
	d := &diagnosis{w: &out}
	d.room(config.Config{DataDir: t.TempDir()}, u)
	if d.broken != 1 {
		t.Errorf("%s", &out)
	}
	says(t, out.String(), "FAIL  disk", "free some space")
}
