package roomlog

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Unread counts what others said in room after read, at most domain.UnreadCap,
// and how much of it is addressed to user.
func Unread(ctx context.Context, q store.Queryer, user, room string, read int64) (messages, mentions int, err error) {
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM (SELECT 1 FROM events WHERE room_id = $1 AND seq > $2 AND target IS NULL AND `+unreadTypes+`
			AND deleted_at = 0 AND actor_id <> $3 LIMIT $4) AS capped),
		(SELECT count(*) FROM (
			SELECT seq FROM mentions WHERE user_id = $3 AND room_id = $1 AND seq > $2
			UNION SELECT seq FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND actor_id <> $3) AS named)`,
		room, read, user, domain.UnreadCap).Scan(&messages, &mentions)
	return messages, mentions, err
}
