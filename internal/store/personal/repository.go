// Package personal has the SQL of what people keep for themselves: saved messages and drafts.
package personal

import (
	"context"

	"github.com/unhidra/unhidra/internal/store"
)

// Repository stores saved messages and drafts.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// lock serializes the writes of a user, so that limits and versions hold.
func lock(ctx context.Context, t *store.Tx, user string) error {
	return t.LockKey(ctx, "personal "+user)
}

// DropMessage takes a message that is deleted off the saved ones of everybody.
func DropMessage(ctx context.Context, t *store.Tx, room string, seq int64) error {
	_, err := t.ExecContext(ctx, `DELETE FROM saved_messages WHERE room_id = $1 AND seq = $2`, room, seq)
	return err
}

// EraseMember deletes what somebody keeps of a room in which they are no longer.
func EraseMember(ctx context.Context, t *store.Tx, user, room string) error {
	for _, table := range []string{"saved_messages", "drafts"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1 AND room_id = $2`, user, room); err != nil {
			return err
		}
	}
	return nil
}

// EraseUser deletes all that a user keeps.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	for _, table := range []string{"saved_messages", "drafts"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	return nil
}
