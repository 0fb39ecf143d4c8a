package backup

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

// A clock is a clock that tests set.
type clock struct{ now time.Time }

func newService(t *testing.T, c *clock, dir string, keep int) *Service {
	t.Helper()
	s, _ := newSource(t)
	service := New(Deps{
		Source: s, Place: Folder(dir), Every: 24 * time.Hour, Keep: keep, Log: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return c.now },
	})
	_ = service.Look(t.Context()) // fails where the folder is not there yet
	return service
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func problems(t *testing.T, s *Service) (found []domain.HealthProblem) {
	t.Helper()
	var r domain.HealthReport
	if err := s.CheckHealth(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	return r.Problems
}

func TestOldBackupsGoAndNothingElse(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	others := []string{
		"monday.tar", "unhidra-20200101T000000Z.tar.old", "unhidra-20209901T000000Z.tar",
		"x-unhidra-20200101T000000Z.tar",
	}
	for _, name := range others {
		write(t, filepath.Join(dir, name), "not ours")
	}
	if err := os.Mkdir(filepath.Join(dir, "unhidra-20200101T000000Z.tar"), 0o700); err != nil {
		t.Fatal(err)
	}
	others = append(others, "unhidra-20200101T000000Z.tar")
	// The clock was once wrong: this one seems newer than all that follow.
	write(t, filepath.Join(dir, "unhidra-20990101T000000Z.tar.age"), "from the future")
	s := newService(t, c, dir, 3)
	for range 5 {
		s.attempt(t.Context())
		c.now = c.now.Add(24 * time.Hour)
	}
	want := append(others, "unhidra-20261104T030000Z.tar", "unhidra-20261105T030000Z.tar",
		"unhidra-20990101T000000Z.tar.age")
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("kept %v\nwant %v", got, want)
	}
	s.Keep = 1
	s.attempt(t.Context())
	if got := names(t, dir); !slices.Contains(got, "unhidra-20261106T030000Z.tar") || len(got) != len(others)+1 {
		t.Errorf("kept %v", got)
	}
}

func TestABackupIsDueOnceItsTimeHasPassed(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	s := newService(t, c, dir, 3)
	if s.due().After(c.now) {
		t.Error("the first backup is not due at once")
	}
	s.attempt(t.Context())
	if got := s.due().Sub(c.now); got != 24*time.Hour {
		t.Errorf("due in %v", got)
	}
	c.now = c.now.Add(time.Hour)
	if got := newService(t, c, dir, 3).due().Sub(c.now); got != 23*time.Hour {
		t.Errorf("due in %v after a restart", got)
	}
	write(t, filepath.Join(dir, "unhidra-20990101T000000Z.tar"), "made while the clock was wrong")
	if got := newService(t, c, dir, 3).due().Sub(c.now); got != 23*time.Hour {
		t.Errorf("due in %v, with a file from the future", got)
	}
}

func TestBackupsThatFailAreToldOf(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)}
	dir := filepath.Join(t.TempDir(), "mounted later")
	s := newService(t, c, dir, 3)
	if got := problems(t, s); len(got) != 0 {
		t.Errorf("at the start: %v", got)
	}
	s.attempt(t.Context())
	if got := problems(t, s); len(got) != 1 || got[0].Code != "backup_failed" || !got[0].Failure {
		t.Errorf("after a failure: %v", got)
	}
	if got := s.due().Sub(c.now); got != retryAfter {
		t.Errorf("tried again in %v", got)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.attempt(t.Context())
	if got := problems(t, s); len(got) != 0 {
		t.Errorf("after a good one: %v", got)
	}
	if err := os.Rename(dir, dir+" away"); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(24 * time.Hour)
	s.attempt(t.Context())
	if got := problems(t, s); len(got) != 1 || got[0].Code != "backup_failed" || got[0].Failure {
		t.Errorf("after one failure: %v", got)
	}
	c.now = c.now.Add(25 * time.Hour)
	if got := problems(t, s); len(got) != 1 || got[0].Code != "backup_late" || !got[0].Failure {
		t.Errorf("after two days: %v", got)
	}
	var none *Service
	if got := problems(t, none); len(got) != 0 {
		t.Errorf("without backups: %v", got)
	}
}

func TestWhatABrokenBackupLeftIsDeleted(t *testing.T) {
	t.Parallel()
	c := &clock{time.Now()}
	dir := t.TempDir()
	s := newService(t, c, dir, 3)
	write(t, filepath.Join(dir, Temporary+"1"), "half")
	write(t, filepath.Join(s.Source.Scratch, Temporary+"2", Database), "half")
	s.attempt(t.Context())
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("what a running command has was deleted: %v", got)
	}
	c.now = c.now.Add(leftoverAge + time.Hour)
	s.attempt(t.Context())
	for _, d := range []string{dir, s.Source.Scratch} {
		for _, name := range names(t, d) {
			if strings.HasPrefix(name, Temporary) {
				t.Errorf("%s is still in %s", name, d)
			}
		}
	}
}
