package messages_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// BenchmarkPage reads the last page of a room's history.
func BenchmarkPage(b *testing.B) {
	db, err := all.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "bench.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	room := testkit.Room(b, db, 8)
	for i := range 200 {
		testkit.Say(b, db, testkit.UserID(i%8), room, fmt.Sprint(i), "a message of some words, as people write them")
	}
	b.ResetTimer()
	for range b.N {
		page, err := db.Log.Timeline(b.Context(), domain.WholeLog(room), domain.PageQuery{Limit: 50, Main: true})
		if err != nil || len(page.Events) != 50 {
			b.Fatal(len(page.Events), err)
		}
	}
}
