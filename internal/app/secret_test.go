package app_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A database belongs to the key it was used with: with another, nobody could sign
// in with what they have, and the server says so instead.
func TestAnotherServersKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	run := func(settings ...string) error {
		c, err := config.Load(append([]string{
			"UNHIDRA_DATA_DIR=" + dir, "UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=off", "UNHIDRA_DRAIN=1ms",
		}, settings...), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		return app.Run(ctx, app.Options{Config: c, Version: "test", Log: testkit.Logger(t), Ready: func(app.Addrs) { cancel() }})
	}
	if err := run(); err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Fatal(err)
	}
	if err := run("JWT_SECRET=0123456789abcdef0123456789abcdef"); err != nil && !strings.Contains(err.Error(), "canceled") {
		t.Fatalf("another signing key: %v", err) // signs only
	}
	if err := os.Remove(filepath.Join(dir, "server.key")); err != nil {
		t.Fatal(err)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "another server's key") {
		t.Fatalf("%v", err)
	}
}
