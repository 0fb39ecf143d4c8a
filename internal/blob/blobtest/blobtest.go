// Package blobtest says what a place for objects must do. It is for tests only.
package blobtest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
)

// Conform checks the promises of blob.Objects on objects, which must be empty.
func Conform(t *testing.T, objects blob.Objects) {
	t.Run("what was put is there", func(t *testing.T) { roundTrip(t, objects) })
	t.Run("a range is read", func(t *testing.T) { ranges(t, objects) })
	t.Run("what is missing is told", func(t *testing.T) { absent(t, objects) })
	t.Run("what was put is listed", func(t *testing.T) { listed(t, objects) })
}

func put(t *testing.T, objects blob.Objects, name string, data []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := objects.Put(t.Context(), name, f, int64(len(data))); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, objects blob.Objects, name string, offset, length int64) []byte {
	t.Helper()
	r, err := objects.Get(t.Context(), name, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// random returns bytes that are the same each time.
func random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // it never fails
	return data
}

func roundTrip(t *testing.T, objects blob.Objects) {
	for _, size := range []int{0, 1, 4096, 1<<20 + 1, 33 << 20} { // the last in three parts
		name := fmt.Sprintf("aa/bb/size-%d", size)
		data := random(size)
		put(t, objects, name, data)
		if got := get(t, objects, name, 0, -1); !bytes.Equal(got, data) {
			t.Errorf("put %d bytes, got %d, of hash %x", size, len(got), sha256.Sum256(got))
		}
	}
}

func ranges(t *testing.T, objects blob.Objects) {
	data := random(1000)
	put(t, objects, "aa/bb/range", data)
	for _, r := range [][2]int64{{0, 0}, {0, 1}, {0, 1000}, {500, 10}, {999, 1}, {990, -1}, {0, -1}, {990, 100}} {
		want := data[r[0]:]
		if r[1] >= 0 {
			want = want[:min(int(r[1]), len(want))]
		}
		if got := get(t, objects, "aa/bb/range", r[0], r[1]); !bytes.Equal(got, want) {
			t.Errorf("from %d, %d bytes: got %d, want %d", r[0], r[1], len(got), len(want))
		}
	}
}

func absent(t *testing.T, objects blob.Objects) {
	put(t, objects, "aa/cc/gone", []byte("x"))
	for range 2 { // deleting what is gone is no error
		if err := objects.Delete(t.Context(), "aa/cc/gone"); err != nil {
			t.Fatal(err)
		}
	}
	r, err := objects.Get(t.Context(), "aa/cc/gone", 0, -1)
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if domain.KindOf(err) != domain.NotFound {
		t.Errorf("a missing object: %v", err)
	}
}

func listed(t *testing.T, objects blob.Objects) {
	put(t, objects, "dd/ee/listed", []byte("three"))
	var found blob.Object
	err := objects.List(t.Context(), func(o blob.Object) error {
		if o.Name == "dd/ee/listed" {
			found = o
		}
		return nil
	})
	if err != nil || found.Size != 5 || time.Since(found.Modified) > time.Hour {
		t.Errorf("listed as %+v, %v", found, err)
	}
	stop := io.EOF
	if err := objects.List(t.Context(), func(blob.Object) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a listing that was stopped: %v", err)
	}
}
