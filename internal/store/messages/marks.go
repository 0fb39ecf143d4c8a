package messages

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// MarkRead moves user's read mark forward to seq, at most to the room's head, and unless main is set the marks of
// all its threads as well: this is one write, after which nothing up to seq is unread. It moves back by MarkUnread
// alone.
func (repo *Repository) MarkRead(
	ctx context.Context, user, room string, seq int64, main bool, now time.Time,
) (mark domain.ReadMark, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := rooms.Readable(ctx, t, user, room, now)
		if err != nil {
			return err
		}
		seq := min(seq, r.Head)
		if _, err = t.ExecContext(ctx, raiseRead, room, user, seq); err != nil {
			return err
		}
		if !main {
			if _, err = t.ExecContext(ctx, raiseThreadsRead, room, user, seq); err != nil {
				return err
			}
		}
		mark, err = readMark(ctx, t, user, r)
		return err
	})
	return mark, err
}

// MarkUnread moves a read mark of user back, so that the message seq and those after it are unread again: that of the
// main timeline, or if the message is only in a thread, that of the thread, which user then follows. A mark that is
// there or before stays. Without a thread the answer has only a RoomMark.
func (repo *Repository) MarkUnread(
	ctx context.Context, user, room string, seq int64, now time.Time,
) (s domain.ThreadState, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, v, err := rooms.Readable(ctx, t, user, room, now)
		if err != nil {
			return err
		}
		m, err := roomlog.Message(ctx, t, v, seq)
		if err != nil {
			return err
		}
		if !m.Main() {
			s, err = markThreadUnread(ctx, t, user, r, m.Thread, seq)
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE members SET read_seq = $3 WHERE room_id = $1 AND user_id = $2 AND read_seq > $3`,
			room, user, seq-1)
		if err != nil {
			return err
		}
		s.RoomMark, err = readMark(ctx, t, user, r)
		s.RoomMark.Back = true
		return err
	})
	return s, err
}

// markThreadUnread has the reply seq in a thread and those after it be unread again.
func markThreadUnread(
	ctx context.Context, t *store.Tx, user string, r domain.Room, root, seq int64,
) (s domain.ThreadState, err error) {
	if err := lowerThreadsRead(ctx, t, user, r.ID, seq-1); err != nil {
		return s, err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO thread_marks (user_id, room_id, root, following, since, read_seq)
		VALUES ($1, $2, $3, TRUE, $4, $5) ON CONFLICT (user_id, room_id, root) DO UPDATE SET following = TRUE,
		since = CASE WHEN thread_marks.following AND thread_marks.since < $4 THEN thread_marks.since ELSE $4 END,
		read_seq = CASE WHEN thread_marks.read_seq > $5 THEN $5 ELSE thread_marks.read_seq END`,
		user, r.ID, root, seq, seq-1)
	if err != nil {
		return s, err
	}
	mark, err := readMark(ctx, t, user, r)
	if err != nil {
		return s, err
	}
	s, err = roomlog.ThreadState(ctx, t, user, r.ID, root)
	s.RoomMark, s.Back = mark, true
	return s, err
}

