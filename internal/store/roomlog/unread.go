package roomlog

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Marks are how far a member has read in a room.
type Marks struct {
	Read    int64 // in the main timeline
	Threads int64 // in all threads; in some the member may have read further
}

// Unread counts what others said in room since user has read it, and how much of it is addressed to user.
func Unread(ctx context.Context, q store.Queryer, user string, r domain.Room, m Marks) (u domain.Unread, err error) {
	if m.Read < r.Head {
		err = q.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM (SELECT 1 FROM events WHERE room_id = $1 AND seq > $2 AND `+MainLines+` AND `+unreadTypes+`
				AND deleted_at = 0 AND actor_id <> $3 LIMIT $4) AS capped),
			(SELECT count(*) FROM (
				SELECT seq FROM mentions WHERE user_id = $3 AND room_id = $1 AND seq > $2 AND thread IS NULL
				UNION SELECT seq FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND actor_id <> $3
					AND (thread IS NULL OR broadcast)) AS named)`,
			r.ID, m.Read, user, domain.UnreadCap).Scan(&u.Messages, &u.Mentions)
	}
	if err != nil || m.Threads >= r.Replied {
		return u, err
	}
	var mentions int
	u.Threads, mentions, err = UnreadThreads(ctx, q, user, r.ID, m)
	u.Mentions += mentions
	return u, err
}

// UnreadReplies is the condition of SQL that e is a reply of another user that a user has not read, in the thread of
// their row t of thread_marks. m is the member. Who has read a reply as a line of the room has read it.
const UnreadReplies = `e.room_id = t.room_id AND e.thread = t.root AND e.deleted_at = 0 AND e.actor_id <> t.user_id
	AND e.seq > m.threads_read AND e.seq > t.read_seq AND e.seq >= t.since AND (NOT e.broadcast OR e.seq > m.read_seq)`

// UnreadThreads counts the threads of room that user follows and that have unread replies, and the unread replies of
// all threads that name the user or @room.
func UnreadThreads(
	ctx context.Context, q store.Queryer, user, room string, m Marks,
) (threads, mentions int, err error) {
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM thread_marks t JOIN members m ON m.room_id = t.room_id AND m.user_id = t.user_id
			WHERE t.user_id = $3 AND t.room_id = $1 AND t.following
			AND EXISTS (SELECT 1 FROM events e WHERE `+UnreadReplies+`)),
		(SELECT count(*) FROM (
			SELECT seq, thread FROM mentions WHERE user_id = $3 AND room_id = $1 AND seq > $2 AND thread IS NOT NULL
			UNION SELECT seq, thread FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND actor_id <> $3
				AND thread IS NOT NULL AND NOT broadcast) AS named
			LEFT JOIN thread_marks t ON t.user_id = $3 AND t.room_id = $1 AND t.root = named.thread
			WHERE t.root IS NULL OR named.seq > t.read_seq AND named.seq >= t.since)`,
		room, m.Threads, user).Scan(&threads, &mentions)
	return threads, mentions, err
}
