package backup

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

// lateFactor is how many times as old as it should be the last good backup is when an
// administrator must look. BackupOld in deploy/prometheus has the same.
const lateFactor = 2

// CheckHealth adds a backup that is late, or else one that failed. A nil Service stands for a
// process that makes none.
func (s *Service) CheckHealth(_ context.Context, r *domain.HealthReport) error {
	if s == nil || s.Place == nil {
		return nil
	}
	s.mu.Lock()
	last, failed := s.last, s.failed
	s.mu.Unlock()
	since := last
	if since.IsZero() {
		since = s.started
	}
	switch {
	case s.Now().Sub(since) > lateFactor*s.Every:
		r.Fail("backup_late", "")
	case !failed.IsZero() && last.IsZero():
		r.Fail("backup_failed", "")
	case !failed.IsZero():
		r.Warn("backup_failed", "")
	}
	return nil
}

type metrics struct {
	size, duration prometheus.Gauge
	failures       prometheus.Counter
}

// watch registers the metrics. They are there without backups as well, so that alerts have
// something to look at.
func (s *Service) watch(reg prometheus.Registerer) *metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		size:     gauge("backup_size_bytes", "Size of the last good backup that the server made; 0: none."),
		duration: gauge("backup_duration_seconds", "How long it took to make and check; 0: none since the start."),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "backup_failures_total", Help: "Backups that the server could not make.",
		}),
	}
	interval := gauge("backup_interval_seconds",
		"How often the server makes a backup (UNHIDRA_BACKUP_EVERY); 0: it makes none.")
	if s.Place != nil {
		interval.Set(s.Every.Seconds())
	}
	last := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "backup_last_success_timestamp_seconds", Help: "When the last good backup was begun; 0: there is none.",
	}, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.last.IsZero() {
			return 0
		}
		return float64(s.last.UnixMilli()) / float64(time.Second/time.Millisecond)
	})
	if reg != nil {
		reg.MustRegister(m.size, m.duration, m.failures, interval, last)
	}
	return m
}
