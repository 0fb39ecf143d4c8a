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

// NotBlocked is the condition of SQL that user has not blocked other.
func NotBlocked(user, other string) string {
	return `NOT EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = ` + user + ` AND b.other_id = ` + other + `)`
}

// named is the condition of SQL that the mention n of the user $3 is in no message of somebody whom they have blocked.
const named = `NOT EXISTS (SELECT 1 FROM events e JOIN blocks b ON b.user_id = $3 AND b.other_id = e.actor_id
	WHERE e.room_id = n.room_id AND e.seq = n.seq)`

// unreadLines are the lines that are looked at: somebody may have blocked those who wrote nearly all of them.
const unreadLines = 10 * domain.UnreadCap

// Unread counts what others said in room since user has read it, and how much of it is addressed to user.
// What people said whom user has blocked does not count.
func Unread(ctx context.Context, q store.Queryer, user string, r domain.Room, m Marks) (u domain.Unread, err error) {
	if m.Read < r.Head {
		err = q.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM (SELECT 1 FROM (SELECT actor_id FROM events WHERE room_id = $1 AND seq > $2
				AND `+MainLines+` AND `+unreadTypes+` AND deleted_at = 0 AND actor_id <> $3
				ORDER BY seq DESC LIMIT $5) AS newest WHERE `+NotBlocked("$3", "actor_id")+` LIMIT $4) AS capped),
			(SELECT count(*) FROM (
				SELECT seq FROM mentions n WHERE user_id = $3 AND room_id = $1 AND seq > $2 AND thread IS NULL AND `+named+`
				UNION SELECT seq FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND actor_id <> $3
					AND (thread IS NULL OR broadcast) AND `+NotBlocked("$3", "actor_id")+`) AS named)`,
			r.ID, m.Read, user, domain.UnreadCap, unreadLines).Scan(&u.Messages, &u.Mentions)
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
var UnreadReplies = `e.room_id = t.room_id AND e.thread = t.root AND e.deleted_at = 0 AND e.actor_id <> t.user_id
	AND e.seq > m.threads_read AND e.seq > t.read_seq AND e.seq >= t.since AND (NOT e.broadcast OR e.seq > m.read_seq)
	AND ` + NotBlocked("t.user_id", "e.actor_id")

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
			SELECT seq, thread FROM mentions n WHERE user_id = $3 AND room_id = $1 AND seq > $2 AND thread IS NOT NULL
				AND `+named+`
			UNION SELECT seq, thread FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND actor_id <> $3
				AND thread IS NOT NULL AND NOT broadcast AND `+NotBlocked("$3", "actor_id")+`) AS named
			LEFT JOIN thread_marks t ON t.user_id = $3 AND t.room_id = $1 AND t.root = named.thread
			WHERE t.root IS NULL OR named.seq > t.read_seq AND named.seq >= t.since)`,
		room, m.Threads, user).Scan(&threads, &mentions)
	return threads, mentions, err
}