// lowerThreadsRead moves the mark of all threads of a room back to seq. What user has read by it stays read: the
// threads that they follow, or that name them, get marks of their own.
func lowerThreadsRead(ctx context.Context, t *store.Tx, user, room string, seq int64) error {
	var was int64
	err := t.QueryRowContext(ctx, `SELECT threads_read FROM members WHERE room_id = $1 AND user_id = $2`+t.ForUpdate(),
		room, user).Scan(&was)
	if err != nil || was <= seq {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE thread_marks SET read_seq = $3
		WHERE user_id = $1 AND room_id = $2 AND read_seq < $3`, user, room, was)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO thread_marks (user_id, room_id, root, read_seq)
		SELECT $1, $2, thread, $3 FROM (
			SELECT thread FROM mentions WHERE user_id = $1 AND room_id = $2 AND seq > $4 AND seq <= $3 AND thread IS NOT NULL
			UNION SELECT thread FROM events WHERE room_id = $2 AND seq > $4 AND seq <= $3 AND mention_room
				AND thread IS NOT NULL) AS named
		WHERE thread IS NOT NULL ON CONFLICT DO NOTHING`, user, room, was, seq)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE members SET threads_read = $3 WHERE room_id = $1 AND user_id = $2`, room, user,
		seq)
	return err
}

// readMark reads how far user has read in r. If nothing is unread in its threads, the mark of all of them moves to
// the head of r, which was read before: what comes later stays unread. So the threads are looked at only while
// there is something new.
func readMark(ctx context.Context, t *store.Tx, user string, r domain.Room) (mark domain.ReadMark, err error) {
	var m roomlog.Marks
	err = t.QueryRowContext(ctx, `SELECT read_seq, threads_read FROM members WHERE room_id = $1 AND user_id = $2`, r.ID,
		user).Scan(&m.Read, &m.Threads)
	if err != nil {
		return mark, err
	}
	mark = domain.ReadMark{Room: r.ID, Seq: m.Read}
	if mark.Unread, err = roomlog.Unread(ctx, t, user, r, m); err != nil || m.Threads >= r.Replied {
		return mark, err
	}
	threads, mentions, err := roomlog.UnreadThreads(ctx, t, user, r.ID, m)
	if err == nil && threads == 0 && mentions == 0 {
		_, err = t.ExecContext(ctx, raiseThreadsRead, r.ID, user, r.Head)
	}
	return mark, err
}

// MarkThread moves user's read mark in a thread forward to seq, at most to the room's head.
func (repo *Repository) MarkThread(
	ctx context.Context, user, room string, root, seq int64, now time.Time,
) (s domain.ThreadState, err error) {
	return repo.changeThread(ctx, user, room, root, now, func(ctx context.Context, t *store.Tx, r domain.Room) error {
		_, err := t.ExecContext(ctx, `INSERT INTO thread_marks (user_id, room_id, root, read_seq) VALUES ($1, $2, $3, $4)
			ON CONFLICT (user_id, room_id, root) DO UPDATE SET read_seq = excluded.read_seq
			WHERE thread_marks.read_seq < excluded.read_seq`, user, room, root, min(seq, r.Head))
		return err
	})
}

// FollowThread has user follow a thread, or not any longer. What was written before is not unread for a new follower.
func (repo *Repository) FollowThread(
	ctx context.Context, user, room string, root int64, following bool, now time.Time,
) (s domain.ThreadState, err error) {
	return repo.changeThread(ctx, user, room, root, now, func(ctx context.Context, t *store.Tx, r domain.Room) error {
		_, err := t.ExecContext(ctx, `INSERT INTO thread_marks (user_id, room_id, root, following, since)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, room_id, root) DO UPDATE SET following = excluded.following,
			since = excluded.since WHERE thread_marks.following IS NULL OR thread_marks.following <> excluded.following`,
			user, room, root, following, r.Head+1)
		return err
	})
}

// changeThread carries out a change to what user has read of a thread, or whether they follow it.
func (repo *Repository) changeThread(
	ctx context.Context, user, room string, root int64, now time.Time,
	change func(context.Context, *store.Tx, domain.Room) error,
) (s domain.ThreadState, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := rooms.Readable(ctx, t, user, room, now)
		if err != nil {
			return err
		}
		if err := roomlog.CheckRoot(ctx, t, room, root); err != nil {
			return err
		}
		if err := change(ctx, t, r); err != nil {
			return err
		}
		mark, err := readMark(ctx, t, user, r)
		if err != nil {
			return err
		}
		s, err = roomlog.ThreadState(ctx, t, user, room, root)
		s.RoomMark = mark
		return err
	})
	return s, err
}

// FollowThreads has user follow each thread of a room that gets a reply from now on, or not any longer. Threads that
// they have stopped following are left out, and those that they follow stay.
func (repo *Repository) FollowThreads(
	ctx context.Context, user, room string, following bool, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := rooms.Readable(ctx, t, user, room, now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE members SET follow_threads = $3 WHERE room_id = $1 AND user_id = $2`, room, user,
			following)
		return err
	})
}
