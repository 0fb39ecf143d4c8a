package messages_test

import (
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// An edited message is found by its new words, whether or not it was indexed before the edit.
func TestAnEditedMessageIsFound(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 1)
		user := testkit.UserID(0)
		for _, indexed := range []bool{false, true} {
			e := testkit.Say(t, db, user, room, map[bool]string{false: "a", true: "b"}[indexed], "water the potato")
			if indexed {
				eventually(t, "the message", func() bool { return len(find(t, db, user, "potato")) == 1 })
			}
			if _, err := db.Messages.EditMessage(t.Context(), user, room, e.Seq, "water the tomatoes", nil, false,
				time.Now()); err != nil {
				t.Fatal(err)
			}
			want := map[bool]int{false: 1, true: 2}[indexed]
			eventually(t, "the edited message", func() bool {
				return len(find(t, db, user, "tomat*")) == want && len(find(t, db, user, "tomatoes")) == want
			})
		}
	})
}

// Two devices of the author tick at once: both ticks stay. A tick that is there changes nothing.
func TestTicksOfTwoDevicesBothStay(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		e := testkit.Say(t, db, testkit.UserID(0), room, "a", "- [ ] tea\n- [ ] milk\n- [ ] bread")
		tick := func(user string, n int, task string) (domain.Event, error) {
			return db.Messages.Tick(t.Context(), user, room, e.Seq, domain.Ticking{N: n, Task: task, Done: true}, time.Now())
		}
		var both sync.WaitGroup
		for n, task := range []string{"tea", "milk"} {
			both.Go(func() {
				if _, err := tick(testkit.UserID(0), n+1, task); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		again, err := tick(testkit.UserID(0), 1, "tea")
		if err != nil || again.Seq != 0 || again.Message.Text != "- [x] tea\n- [x] milk\n- [ ] bread" {
			t.Fatalf("%+v, %v", again, err)
		}
		if again.Message.Edits != 2 {
			t.Errorf("%d edits", again.Message.Edits)
		}
		for user, code := range map[string]domain.Code{
			testkit.UserID(0): domain.CodeNoTask, testkit.UserID(1): domain.CodeNotYours,
		} {
			if _, err := tick(user, 3, "butter"); domain.CodeOf(err) != code {
				t.Errorf("%s: %v", user, err)
			}
		}
	})
}
