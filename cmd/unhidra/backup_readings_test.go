package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/readings"
)

// readings opens what devices measured for fn.
func (m testHost) readings(fn func(repo *readings.Repository)) {
	m.t.Helper()
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + m.dir}, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	repo, err := app.OpenReadings(m.t.Context(), nil, c, app.StoreOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		m.t.Fatal(err)
	}
	fn(repo)
	if err := repo.End(); err != nil {
		m.t.Fatal(err)
	}
}

// Readings that are packed, and those that wait in the journal, are in a backup of a server that runs.
// A damaged file is found before there is a backup of it.
func TestReadingsSurviveBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := testHost{t, filepath.Join(dir, "first")}, testHost{t, filepath.Join(dir, "second")}
	first.must("migrate")
	file := filepath.Join(dir, "backup.tar")
	at := time.Now().UTC().Truncate(time.Millisecond)
	put := func(repo *readings.Repository, seq uint32) {
		report := domain.Report{At: at.Add(time.Duration(seq) * time.Second), Boot: 1, Seq: seq, HasSeq: true,
			Readings: []domain.Reading{{Name: "x", Value: domain.Number(float64(seq))}}}
		if _, err := repo.Append(t.Context(), "dev_a", []domain.Report{report}, at); err != nil {
			t.Fatal(err)
		}
	}
	first.readings(func(repo *readings.Repository) {
		put(repo, 0)
		if _, err := repo.Close(t.Context(), at, true); err != nil {
			t.Fatal(err)
		}
		put(repo, 1)
		first.must("backup", file)
		put(repo, 2) // not in it
	})
	if said := second.must("restore", file); !strings.Contains(said, "Restored") {
		t.Error(said)
	}
	second.readings(func(repo *readings.Repository) {
		points, err := repo.Points(t.Context(), "dev_a", []string{"x"}, at.Add(-time.Hour), at.Add(time.Hour), 100)
		if p := points["x"]; err != nil || len(p) != 2 || p[0].Value.Number != 0 || p[1].Value.Number != 1 {
			t.Errorf("%+v, %v", points, err)
		}
	})
	first.must("restore", "--force", file)
	if kept, err := filepath.Glob(filepath.Join(first.dir, "readings.db.2*Z")); err != nil || len(kept) != 1 {
		t.Errorf("the readings before the restore: %v, %v", kept, err)
	}
	if said, _ := first.run("doctor"); !strings.Contains(said, "readings.db is intact") {
		t.Error(said)
	}
	damaged := []byte(strings.Repeat("x", 5000))
	if err := os.WriteFile(filepath.Join(first.dir, "readings.db"), damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	said, code := first.run("backup", filepath.Join(dir, "other.tar"))
	if code == exitOK || !strings.Contains(said, "readings") {
		t.Errorf("a damaged file was backed up: %d %s", code, said)
	}
	if said, _ := first.run("doctor"); !strings.Contains(said, "FAIL  readings") {
		t.Error(said)
	}
}
