package messages_test

import (
	"testing"
	"time"

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
