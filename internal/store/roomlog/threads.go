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
	wanted := func(r Row, _ *domain.Message) bool { return r.threaded }
	for room, messages := range byRoom(rows, wanted) {
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

// CheckRoot returns an error if no thread can begin with a message. That of a thread may have been purged.
func CheckRoot(ctx context.Context, t *store.Tx, room string, seq int64) error {
	root, ok, err := RootOf(ctx, t, room, seq)
	switch {
	case err != nil:
		return err
	case ok && root.Thread != 0:
		return domain.InvalidField("/thread", "message %d is in the thread of message %d: name that one", seq, root.Thread)
	case ok:
		return nil
	}
	var one int
	err = t.QueryRowContext(ctx, `SELECT 1 FROM events WHERE room_id = $1 AND thread = $2 AND thread IS NOT NULL
		AND deleted_at = 0 LIMIT 1`, room, seq).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.ErrNoMessage(seq)
	}
	return err
}

// RequireRoot returns the message seq of room, or an error if no thread can begin with it.
func RequireRoot(ctx context.Context, q store.Queryer, room string, seq int64) (Root, error) {
	root, ok, err := RootOf(ctx, q, room, seq)
	switch {
	case err != nil:
		return root, err
	case !ok:
		return root, domain.InvalidField("/thread", "there is no message %d in this room", seq)
	case root.Thread != 0:
		return root, domain.InvalidField("/thread", "message %d is in the thread of message %d: name that one", seq,
			root.Thread)
	case root.Deleted && !root.Threaded:
		return root, domain.Conflict.Errorf(domain.CodeMessageDeleted,
			"this message was deleted: nobody can begin a thread with it")
	}
	return root, nil
}

// RequireMessage returns an error if v shows no message seq, or if it was deleted.
func RequireMessage(ctx context.Context, q store.Queryer, v domain.View, seq int64) error {
	if err := v.Require(seq); err != nil {
		return err
	}
	var deleted int64
	err := q.QueryRowContext(ctx, `SELECT deleted_at FROM events e WHERE e.room_id = $1 AND e.seq = $2 AND `+
		newMessages, v.Room, seq).Scan(&deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return domain.ErrNoMessage(seq)
	case err == nil && deleted != 0:
		return domain.Conflict.Errorf(domain.CodeMessageDeleted, "this message was deleted")
	}
	return err
}

// Thread returns a page of the replies in the thread of a message that v shows: the last ones before a number, or with
// q.After the first ones after it. Deleted replies are left out.
func (repo *Repository) Thread(
	ctx context.Context, v domain.View, root int64, q domain.PageQuery,
) (page domain.Page, err error) {
	place := q.Before
	if place <= 0 {
		place = maxSeq
	}
	side, args := `e.seq > $4 AND e.seq < $5 ORDER BY e.thread DESC, e.seq DESC`, []any{v.Since, place}
	if q.After > 0 {
		side, args = `e.seq > $4 ORDER BY e.thread, e.seq`, []any{v.After(q.After)}
	}
	events, err := readEvents(ctx, repo.db, v, `SELECT `+lineColumns+lineTables+` WHERE e.room_id = $1 AND e.thread = $2
		AND e.thread IS NOT NULL AND e.deleted_at = 0 AND `+side+` LIMIT $3`,
		append([]any{v.Room, root, q.Limit + 1}, args...))
	if err != nil {
		return page, err
	}
	more := len(events) > q.Limit
	page.Events = events[:min(q.Limit, len(events))]
	if q.After > 0 {
		page.Older, page.Newer = q.After > v.Since, more
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
		AND e.deleted_at = 0 AND e.seq > m.since ORDER BY e.thread DESC, e.seq DESC LIMIT 1`
	rows, err := repo.db.QueryContext(ctx, `SELECT room_id, root, seq, since FROM (
			SELECT t.room_id, t.root, m.since, (SELECT e.seq `+last+`) AS seq, (SELECT e.at `+last+`) AS at
			FROM thread_marks t JOIN members m ON m.room_id = t.room_id AND m.user_id = t.user_id
			JOIN rooms r ON r.id = t.room_id AND r.kind <> 'gone'
			WHERE t.user_id = $1 AND t.following`+which+`) AS followed
		WHERE (at, room_id, seq) < ($2, $3, $4) ORDER BY at DESC, room_id DESC, seq DESC LIMIT $5`,
		user, c.At, c.Room, c.Seq, limit)
	if err != nil {
		return nil, err
	}
	var views []domain.View
	threads, err = store.Collect(rows, func(rows *sql.Rows) (f domain.FollowedThread, err error) {
		var since int64
		err = rows.Scan(&f.Room, &f.Root, &f.Last.Seq, &since)
		views = append(views, domain.View{Room: f.Room, Since: since})
		return f, err
	})
	if err != nil {
		return nil, err
	}
	for i := range threads {
		if err := repo.fillFollowed(ctx, user, views[i], &threads[i]); err != nil {
			return nil, err
		}
	}
	return threads, err
}

// fillFollowed reads the messages and marks of a thread. A first message that v does not show is left out.
func (repo *Repository) fillFollowed(
	ctx context.Context, user string, v domain.View, f *domain.FollowedThread,
) (err error) {
	last := f.Last.Seq
	if f.ThreadState, err = ThreadState(ctx, repo.db, user, f.Room, f.Root); err != nil {
		return err
	}
	found, err := Where(ctx, repo.db, v, `e.room_id = $1 AND e.seq IN ($2, $3) AND `+newMessages, f.Room, f.Root, last)
	for _, e := range found {
		switch {
		case e.Message.Hidden:
		case e.Seq == f.Root:
			f.First = e.Message
		default:
			f.Last = *e.Message
		}
	}
	return err
}

// MessagesAround returns up to n messages of v before m and n after it, of the main timeline or of the thread of m, in
// their order and without m. They quote nothing but one another and m.
func MessagesAround(
	ctx context.Context, q store.Queryer, v domain.View, m domain.Message, n int,
) ([]domain.Message, error) {
	where := `e.room_id = $1 AND ` + newMessages + ` AND (e.thread IS NULL OR e.broadcast)`
	args := []any{v.Room, v.After(m.Seq), n}
	if m.Thread != 0 && !m.Broadcast {
		where, args = `e.room_id = $1 AND `+newMessages+` AND e.thread = $4`, append(args, m.Thread)
	}
	earlier := append(slices.Clone(args), v.Since)
	before, err := Brief(ctx, q, v, where+` AND e.seq < $2 AND e.seq > `+store.Placeholders(len(earlier), 1)+
		` ORDER BY e.seq DESC LIMIT $3`, earlier...)
	if err != nil {
		return nil, err
	}
	after, err := Brief(ctx, q, v, where+` AND e.seq > $2 ORDER BY e.seq LIMIT $3`, args...)
	if err != nil {
		return nil, err
	}
	slices.Reverse(before)
	shown := map[int64]bool{m.Seq: true}
	all := make([]domain.Message, 0, len(before)+len(after))
	for _, e := range append(before, after...) {
		shown[e.Seq], all = true, append(all, *e.Message)
	}
	for i := range all {
		if quote := all[i].ReplyTo; quote != nil && !shown[quote.Seq] {
			all[i].ReplyTo = nil
		}
	}
	return all, nil
}
