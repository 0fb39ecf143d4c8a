package backup

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps are what a Service needs.
type Deps struct {
	Source    Source
	Place     Place // nil: no backups are made
	Every     time.Duration
	Keep      int           // how many backups are kept, the newest
	Recipient age.Recipient // nil: they are not encrypted
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	Now       func() time.Time // nil: time.Now
}

// A Service makes backups regularly, and deletes old ones that it has made.
type Service struct {
	Deps
	metrics *metrics
	started time.Time

	mu     sync.Mutex
	looked bool      // at which backups there are
	last   time.Time // when the last good backup was begun; zero: there is none
	failed time.Time // when the last attempt failed; zero: it did not
}

// New returns a service. Run makes the backups.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, started: d.Now()}
	s.metrics = s.watch(d.Metrics)
	return s
}

// Look finds out, once, when the last backup was made before this process. Run calls it, and who
// only asks how backups are calls it before CheckHealth.
func (s *Service) Look(ctx context.Context) error {
	s.mu.Lock()
	looked := s.looked
	s.mu.Unlock()
	if looked {
		return nil
	}
	all, err := s.Place.List(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked, s.failed = true, time.Time{} // a backup may be due much later
	for _, m := range newestFirst(all) {
		if !m.at.After(s.started) { // else it was made while the clock was wrong
			s.last = m.at
			s.metrics.size.Set(float64(m.Size))
			break
		}
	}
	return nil
}

const (
	// retryAfter is how long after a failure the next attempt is made.
	retryAfter = 15 * time.Minute
	// lookEvery is how often the clock is read: it may be set, or the machine sleep.
	lookEvery = time.Minute
	// leftoverAge is how old a temporary file is that no running command can have.
	leftoverAge = 24 * time.Hour
	// attemptMax is how long an attempt may take.
	attemptMax = 24 * time.Hour
)

// Run makes backups until ctx ends: the first at once if none was made within Every.
func (s *Service) Run(ctx context.Context) error {
	for {
		s.turn(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// turn makes a backup if one is due.
func (s *Service) turn(ctx context.Context) {
	if s.due().After(s.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, attemptMax)
	defer cancel()
	if err := s.Look(ctx); err != nil {
		s.fail(ctx, err)
	} else if !s.due().After(s.Now()) {
		s.attempt(ctx)
	}
}

// due returns when the next attempt is to be made.
func (s *Service) due() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.failed.IsZero() {
		return s.failed.Add(min(retryAfter, s.Every))
	}
	return s.last.Add(s.Every)
}

// fail notes that there is no new backup.
func (s *Service) fail(ctx context.Context, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		s.Log.InfoContext(ctx, "a backup was not finished, because the server stops")
		return
	}
	s.mu.Lock()
	s.failed = s.Now()
	s.mu.Unlock()
	s.metrics.failures.Inc()
	s.Log.ErrorContext(ctx, "cannot make a backup", "err", err)
}

// attempt makes a backup, and then deletes those that are too many.
func (s *Service) attempt(ctx context.Context) {
	begin := s.Now()
	s.sweep(begin)
	name := nameAt(begin, s.Recipient != nil)
	r, err := s.Place.Write(ctx, s.Source, name, s.Recipient)
	if err != nil {
		s.fail(ctx, err)
		return
	}
	s.mu.Lock()
	s.last, s.failed = begin, time.Time{}
	s.mu.Unlock()
	took := s.Now().Sub(begin)
	s.metrics.size.Set(float64(r.Bytes))
	s.metrics.duration.Set(took.Seconds())
	s.Log.InfoContext(ctx, "made a backup", "file", s.Place.Path(name), "bytes", r.Bytes, "took", took)
	if r.Lost > 0 && !r.Bucket {
		s.Log.WarnContext(ctx, "files are missing on the server, and so in its backup; unhidra doctor tells more",
			"count", r.Lost)
	}
	s.expire(ctx, name)
}

const timeForm = "20060102T150405Z"

var fileName = regexp.MustCompile(`^unhidra-(\d{8}T\d{6}Z)\.tar(\.age)?$`)

// nameAt is the name of a backup that was begun at a time.
func nameAt(at time.Time, encrypted bool) string {
	name := "unhidra-" + at.UTC().Format(timeForm) + ".tar"
	if encrypted {
		name += ".age"
	}
	return name
}

// A made backup is a file whose name this package gave it.
type made struct {
	Stored
	at time.Time
}

// newestFirst returns those files that are backups which a Service has made.
func newestFirst(files []Stored) (all []made) {
	for _, f := range files {
		m := fileName.FindStringSubmatch(f.Name)
		if m == nil {
			continue
		}
		if at, err := time.Parse(timeForm, m[1]); err == nil {
			all = append(all, made{f, at})
		}
	}
	slices.SortFunc(all, func(a, b made) int { return b.at.Compare(a.at) })
	return all
}

// expire deletes all backups but the newest, and never the one that was made just now.
func (s *Service) expire(ctx context.Context, newest string) {
	files, err := s.Place.List(ctx)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot look for old backups", "err", err)
		return
	}
	kept := 1
	for _, m := range newestFirst(files) {
		if m.Name == newest {
			continue
		}
		if kept++; kept <= s.Keep {
			continue
		}
		if err := s.Place.Delete(ctx, m.Name); err != nil {
			s.Log.WarnContext(ctx, "cannot delete an old backup", "file", s.Place.Path(m.Name), "err", err)
		}
	}
}

// sweep deletes what backups have left whose process was killed.
func (s *Service) sweep(now time.Time) {
	dirs := []string{s.Source.Scratch}
	if f, ok := s.Place.(Folder); ok {
		dirs = append(dirs, string(f))
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // an attempt will tell
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !strings.HasPrefix(e.Name(), Temporary) || now.Sub(info.ModTime()) < leftoverAge {
				continue
			}
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				s.Log.Warn("cannot delete what a broken backup has left", "file", e.Name(), "err", err)
			}
		}
	}
}
