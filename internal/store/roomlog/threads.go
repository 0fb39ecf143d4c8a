package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// firstReplies is how many replies of a thread are looked at for the users to list with it.
const firstReplies = 12

// live is the condition of SQL that a row of events is a reply in the thread of the message v.seq. An index has it.
const live = `room_id = $1 AND thread = v.seq AND thread IS NOT NULL AND deleted_at = 0`

// fillReplies reads what is said in the threads of those messages that have one, with two queries for each room.
func fillReplies(ctx context.Context, q store.Queryer, rows []Row) error {
	var byRoom map[string]map[int64][]*domain.Message
	for _, r := range rows {
		m := r.Message
		if m == nil || !r.threaded {
			continue
		}
		if byRoom == nil {
			byRoom = make(map[string]map[int64][]*domain.Message)
		}
		if byRoom[m.Room] == nil {
			byRoom[m.Room] = make(map[int64][]*domain.Message)
		}
		byRoom[m.Room][m.Seq] = append(byRoom[m.Room][m.Seq], m) // an edit has the message as well
	}
	for room, messages := range byRoom {
		replies, err := repliesTo(ctx, q, room, messages)
		if err != nil {
			return err
		}
		for seq, same := range messages {
			for _, m := range same {
				m.Replies = replies[seq]
			}
		}
	}
	return nil
}

