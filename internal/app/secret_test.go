package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// runOnce runs a server with its data in dir until it is ready.
func runOnce(t *testing.T, dir string, log *slog.Logger, settings ...string) error {
	t.Helper()
	c, err := config.Load(append([]string{
		"UNHIDRA_DATA_DIR=" + dir, "UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=off",
		"UNHIDRA_DRAIN=1ms",
	}, settings...), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = app.Run(ctx, app.Options{Config: c, Version: "test", Log: log, Ready: func(app.Addrs) { cancel() }})
	if err != nil && strings.Contains(err.Error(), "canceled") {
		return nil
	}
	return err
}

// A database belongs to the key it was used with: with another, nobody could sign
// in with what they have, and the server says so instead.
func TestAnotherServersKeyIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(settings ...string) error { return runOnce(t, dir, testkit.Logger(t), settings...) }
	if err := run(); err != nil {
		t.Fatal(err)
	}
	if err := run("JWT_SECRET=0123456789abcdef0123456789abcdef"); err != nil {
		t.Fatalf("another signing key: %v", err) // signs only
	}
	if err := os.Remove(filepath.Join(dir, "server.key")); err != nil {
		t.Fatal(err)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "another server's key") {
		t.Fatalf("%v", err)
	}
}

// TestALostDatabaseIsAQuestion: a key without its database is no first start, and the
// server does not begin an empty one, which would be taken for a loss of everything.
func TestALostDatabaseIsAQuestion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	database := filepath.Join(dir, "unhidra.db")
	if err := runOnce(t, dir, testkit.Logger(t)); err != nil {
		t.Fatal(err)
	}
	lost := func(what string) {
		t.Helper()
		err := runOnce(t, dir, testkit.Logger(t))
		if err == nil || !strings.Contains(err.Error(), "no first start") || !strings.Contains(err.Error(), database) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.Rename(database, database+"~"); err != nil {
		t.Fatal(err)
	}
	lost("without a database")
	if _, err := os.Stat(database); err == nil {
		t.Error("a new database was begun")
	}
	if err := os.WriteFile(database, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lost("with an empty file")
	if err := os.Rename(database+"~", database); err != nil {
		t.Fatal(err)
	}
	if err := runOnce(t, dir, testkit.Logger(t)); err != nil {
		t.Errorf("with the database again: %v", err)
	}
}

// TestTheKeyIsForItsOwnerAlone: a key that others could read is taken away from them,
// and the log says so.
func TestTheKeyIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key := filepath.Join(dir, "server.key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 48)), 0o644); err != nil { // as somebody may have copied it
		t.Fatal(err)
	}
	var log bytes.Buffer
	if err := runOnce(t, dir, slog.New(slog.NewTextHandler(&log, nil))); err == nil {
		t.Fatal("a key without a database was taken for a first start")
	}
	database := filepath.Join(dir, "unhidra.db")
	db, err := all.Open(t.Context(), store.Options{Path: database})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := runOnce(t, dir, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 || !strings.Contains(log.String(), key) {
		t.Errorf("%v, %v; the log says %s", info.Mode(), err, &log)
	}
}
