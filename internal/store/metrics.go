package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

// CheckHealth adds how much room the database takes; that it answers at all is the check.
func (db *DB) CheckHealth(ctx context.Context, r *domain.HealthReport) error {
	r.Store.Kind = db.Name()
	use, err := db.Usage(ctx)
	if err != nil {
		return fmt.Errorf("size of the database: %w", err)
	}
	r.Store = use
	return nil
}

// Queues tells what waits to be written.
func (db *DB) Queues() []obs.Queue {
	load := db.Load()
	qs := []obs.Queue{{
		Name: "writes", Limit: load.Limit,
		Depth: func() int { return db.Load().Waiting }, Full: func() int64 { return db.Load().Refused },
	}}
	if load.TransactionsLimit > 0 {
		qs = append(qs, obs.Queue{
			Name: "transactions", Limit: load.TransactionsLimit,
			Depth: func() int { return db.Load().Transactions }, Full: func() int64 { return db.Load().TransactionsRefused },
		})
	}
	return qs
}

const useFor = 15 * time.Second // how long an answer about the database's size is good

// Watch registers how much is written to the database, and how much room it takes.
func (db *DB) Watch(reg prometheus.Registerer) {
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "store_writes_total", Help: "Writes that were committed; several may share a transaction.",
	}, func() float64 { return float64(db.Load().Committed) }))
	var mu sync.Mutex
	var last domain.StoreUsage
	var asked time.Time
	use := func() domain.StoreUsage {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) > useFor {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if u, err := db.Usage(ctx); err == nil {
				last, asked = u, time.Now()
			}
		}
		return last
	}
	for _, g := range []struct {
		name, help string
		of         func(domain.StoreUsage) int64
	}{
		{"store_size_bytes", "Size of the database, what is free in it included.",
			func(u domain.StoreUsage) int64 { return u.Bytes }},
		{"store_free_bytes", "Of the database, what the next messages are written to; -1: unknown, on PostgreSQL.",
			func(u domain.StoreUsage) int64 { return u.Free }},
		{"store_log_bytes", "Size of SQLite's write-ahead log; -1: unknown, on PostgreSQL.",
			func(u domain.StoreUsage) int64 { return u.Log }},
		{"search_unindexed_events", "Events that the search index does not have yet; they never hold up a message.",
			func(u domain.StoreUsage) int64 { return u.Unindexed }},
		{"store_dead_rows", "PostgreSQL: rows that wait for autovacuum.",
			func(u domain.StoreUsage) int64 { return u.DeadRows }},
	} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help},
			func() float64 { return float64(g.of(use())) }))
	}
}
