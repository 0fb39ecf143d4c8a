package roomlog

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const exportBatch = 500

// EachMessageBy calls do for each message that user wrote and that is still there, in the order they were written, and
// returns how many there are.
func (repo *Repository) EachMessageBy(
	ctx context.Context, user string, do func(domain.Message) error,
) (count int, err error) {
	for after, more := int64(0), true; more; more = after != 0 {
		var page []domain.Message
		if page, after, err = repo.messagesBy(ctx, user, after); err != nil {
			return count, err
		}
		for _, m := range page {
			if err := do(m); err != nil {
				return count, err
			}
		}
		count += len(page)
	}
	return count, nil
}

// messagesBy returns messages of user after a position in the log; and the position to continue from, or 0 at the end.
func (repo *Repository) messagesBy(
	ctx context.Context, user string, after int64,
) (messages []domain.Message, next int64, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+Columns+Tables+` WHERE e.actor_id = $1 AND e.pos > $2 AND `+
		newMessages+` AND e.deleted_at = 0
		ORDER BY e.pos LIMIT $3`, user, after, exportBatch)
	if err != nil {
		return nil, 0, err
	}
	events, err := store.Collect(rows, Scan)
	if err == nil {
		err = FillFiles(ctx, repo.db, events)
	}
	if err != nil {
		return nil, 0, err
	}
	for _, e := range events {
		messages = append(messages, *e.Message)
	}
	if len(events) == exportBatch {
		next = events[len(events)-1].Pos
	}
	return messages, next, nil
}
