package messages_test

import (
	"context"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A write to the tables behind the cache must call Invalidate: tests watch that, and refuse the commit
// otherwise.
func TestAWriteWithoutInvalidateIsRefused(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"a room":       `UPDATE rooms SET archived = TRUE WHERE id = $1`,
		"a membership": `DELETE FROM members WHERE room_id = $1`,
		"a role":       `UPDATE members SET role = 'plain' WHERE room_id = $1 AND role = 'owner'`,
		"a name": `UPDATE users SET display_name = 'Somebody' WHERE id IN (SELECT user_id FROM members
			WHERE room_id = $1)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testkit.Open(t, testkit.SQLite(t))
			room := testkit.Room(t, db, 1)
			testkit.Say(t, db, testkit.UserID(0), room, "1", "now the room and its member are cached")
			write := func(invalidate bool) error {
				return db.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
					if invalidate {
						tx.Invalidate()
					}
					_, err := tx.ExecContext(ctx, statement, room)
					return err
				})
			}
			if err := write(false); err == nil || !strings.Contains(err.Error(), "without Tx.Invalidate") {
				t.Errorf("a write that does not say so: %v", err)
			}
			testkit.Say(t, db, testkit.UserID(0), room, "2", "cached again")
			if err := write(true); err != nil {
				t.Errorf("a write that does: %v", err)
			}
		})
	}
}