func repliesTo(
	ctx context.Context, q store.Queryer, room string, roots map[int64][]*domain.Message,
) (map[int64]domain.Replies, error) {
	args := []any{room, domain.MaxRepliesCounted}
	for seq := range roots {
		args = append(args, seq)
	}
	rows, err := q.QueryContext(ctx, `SELECT v.seq,
			(SELECT count(*) FROM (SELECT 1 FROM events WHERE `+live+` LIMIT $2) AS counted),
			(SELECT seq FROM events WHERE `+live+` ORDER BY thread DESC, seq DESC LIMIT 1),
			(SELECT at FROM events WHERE `+live+` ORDER BY thread DESC, seq DESC LIMIT 1)
		FROM events v WHERE v.room_id = $1 AND v.seq IN (`+store.Placeholders(3, len(roots))+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := make(map[int64]domain.Replies, len(roots))
	for rows.Next() {
		var root int64
		var last, at sql.NullInt64
		var r domain.Replies
		if err := rows.Scan(&root, &r.Count, &last, &at); err != nil {
			return nil, err
		}
		if r.Count > 0 {
			r.Last, r.At = last.Int64, store.Time(at.Int64)
			found[root] = r
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return found, fillRepliers(ctx, q, room, found)
}

// fillRepliers reads who wrote the first replies of threads.
func fillRepliers(ctx context.Context, q store.Queryer, room string, replies map[int64]domain.Replies) error {
	if len(replies) == 0 {
		return nil
	}
	args := []any{room, firstReplies}
	for seq := range replies {
		args = append(args, seq)
	}
	rows, err := q.QueryContext(ctx, `SELECT e.thread, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM events v JOIN events e ON e.room_id = $1 AND e.thread = v.seq AND e.thread IS NOT NULL AND e.deleted_at = 0
			AND e.seq <= (SELECT max(seq) FROM (SELECT seq FROM events WHERE `+live+` ORDER BY thread, seq LIMIT $2) AS first)
		JOIN users u ON u.id = e.actor_id
		WHERE v.room_id = $1 AND v.seq IN (`+store.Placeholders(3, len(replies))+`) ORDER BY e.thread, e.seq`, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var root int64
		var user accounts.RefRow
		if err := rows.Scan(append([]any{&root}, user.Dest()...)...); err != nil {
			return err
		}
		r := replies[root]
		who := func(u domain.UserRef) bool { return u.ID == user.Ref().ID }
		if len(r.Users) < domain.MaxRepliers && !slices.ContainsFunc(r.Users, who) {
			r.Users = append(r.Users, user.Ref())
			replies[root] = r
		}
	}
	return rows.Err()
}

// A Root is the message that a thread begins with.
type Root struct {
	Sender   string
	Mentions []string
	Thread   int64 // the message is a reply itself: where its thread begins; 0: it is not
	Deleted  bool
	Threaded bool // it has or had replies
}

// RootOf returns the message seq of room as the root of a thread, and false if there is no such message.
func RootOf(ctx context.Context, q store.Queryer, room string, seq int64) (r Root, ok bool, err error) {
	var deleted int64
	var thread sql.NullInt64
	var mentions sql.NullString
	err = q.QueryRowContext(ctx, `SELECT e.actor_id, e.mentions, e.thread, e.deleted_at, e.threaded FROM events e
		WHERE e.room_id = $1 AND e.seq = $2 AND `+newMessages, room, seq).
		Scan(&r.Sender, &mentions, &thread, &deleted, &r.Threaded)
	if err == sql.ErrNoRows {
		return r, false, nil
	}
	r.Mentions, r.Thread, r.Deleted = strings.Fields(mentions.String), thread.Int64, deleted != 0
	return r, err == nil, err
}

// RequireMessage returns an error if room has no message seq, or if it was deleted.
func RequireMessage(ctx context.Context, q store.Queryer, room string, seq int64) error {
	var deleted int64
	err := q.QueryRowContext(ctx, `SELECT deleted_at FROM events e WHERE e.room_id = $1 AND e.seq = $2 AND `+
		newMessages, room, seq).Scan(&deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return domain.ErrNoMessage(seq)
	case err == nil && deleted != 0:
		return domain.Conflict.Errorf(domain.CodeMessageDeleted, "this message was deleted")
	}
	return err
}

// Thread returns a page of the replies in the thread of a message: the last ones before a number, or with q.After
// the first ones after it. Deleted replies are left out.
func (repo *Repository) Thread(
	ctx context.Context, room string, root int64, q domain.PageQuery,
) (page domain.Page, err error) {
	side, place := `e.seq < $3 ORDER BY e.thread DESC, e.seq DESC`, q.Before
	if q.After > 0 {
		side, place = `e.seq > $3 ORDER BY e.thread, e.seq`, q.After
	} else if place <= 0 {
		place = maxSeq
	}
	events, err := readEvents(ctx, repo.db, `SELECT `+lineColumns+lineTables+` WHERE e.room_id = $1 AND e.thread = $2
		AND e.thread IS NOT NULL AND e.deleted_at = 0 AND `+side+` LIMIT $4`, []any{room, root, place, q.Limit + 1})
	if err != nil {
		return page, err
	}
	more := len(events) > q.Limit
	page.Events = events[:min(q.Limit, len(events))]
	if q.After > 0 {
		page.Older, page.Newer = true, more
		return page, nil
	}
	slices.Reverse(page.Events)
	page.Older, page.Newer = more, place < maxSeq
	return page, nil
}

// ThreadState returns what user has read of a thread, and whether they follow it. Its RoomMark is not read.
func ThreadState(
	ctx context.Context, q store.Queryer, user, room string, root int64,
) (s domain.ThreadState, err error) {
	s = domain.ThreadState{Room: room, Root: root}
	var own, since int64
	err = q.QueryRowContext(ctx, `SELECT m.threads_read, COALESCE(t.read_seq, 0), COALESCE(t.since, 0),
			COALESCE(t.following, FALSE)
		FROM members m LEFT JOIN thread_marks t ON t.room_id = m.room_id AND t.user_id = m.user_id AND t.root = $3
		WHERE m.room_id = $1 AND m.user_id = $2`, room, user, root).Scan(&s.Read, &own, &since, &s.Following)
	if err != nil {
		return s, err
	}
	s.Read = max(s.Read, own, since-1)
	err = q.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM events e
		JOIN members m ON m.room_id = e.room_id AND m.user_id = $2
		WHERE e.room_id = $1 AND e.thread = $3 AND e.thread IS NOT NULL AND e.deleted_at = 0 AND e.seq > $4
			AND e.actor_id <> $2 AND (NOT e.broadcast OR e.seq > m.read_seq) LIMIT $5) AS capped`,
		room, user, root, s.Read, domain.UnreadCap).Scan(&s.Unread)
	return s, err
}

// ThreadState is the function of this name. Whether user may read the room is not checked.
func (repo *Repository) ThreadState(
	ctx context.Context, user, room string, root int64,
) (domain.ThreadState, error) {
	return ThreadState(ctx, repo.db, user, room, root)
}

// FollowedThreads returns threads that user follows, with one in which something was said last first; with unread,
// those with unread replies alone. Threads whose replies are all gone are left out.
func (repo *Repository) FollowedThreads(
	ctx context.Context, user string, unread bool, c domain.ThreadCursor, limit int,
) (threads []domain.FollowedThread, err error) {
	if c.At == 0 {
		c.At = maxSeq
	}
	which := ""
	if unread {
		which = ` AND EXISTS (SELECT 1 FROM events e WHERE ` + UnreadReplies + `)`
	}
	const last = `FROM events e WHERE e.room_id = t.room_id AND e.thread = t.root AND e.thread IS NOT NULL
		AND e.deleted_at = 0 ORDER BY e.thread DESC, e.seq DESC LIMIT 1`
	rows, err := repo.db.QueryContext(ctx, `SELECT room_id, root, seq FROM (
			SELECT t.room_id, t.root, (SELECT e.seq `+last+`) AS seq, (SELECT e.at `+last+`) AS at
			FROM thread_marks t JOIN members m ON m.room_id = t.room_id AND m.user_id = t.user_id
			JOIN rooms r ON r.id = t.room_id AND r.kind <> 'gone'
			WHERE t.user_id = $1 AND t.following`+which+`) AS followed
		WHERE (at, room_id, seq) < ($2, $3, $4) ORDER BY at DESC, room_id DESC, seq DESC LIMIT $5`,
		user, c.At, c.Room, c.Seq, limit)
	if err != nil {
		return nil, err
	}
	threads, err = store.Collect(rows, func(rows *sql.Rows) (f domain.FollowedThread, err error) {
		err = rows.Scan(&f.Room, &f.Root, &f.Last.Seq)
		return f, err
	})
	if err != nil {
		return nil, err
	}
	for i := range threads {
		if err := repo.fillFollowed(ctx, user, &threads[i]); err != nil {
			return nil, err
		}
	}
	return threads, err
}

// fillFollowed reads the messages and marks of a thread.
func (repo *Repository) fillFollowed(ctx context.Context, user string, f *domain.FollowedThread) (err error) {
	last := f.Last.Seq
	if f.ThreadState, err = ThreadState(ctx, repo.db, user, f.Room, f.Root); err != nil {
		return err
	}
	found, err := Where(ctx, repo.db, `e.room_id = $1 AND e.seq IN ($2, $3) AND `+newMessages, f.Room, f.Root, last)
	for _, e := range found {
		if e.Seq == f.Root {
			f.First = e.Message
		} else {
			f.Last = *e.Message
		}
	}
	return err
}
