package app

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
)

const fullRetry = 30 * time.Second // somebody has to make room first

// full says whether the disk of a SQLite file has room for more, so that it is not
// found out in the middle of a commit. PostgreSQL's disk is elsewhere.
func (s *server) full() func() error {
	reserve := uint64(s.Config.DiskReserve) << 20 // not negative
	if reserve == 0 || s.Config.DatabaseURL != "" {
		return nil
	}
	return func() error {
		if d, ok := obs.DiskOf(filepath.Dir(s.Config.Database())); !ok || d.Free >= reserve {
			return nil
		}
		return domain.Unavailable.Errorf("disk_full", "the server's disk is nearly full; it takes nothing new until somebody has made room").After(fullRetry)
	}
}

const useFor = 15 * time.Second // that an answer about the database's size is good

// watchStore registers how much room the database takes.
func watchStore(reg prometheus.Registerer, db *all.Store) {
	var mu sync.Mutex
	var last domain.StoreUse
	var asked time.Time
	use := func() domain.StoreUse {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) > useFor {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if u, err := db.Use(ctx); err == nil {
				last, asked = u, time.Now()
			}
		}
		return last
	}
	gauge := func(name, help string, of func(domain.StoreUse) int64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(of(use())) }))
	}
	gauge("store_size_bytes", "Size of the database, what is free in it included.", func(u domain.StoreUse) int64 { return u.Bytes })
	gauge("store_free_bytes", "Of the database, what the next messages are written to; -1: unknown, on PostgreSQL.", func(u domain.StoreUse) int64 { return u.Free })
	gauge("store_log_bytes", "Size of SQLite's write-ahead log; -1: unknown, on PostgreSQL.", func(u domain.StoreUse) int64 { return u.Log })
	gauge("search_unindexed_events", "Events that the search index does not have yet; they never hold up a message.", func(u domain.StoreUse) int64 { return u.Unfound })
	gauge("store_dead_rows", "PostgreSQL: rows that wait for autovacuum.", func(u domain.StoreUse) int64 { return u.DeadRows })
}
