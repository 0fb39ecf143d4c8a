package messages

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// acceptReply checks the thread of a reply. The reply answers the first message of its thread if it names no other.
func acceptReply(ctx context.Context, t *store.Tx, a *pendingMessage) error {
	root, err := roomlog.RequireRoot(ctx, t, a.draft.Room, a.draft.Thread)
	if err != nil {
		return err
	}
	a.root = root
	if a.draft.ReplyTo == 0 {
		a.draft.ReplyTo = a.draft.Thread
	}
	return nil
}

// follower is a user who follows a thread from a reply on, unless they have chosen not to follow it.
type follower struct {
	user, room string
	root       int64
	since      int64 // number of the reply
	own        bool  // they wrote the reply: then they follow in any case
}

// followersOf returns who follows a thread by reason of a reply: who wrote it, whom it names, and with the first
// reply who wrote the first message, and whom that names. Those who follow all threads are not among them.
func followersOf(m *domain.Message, root roomlog.Root) []follower {
	fs := []follower{{m.Sender.ID, m.Room, m.Thread, m.Seq, true}}
	add := func(users ...string) {
		for _, user := range users {
			if user != m.Sender.ID {
				fs = append(fs, follower{user, m.Room, m.Thread, m.Seq, false})
			}
		}
	}
	add(m.Mentions...)
	if !root.Threaded {
		add(root.Sender)
		add(root.Mentions...)
	}
	return fs
}

// What makes users follow threads. The last line is what a user with a row already follows by. A user who is no
// member follows nothing.
const (
	follow = `INSERT INTO thread_marks (user_id, room_id, root, following, since) `
	unless = ` ON CONFLICT (user_id, room_id, root) DO UPDATE SET following = TRUE, since = excluded.since
		WHERE thread_marks.following IS NULL`
	followAll = follow + `SELECT user_id, room_id, CAST($2 AS BIGINT), TRUE, CAST($3 AS BIGINT) FROM members
		WHERE room_id = $1 AND follow_threads` + unless
	followOne = follow + `SELECT user_id, room_id, CAST($3 AS BIGINT), TRUE, CAST($4 AS BIGINT) FROM members
		WHERE room_id = $1 AND user_id = $2` + unless
	orChosen   = ` OR NOT thread_marks.following`
	threadFrom = `UPDATE events SET threaded = TRUE WHERE room_id = $1 AND seq = $2 AND NOT threaded`
)

// writeFollowers writes who follows the threads of replies from now on.
func writeFollowers(ctx context.Context, t *store.Tx, as []*pendingMessage) error {
	return eachFollow(as, func(statement string, args ...any) error {
		_, err := t.ExecContext(ctx, statement, args...)
		return err
	})
}

func queueFollowers(b *pgx.Batch, as []*pendingMessage) {
	_ = eachFollow(as, func(statement string, args ...any) error {
		b.Queue(statement, args...)
		return nil
	})
}

// eachFollow calls do for each statement that replies need besides that which writes them.
func eachFollow(as []*pendingMessage, do func(statement string, args ...any) error) error {
	for _, a := range as {
		m := a.event.Message
		if m.Thread == 0 {
			continue
		}
		if !a.root.Threaded {
			if err := do(threadFrom, m.Room, m.Thread); err != nil {
				return err
			}
		}
		if err := do(followAll, m.Room, m.Thread, m.Seq); err != nil {
			return err
		}
		for _, f := range followersOf(m, a.root) {
			if err := f.write(do); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f follower) write(do func(statement string, args ...any) error) error {
	statement := followOne
	if f.own {
		statement += orChosen
	}
	return do(statement, f.room, f.user, f.root, f.since)
}

// followMentioned has those follow a thread who are named in one of its replies.
func followMentioned(ctx context.Context, t *store.Tx, m *domain.Message) error {
	if m.Thread == 0 {
		return nil
	}
	for _, user := range m.Mentions {
		f := follower{user, m.Room, m.Thread, m.Seq, false}
		err := f.write(func(statement string, args ...any) error {
			_, err := t.ExecContext(ctx, statement, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// NewFollowers returns the users who follow a thread since a reply in it.
func (repo *Repository) NewFollowers(ctx context.Context, room string, root, since int64) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT user_id FROM thread_marks WHERE room_id = $1 AND root = $2
		AND since = $3 AND following`, room, root, since)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}
