package testkit

import (
	"testing"

	"github.com/unhidra/unhidra/internal/store/all"
)

func TestEachStore(t *testing.T) {
	EachStore(t, func(t *testing.T, db *all.Store) {
		if err := db.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Log(db.Name())
	})
}
