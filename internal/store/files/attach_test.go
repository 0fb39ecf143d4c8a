package files_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A file that is posted again while the message that had it is deleted stays.
func TestAFileStaysThatIsPostedAgainMeanwhile(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, me := t.Context(), testkit.UserID(0)
		room := testkit.Room(t, db, 2)
		other, _, err := db.Rooms.CreateRoom(ctx, me, domain.NewRoom{Kind: domain.PublicRoom, Name: "Other"}, now)
		must(t, err)
		f := ready(t, db, me, room, 1)
		e := post(t, db, room, "1", f.ID)
		deleted := make(chan error, 1)
		begin := sync.OnceFunc(func() {
			go func() {
				_, err := db.Messages.DeleteMessage(ctx, me, room, e.Seq, now)
				deleted <- err
			}()
		})
		must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			if _, err := files.Attach(ctx, tx, me, other.Room.ID, 99, []string{f.ID}); err != nil {
				return err
			}
			begin()
			return awaitWaiting(ctx, db, tx)
		}))
		must(t, <-deleted)
		wantKept(t, db, "one of two messages is deleted", 1)
		var posted int
		must(t, db.QueryRowContext(ctx, `SELECT count(*) FROM attachments WHERE seq = 99`).Scan(&posted))
		if posted != 1 {
			t.Errorf("the other message has %d files", posted)
		}
	})
}

// awaitWaiting waits until another transaction waits for a lock. SQLite begins none meanwhile.
func awaitWaiting(ctx context.Context, db *all.Store, tx *store.Tx) error {
	if tx.Name() == "sqlite" {
		return nil
	}
	tick, late := time.NewTicker(5*time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for {
		waiting := false
		err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		if err != nil || waiting {
			return err
		}
		select {
		case <-late:
			return errors.New("nobody waits for the file")
		case <-tick.C:
		}
	}
}
