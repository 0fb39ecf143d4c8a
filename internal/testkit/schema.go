package testkit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit/pgtest"
)

// schema is the template of a store that nothing was written to.
var schema = sync.OnceValue(func() *pgtest.Template {
	version, err := sources()
	if err != nil {
		version = fmt.Sprint("of", os.Getpid()) // for this process alone
	}
	return &pgtest.Template{Version: version, Prepare: func(url string) error { return migrated(store.Options{URL: url}) }}
})

// file is the content of a SQLite file of a store that nothing was written to. A process makes it once: with the race
// detector all migrations take seconds.
var file = sync.OnceValues(func() (content []byte, err error) {
	dir, err := os.MkdirTemp("", "unhidra-schema-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "unhidra.db")
	if err := migrated(store.Options{Path: path}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// sources is a hash of what makes the schema: the sources of the store, of the
// checkout that is tested.
func sources() (string, error) {
	top, err := checkout()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = filepath.WalkDir(filepath.Join(top, "internal", "store"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(h, "%s %d\n%s", strings.TrimPrefix(path, top), len(text), text)
		return err
	})
	return fmt.Sprintf("%.12x", h.Sum(nil)), err
}

// checkout finds the folder of go.mod: tests run in the folders of their packages.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("there is no go.mod above")
		}
		dir = up
	}
}
