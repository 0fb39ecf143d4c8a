package messages_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// With a message so many replies are counted, and so many of those who wrote the first ones are listed, each once. What
// is beyond stays in the thread, and its last reply is known.
func TestRepliesOfAMessageAreBounded(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, most := t.Context(), domain.MaxRepliers
		room := testkit.Room(t, db, most+2)
		root := testkit.Say(t, db, testkit.UserID(0), room, "root", "Tea?").Seq
		last := root
		var users []string
		for i := range most {
			users = append(users, testkit.UserID(i+1))
		}
		reply := func(user int) {
			t.Helper()
			e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(user), domain.Draft{Room: room, Thread: root,
				Key: fmt.Sprint("after ", last), Text: "yes"}, nil, false, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			last = e.Seq
		}
		shown := func(count, by int) {
			t.Helper()
			page, err := db.Log.Timeline(ctx, domain.WholeLog(room), domain.PageQuery{Limit: 50, Main: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				if e.Seq != root {
					continue
				}
				r := e.Message.Replies
				if r.Count != count || r.Last != last || !slices.Equal(ids(r.Users), users[:by]) {
					t.Errorf("%d replies by %v, the last one %d, not %d by %d, %d", r.Count, r.Users, r.Last, count, by, last)
				}
			}
		}
		for user := 1; user <= most; user++ {
			reply(user)
			reply(user)
		}
		shown(2*most, most)
		reply(most + 1)
		shown(2*most+1, most)

		// The others are copies of the last one, since only their number matters.
		copies := domain.MaxRepliesCounted - (2*most + 1)
		err := db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n
				WHERE i < $3) INSERT INTO events (room_id, seq, at, type, actor_id, text, thread)
				SELECT room_id, seq + i, at, type, actor_id, text, thread FROM events, n WHERE room_id = $1 AND seq = $2`,
				room, last, copies)
			if err != nil {
				return err
			}
			last += int64(copies)
			tx.Invalidate()
			_, err = tx.ExecContext(ctx, `UPDATE rooms SET head = $2 WHERE id = $1`, room, last)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		shown(domain.MaxRepliesCounted, most)
		reply(2)
		shown(domain.MaxRepliesCounted, most)
		page, err := db.Log.Thread(ctx, domain.WholeLog(room), root, domain.PageQuery{Limit: 2 * domain.MaxRepliesCounted})
		if err != nil || len(page.Events) != domain.MaxRepliesCounted+1 {
			t.Errorf("the thread has %d replies, %v", len(page.Events), err)
		}
	})
}

func ids(users []domain.UserRef) (all []string) {
	for _, u := range users {
		all = append(all, u.ID)
	}
	return all
}
