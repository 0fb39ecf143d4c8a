//go:build linux

package readings

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

// serverTime is the processor time of all processes of PostgreSQL on this machine, to 10 ms. It has also
// what others let them do meanwhile.
func serverTime() (used time.Duration) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(stat, []byte("(postgres)")) {
			continue // it has ended, or is another program
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, f := range fields[11:15] { // with that of ended children
			ticks, _ := strconv.Atoi(f)
			used += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return used
}

const postgresGroups = 128 // 330,000 readings

func reportPostgres(b *testing.B, client, server, wall time.Duration) {
	b.Helper()
	const n = postgresGroups * benchGroup * benchSensors
	b.ReportMetric(float64(client.Nanoseconds())/n, "client-ns/reading")
	b.ReportMetric(float64(server.Nanoseconds())/n, "server-ns/reading")
	b.ReportMetric(n/wall.Seconds(), "readings/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPostgres takes the readings of BenchmarkReadings on PostgreSQL, without packing them.
func BenchmarkPostgres(b *testing.B) {
	for b.Loop() {
		db, err := store.Open(b.Context(), testkit.Postgres(b))
		if err != nil {
			b.Fatal(err)
		}
		repo := On(db)
		all := groups(postgresGroups)
		begin, client, server := time.Now(), processorTime(), serverTime()
		for _, group := range all {
			var wg sync.WaitGroup
			for d, reports := range group {
				wg.Go(func() {
					if _, err := repo.Append(b.Context(), fmt.Sprint("dev_", d), reports, t0); err != nil {
						b.Error(err)
					}
				})
			}
			wg.Wait()
		}
		reportPostgres(b, processorTime()-client, serverTime()-server, time.Since(begin))
		_ = db.Close()
	}
}

// BenchmarkCopy copies the same readings as rows into a table without any key, in the same groups.
func BenchmarkCopy(b *testing.B) {
	for b.Loop() {
		o := testkit.Postgres(b)
		conn, err := pgx.Connect(b.Context(), o.URL)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close(context.Background()) })
		if _, err := conn.Exec(b.Context(), `CREATE TABLE r (series BIGINT, at BIGINT, v DOUBLE PRECISION)`); err != nil {
			b.Fatal(err)
		}
		all := groups(postgresGroups)
		begin, client, server := time.Now(), processorTime(), serverTime()
		for _, group := range all {
			rows := make([][]any, 0, benchGroup*benchSensors)
			for d, reports := range group {
				for _, r := range reports {
					for i, reading := range r.Readings {
						rows = append(rows, []any{int64(d*benchSensors + i), r.At.UnixMilli(), reading.Value.Float()})
					}
				}
			}
			if _, err := conn.CopyFrom(b.Context(), pgx.Identifier{"r"}, []string{"series", "at", "v"},
				pgx.CopyFromRows(rows)); err != nil {
				b.Fatal(err)
			}
		}
		reportPostgres(b, processorTime()-client, serverTime()-server, time.Since(begin))
	}
}
