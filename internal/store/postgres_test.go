package store_test

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// as returns the options of a store with parts of its URL changed.
func as(t *testing.T, o store.Options, change func(u *url.URL)) store.Options {
	t.Helper()
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	change(u)
	o.URL = u.String()
	return o
}

// TestAFullPostgresIsWaitedFor: where PostgreSQL has fewer connections than a server
// wants, whoever asks waits for one that is free, and is not refused.
func TestAFullPostgresIsWaitedFor(t *testing.T) {
	t.Parallel()
	o := testkit.Postgres(t)
	role := fmt.Sprintf("poor_%d", os.Getpid())
	operator := testkit.Raw(t, o)
	do := func(query string) {
		t.Helper()
		if _, err := operator.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	do(`CREATE ROLE ` + role + ` LOGIN CONNECTION LIMIT 7 IN ROLE CURRENT_USER`)
	t.Cleanup(func() { do(`DROP ROLE ` + role) })
	db, err := all.Open(t.Context(), as(t, o, func(u *url.URL) { u.User = url.User(role) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := db.LockInstance(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if _, err := db.Log.Heads(t.Context(), []string{"room_none"}); err != nil {
				t.Errorf("read: %v", err)
			}
			if err := db.Server.SetSetting(t.Context(),
				domain.Setting{Name: "s" + strconv.Itoa(i), At: time.Now()}); err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
	wg.Wait()
}

// TestOnlyUTF8IsAccepted: a database that cannot keep every character is refused at the
// start, with what to do.
func TestOnlyUTF8IsAccepted(t *testing.T) {
	t.Parallel()
	o := testkit.Postgres(t)
	operator := testkit.Raw(t, o)
	name := fmt.Sprintf("ascii_%d", os.Getpid())
	_, err := operator.Exec(`CREATE DATABASE ` + name +
		` ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := operator.Exec(`DROP DATABASE ` + name); err != nil {
			t.Error(err)
		}
	})
	db, err := all.Open(t.Context(), as(t, o, func(u *url.URL) { u.Path = "/" + name }))
	if err == nil {
		_ = db.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "SQL_ASCII") || !strings.Contains(err.Error(), "ENCODING 'UTF8'") {
		t.Errorf("%v", err)
	}
}

// TestWrongCredentialsAreNotWaitedFor: a start says at once what no patience changes.
func TestWrongCredentialsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	o := testkit.Postgres(t)
	for name, change := range map[string]func(u *url.URL){
		"no such role":     func(u *url.URL) { u.User = url.User("nobody_of_this_name") },
		"no such database": func(u *url.URL) { u.Path = "/no_such_database" },
	} {
		if _, err := all.Open(t.Context(), as(t, o, change)); err == nil ||
			domain.CodeOf(err) == domain.CodeStoreUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPoolersThatShareConnectionsAreRefused: PgBouncer is accepted where each client has
// its connection for itself, and refused where it has not.
func TestPoolersThatShareConnectionsAreRefused(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("no pgbouncer to test with (Debian: the package pgbouncer)")
	}
	pg := pgtest.Start(t, node.Port(t), "")
	for mode, refused := range map[string]bool{"session": false, "transaction": true, "statement": true} {
		t.Run(mode, func(t *testing.T) {
			o := store.Options{URL: pgtest.Through(bouncer(t, bin, mode, pg)), Log: testkit.Logger(t)}
			db, err := all.Open(t.Context(), o)
			if err == nil {
				_ = db.Close()
			}
			if refused != (err != nil && strings.Contains(err.Error(), "pool_mode=session")) || !refused && err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// bouncer runs PgBouncer before pg, and returns its address.
func bouncer(t *testing.T, bin, mode string, pg *pgtest.Own) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "unhidra-bouncer-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := node.Port(t)
	host, backend, _ := strings.Cut(pg.Addr(), ":")
	ini := filepath.Join(dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\npostgres = user=unhidra dbname=postgres host=%s port=%s\n[pgbouncer]\n"+
		"listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = %s\n", host, backend,
		port, mode)
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil { // somebody else reads it
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // as above
		t.Fatal(err)
	}
	args := []string{ini}
	if os.Getuid() == 0 {
		args = []string{"-u", "nobody", ini}
	}
	cmd := exec.Command(bin, args...)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr := "127.0.0.1:" + strconv.Itoa(port)
	db, err := sql.Open("pgx", pgtest.Through(addr)+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for deadline := time.Now().Add(20 * time.Second); db.PingContext(t.Context()) != nil; time.Sleep(
		20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("pgbouncer does not answer: %v", db.PingContext(t.Context()))
		}
	}
	return addr
}
