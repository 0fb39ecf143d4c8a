package messages

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
)

// Every table that refers to messages by room and number is in messageTables, so that its rows are
// purged with the messages.
func TestEveryTableOfMessagesIsPurged(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rows, err := db.QueryContext(t.Context(), `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND c.name IN ('room_id', 'seq') GROUP BY m.name HAVING count(*) = 2 ORDER BY m.name`)
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Collect(rows, store.ScanString)
	if err != nil {
		t.Fatal(err)
	}
	// held_texts end with the hold, and commands are purged once they have ended, with those of groups. Package files
	// purges attachments and held_files, and packages notifications and previews what is in their tables.
	want := append([]string{"attachments", "held_files", "command_batches", "commands", "events", "held_texts",
		"link_previews", "notifications", "pushes"}, messageTables...)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("tables with room_id and seq: %v; purged are %v", found, want)
	}
}
