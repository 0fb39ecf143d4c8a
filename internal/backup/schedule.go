package backup

import (
	"context"
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
	Source Source
	// Dir is the folder of backups, which must be there: one that is missing may be a disk
	// that is not mounted. Empty: no backups are made.
	Dir       string
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
	for _, m := range s.list() {
		if m.at.After(s.started) {
			continue // made while the clock was wrong
		}
		s.last = m.at
		if info, err := os.Stat(filepath.Join(d.Dir, m.name)); err == nil {
			s.metrics.size.Set(float64(info.Size()))
		}
		break
	}
	return s
}

const (
	// retryAfter is how long after a failure the next attempt is made.
	retryAfter = 15 * time.Minute
	// lookEvery is how often the clock is read: it may be set, or the machine sleep.
	lookEvery = time.Minute
	// leftoverAge is how old a temporary file is that no running command can have.
	leftoverAge = 24 * time.Hour
)

// Run makes backups until ctx ends: the first at once if none was made within Every.
func (s *Service) Run(ctx context.Context) error {
	for {
		if !s.due().After(s.Now()) {
			s.attempt(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
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

// attempt makes a backup, and then deletes those that are too many.
func (s *Service) attempt(ctx context.Context) {
	begin := s.Now()
	s.sweep(begin)
	path := filepath.Join(s.Dir, nameAt(begin, s.Recipient != nil))
	r, err := s.Source.WriteFile(ctx, path, s.Recipient)
	if err != nil && ctx.Err() != nil {
		s.Log.Info("a backup was not finished, because the server stops")
		return
	}
	now := s.Now()
	s.mu.Lock()
	if err == nil {
		s.last, s.failed = begin, time.Time{}
	} else {
		s.failed = now
	}
	s.mu.Unlock()
	if err != nil {
		s.metrics.failures.Inc()
		s.Log.Error("cannot make a backup", "err", err)
		return
	}
	s.metrics.size.Set(float64(r.Bytes))
	s.metrics.duration.Set(now.Sub(begin).Seconds())
	s.Log.Info("made a backup", "file", path, "bytes", r.Bytes, "took", now.Sub(begin))
	if r.Lost > 0 && !r.Bucket {
		s.Log.Warn("files are missing on the server, and so in its backup; unhidra doctor tells more", "count", r.Lost)
	}
	s.expire(filepath.Base(path))
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
	name string
	at   time.Time
}

// list returns the backups in the folder, the newest first.
func (s *Service) list() (all []made) {
	entries, err := os.ReadDir(s.Dir)
	if s.Dir == "" || err != nil {
		return nil // an attempt will tell
	}
	for _, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		if at, err := time.Parse(timeForm, m[1]); err == nil {
			all = append(all, made{e.Name(), at})
		}
	}
	slices.SortFunc(all, func(a, b made) int { return b.at.Compare(a.at) })
	return all
}

// expire deletes all backups but the newest, and never the one that was made just now.
func (s *Service) expire(newest string) {
	kept := 1
	for _, m := range s.list() {
		if m.name == newest {
			continue
		}
		if kept++; kept <= s.Keep {
			continue
		}
		if err := os.Remove(filepath.Join(s.Dir, m.name)); err != nil {
			s.Log.Warn("cannot delete an old backup", "file", m.name, "err", err)
		}
	}
}

// sweep deletes what backups have left whose process was killed.
func (s *Service) sweep(now time.Time) {
	for _, dir := range []string{s.Dir, s.Source.Scratch} {
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
