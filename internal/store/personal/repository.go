// Package personal has the SQL of what people keep for themselves: saved messages, drafts, scheduled messages,
// reminders, and the sections of their list of rooms.
package personal

import (
	"context"

	"github.com/unhidra/unhidra/internal/store"
)

// Repository stores saved messages, drafts, scheduled messages, reminders and sections.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

// lock serializes the writes of a user, so that limits and versions hold.
func lock(ctx context.Context, t *store.Tx, user string) error {
	return t.LockKey(ctx, "personal "+user)
}

// DropMessage takes a message that is deleted off the saved ones of everybody, with the reminders of it.
func DropMessage(ctx context.Context, t *store.Tx, room string, seq int64) error {
	for _, table := range []string{"saved_messages", "reminders"} {
		_, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1 AND seq = $2`, room, seq)
		if err != nil {
			return err
		}
	}
	return nil
}

// EraseMember deletes what somebody keeps of a room in which they are no longer. Their scheduled messages stay: they
// say so when they are due, and their texts are not lost.
func EraseMember(ctx context.Context, t *store.Tx, user, room string) error {
	for _, table := range []string{"saved_messages", "drafts", "reminders"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1 AND room_id = $2`, user, room); err != nil {
			return err
		}
	}
	return dropFromSections(ctx, t, user, room)
}

// EraseUser deletes all that a user keeps.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	for _, table := range []string{
		"saved_messages", "drafts", "scheduled_messages", "reminders", "room_sections",
	} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	return nil
}
