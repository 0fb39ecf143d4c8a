package previews_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A webhook keeps so many pictures for its messages and no more, and none beyond its room.
func TestAWebhookKeepsTheNewestPicturesOfItsMessages(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, room, user := t.Context(), testkit.Room(t, db, 2), testkit.UserID(1)
		image := found(t, db, tea)[0].Image
		give := func(user, url string, at int) string {
			t.Helper()
			i := image
			i.ID = fmt.Sprint("picture ", user, " ", at)
			id, err := db.Previews.AddFacePicture(ctx, room, user, url, i, time.UnixMilli(int64(at)))
			must(t, err)
			return id
		}
		for n := range domain.MaxFaces {
			give(user, fmt.Sprint("https://a.example/", n), n)
		}
		if id := give(user, "https://a.example/0", 1000); id != fmt.Sprint("picture ", user, " 0") {
			t.Errorf("what is there already has the id %q", id)
		}
		last := give(user, "https://a.example/last", 1001)
		for url, there := range map[string]bool{"https://a.example/0": false, "https://a.example/1": true,
			"https://a.example/last": true, "https://b.example": false} {
			if id, err := db.Previews.FacePicture(ctx, user, url); err != nil || (id != "") != there {
				t.Errorf("%s has the picture %q: %v", url, id, err)
			}
		}
		if i, err := db.Previews.Image(ctx, last); err != nil || i.Hash != image.Hash || i.Type != image.Type {
			t.Errorf("the picture is %+v: %v", i, err)
		}
		if _, err := db.Previews.Image(ctx, fmt.Sprint("picture ", user, " 0")); domain.KindOf(err) != domain.NotFound {
			t.Errorf("one that was too many is there: %v", err)
		}
		if id := give("usr_stranger", "https://a.example/x", 1); id != "" {
			t.Errorf("who is not in the room has the picture %q", id)
		}
		refs := func() int {
			t.Helper()
			var n int
			must(t, db.QueryRowContext(ctx, `SELECT count(*) FROM blob_refs WHERE holder LIKE 'face/%'`).Scan(&n))
			return n
		}
		if n := refs(); n != domain.MaxFaces {
			t.Errorf("%d files are kept", n)
		}
		if _, err := db.Rooms.DeleteRoom(ctx, testkit.UserID(0), room, time.Now()); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			p, err := db.Messages.PurgeDeleted(ctx, room, 1000)
			must(t, err)
			more = p.More
		}
		if n := refs(); n != 0 {
			t.Errorf("%d files are kept of a room that is gone", n)
		}
	})
}
