package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
)

func TestASecondServerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := store.Open(t.Context(), store.Options{Path: path}); err == nil {
		t.Fatal("two servers on one file")
	}
	tool, err := store.Open(t.Context(), store.Options{Path: path, Tool: true})
	if err != nil {
		t.Fatalf("a command beside the server: %v", err)
	}
	_ = tool.Close()
}

func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("this is a text file, and a rather long one, "+fmt.Sprint(make([]int, 500))),
		0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), store.Options{Path: path})
	if err == nil || errors.Is(err, os.ErrNotExist) {
		t.Fatalf("opened a text file: %v", err)
	}
	t.Log(err)
}
