package store_test

import (
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

// TestConnectionErrorsAreUnavailable: who reads while the database cannot be reached is told
// to come back, not that the server is broken; and once it is reached, reads on.
func TestConnectionErrorsAreUnavailable(t *testing.T) {
	o := testkit.Postgres(t)
	db := testkit.Open(t, store.Options{URL: o.URL, Log: o.Log})
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	operator, err := sql.Open("pgx", u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close()
	do := func(query string) {
		t.Helper()
		if _, err := operator.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	do(`UPDATE pg_database SET datallowconn = false WHERE datname = '` + name + `'`)
	do(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + name + `'`)
	_, err = db.Log.Heads(t.Context(), []string{"room_none"})
	if domain.KindOf(err) != domain.Unavailable {
		t.Errorf("reading while the database is away: %v", err)
	}
	do(`UPDATE pg_database SET datallowconn = true WHERE datname = '` + name + `'`)
	if _, err := db.Log.Heads(t.Context(), []string{"room_none"}); err != nil {
		t.Errorf("reading after it: %v", err)
	}
	var wg sync.WaitGroup
	for range 10 { // as many idle connections as the pool keeps
		wg.Go(func() { _, _ = db.Log.Heads(t.Context(), []string{"room_none"}) })
	}
	wg.Wait()
	for wait, what := range map[string]string{
		"":       "all connections are ending", // and say so, once they are asked
		", 9000": "all connections ended",      // and cannot even be asked
	} {
		do(`SELECT pg_terminate_backend(pid` + wait + `) FROM pg_stat_activity WHERE datname = '` + name + `'`)
		for range 10 {
			if _, err := db.Log.Heads(t.Context(), []string{"room_none"}); err != nil {
				t.Errorf("reading after %s: %v", what, err)
			}
		}
	}
}
