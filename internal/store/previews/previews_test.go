package previews_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

const (
	tea   = "https://example.org/tea"
	toast = "https://example.org/toast"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// switchTo switches the previews of a room.
func switchTo(t *testing.T, db *all.Store, room string, on bool) {
	t.Helper()
	_, err := db.Rooms.UpdateRoom(t.Context(), testkit.UserID(0), room, domain.RoomChange{Previews: &on}, time.Now())
	must(t, err)
}

// found is what the pages of links say, each with a picture and an icon.
func found(t *testing.T, db *all.Store, links ...string) []domain.LinkPreview {
	t.Helper()
	all := make([]domain.LinkPreview, len(links))
	for i, link := range links {
		hash := fmt.Sprintf("%064x", i+1)
		blob := domain.Blob{Hash: hash, Size: 3, Type: "image/jpeg", Object: hash}
		_, err := db.Blobs.AddBlob(t.Context(), blob, time.Now())
		must(t, err)
		all[i] = domain.LinkPreview{URL: link, Title: "Page " + link, Image: domain.PreviewImage{
			ID: rand.Text(), Hash: hash, Type: "image/jpeg", Width: 4, Height: 3, Alt: "a page"},
			Icon: domain.PreviewImage{ID: rand.Text(), Hash: hash, Type: "image/png"}}
	}
	return all
}

func add(t *testing.T, db *all.Store, room string, seq int64, want bool, p ...domain.LinkPreview) {
	t.Helper()
	if added, err := db.Previews.Add(t.Context(), room, seq, p, time.Now()); err != nil || added != want {
		t.Errorf("added %v, and not %v; %v", added, want, err)
	}
}

// shown returns the links of a message that have a preview.
func shown(t *testing.T, db *all.Store, room string, seq int64) (links []string) {
	t.Helper()
	m, err := db.Log.MessageAt(t.Context(), domain.WholeLog(room), seq)
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	must(t, err)
	for _, p := range m.Previews {
		links = append(links, p.URL)
	}
	return links
}

// pictures returns how many pictures are kept for previews, each with an icon.
func pictures(t *testing.T, db *all.Store) (n int) {
	t.Helper()
	must(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM blob_refs WHERE holder LIKE 'preview/%'`).Scan(&n))
	if n%2 != 0 {
		t.Errorf("%d pictures and icons are kept", n)
	}
	return n / 2
}

func want(t *testing.T, db *all.Store, when, room string, seq int64, pics int, links ...string) {
	t.Helper()
	if got := shown(t, db, room, seq); !slices.Equal(got, links) {
		t.Errorf("%s: previews of %v, and not of %v", when, got, links)
	}
	if n := pictures(t, db); n != pics {
		t.Errorf("%s: %d pictures are kept, and not %d", when, n, pics)
	}
}

// Previews are stored in the order of the links, once, with their pictures. They go with their links, their message and
// their room, and the pictures with them.
func TestPreviews(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 2)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		text := strings.Join([]string{tea, toast}, " and ")
		seq := testkit.Say(t, db, bob, room, "1", text).Seq
		wanted := func() []string {
			links, err := db.Previews.Wanted(ctx, room, seq, []string{tea, toast})
			must(t, err)
			return links
		}
		pages := found(t, db, tea, toast, "https://example.org/else")
		if links := wanted(); links != nil {
			t.Errorf("in a room without previews %v are wanted", links)
		}
		add(t, db, room, seq, false, pages...)
		switchTo(t, db, room, true)
		if links := wanted(); !slices.Equal(links, []string{tea, toast}) {
			t.Errorf("wanted are %v", links)
		}
		add(t, db, room, seq, true, pages[1])
		add(t, db, room, seq, true, pages[0], pages[2]) // the last is no link of the message
		add(t, db, room, seq, false, pages...)
		want(t, db, "once they are added", room, seq, 2, tea, toast)
		if links := wanted(); len(links) != 0 {
			t.Errorf("wanted are still %v", links)
		}
		for _, p := range []domain.PreviewImage{pages[0].Image, pages[0].Icon} {
			i, err := db.Previews.Image(ctx, p.ID)
			if p.Alt = ""; err != nil || i != p { // it is told with the message
				t.Errorf("the picture %+v is %+v, %v", p, i, err)
			}
		}
		m, err := db.Log.MessageAt(ctx, domain.WholeLog(room), seq)
		must(t, err)
		if p := m.Previews[0]; p.Image.Alt != "a page" || p.Icon.ID != pages[0].Icon.ID {
			t.Errorf("the message has %+v", p)
		}
		for _, id := range []string{"", "nothing"} {
			if _, err := db.Previews.Image(ctx, id); domain.CodeOf(err) != domain.CodeNoSuchFile {
				t.Errorf("picture %q: %v", id, err)
			}
		}
		// What is taken away is not wanted again, even after an edit that has the link still.
		must(t, db.Previews.Remove(ctx, bob, room, seq, toast, now))
		want(t, db, "one is taken away", room, seq, 1, tea)
		_, err = db.Messages.EditMessage(ctx, bob, room, seq, "only "+toast, nil, false, now)
		must(t, err)
		want(t, db, "the other's link is gone", room, seq, 0)
		if links := wanted(); !slices.Equal(links, []string{tea}) {
			t.Errorf("after both, wanted are %v", links)
		}
		add(t, db, room, seq, false, pages...)
		for _, text := range []string{"none", text} {
			_, err := db.Messages.EditMessage(ctx, bob, room, seq, text, nil, false, now)
			must(t, err)
		}
		if links := wanted(); !slices.Equal(links, []string{tea}) {
			t.Errorf("once both links are there again, wanted are %v", links)
		}

		// With the message, they go as well; what is found later is left out.
		second := testkit.Say(t, db, bob, room, "2", text).Seq
		add(t, db, room, second, true, found(t, db, tea)...)
		_, err = db.Messages.DeleteMessage(ctx, ann, room, second, now)
		must(t, err)
		want(t, db, "the message is deleted", room, second, 0)
		add(t, db, room, second, false, pages...)
		add(t, db, room, 9999, false, pages...)
		add(t, db, domain.NewID(domain.RoomPrefix), 1, false, pages...)

		// What is purged takes them along.
		third := testkit.Say(t, db, bob, room, "3", text).Seq
		add(t, db, room, third, true, found(t, db, tea, toast)...)
		want(t, db, "before it is purged", room, third, 2, tea, toast)
		_, err = db.Messages.Purge(ctx, room, domain.PurgeStep{Before: now.Add(time.Hour), Limit: 100})
		must(t, err)
		want(t, db, "after it is purged", room, third, 0)

		// And the room, with all that it has.
		fourth := testkit.Say(t, db, bob, room, "4", text).Seq
		add(t, db, room, fourth, true, found(t, db, tea, toast)...)
		_, err = db.Rooms.DeleteRoom(ctx, ann, room, now)
		must(t, err)
		add(t, db, room, fourth, false, pages...)
		_, err = db.Messages.PurgeDeleted(ctx, room, 100)
		must(t, err)
		if n := pictures(t, db); n != 0 {
			t.Errorf("a deleted room has %d pictures", n)
		}
		must(t, db.Check(ctx))
	})
}

// Previews from before step 88 have no icon, and no words for their picture. They are shown, and go, as they did.
func TestPreviewsFromBeforeIcons(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, room := t.Context(), testkit.Room(t, db, 1)
		switchTo(t, db, room, true)
		for n, link := range []string{tea, toast} { // two: what both lack must not be one
			seq := testkit.Say(t, db, testkit.UserID(0), room, fmt.Sprint(n), link).Seq
			must(t, db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.ExecContext(ctx, `INSERT INTO link_previews (room_id, seq, url, n, title, image_id, image_hash,
					image_type, width, height) VALUES ($1, $2, $3, 0, 'Old', $4, 'hash', 'image/jpeg', 4, 3)`, room, seq, link,
					fmt.Sprint("old", n))
				return err
			}))
			m, err := db.Log.MessageAt(ctx, domain.WholeLog(room), seq)
			must(t, err)
			old := domain.LinkPreview{URL: link, Title: "Old",
				Image: domain.PreviewImage{ID: fmt.Sprint("old", n), Width: 4, Height: 3}}
			if len(m.Previews) != 1 || m.Previews[0] != old {
				t.Errorf("it is shown as %+v", m.Previews)
			}
			must(t, db.Previews.Remove(ctx, testkit.UserID(0), room, seq, "", time.Now()))
			if links := shown(t, db, room, seq); len(links) != 0 {
				t.Errorf("after it was taken away: %v", links)
			}
		}
	})
}

// Who may switch previews, and who may take them away.
func TestWhoMayChangePreviews(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		ann, bob, carl := testkit.UserID(0), testkit.UserID(1), testkit.UserID(2)
		stranger := domain.NewID(domain.UserPrefix)
		on, off := true, false
		change := func(user, room string, to *bool) domain.Code {
			_, err := db.Rooms.UpdateRoom(ctx, user, room, domain.RoomChange{Previews: to}, now)
			return domain.CodeOf(err)
		}
		for user, code := range map[string]domain.Code{ann: "", bob: domain.CodeRoleTooLow} {
			if got := change(user, room, &on); got != code {
				t.Errorf("%s switches them on: %q, and not %q", user, got, code)
			}
		}
		if got := change(stranger, room, &on); got == "" {
			t.Error("a stranger switches them on")
		}
		direct, _, err := db.Rooms.CreateRoom(ctx, ann, domain.NewRoom{Kind: domain.DirectRoom, Members: []string{bob}}, now)
		must(t, err)
		for _, user := range []string{ann, bob} {
			if got := change(user, direct.Room.ID, &on); got != "" {
				t.Errorf("%s switches them on in a direct conversation: %q", user, got)
			}
		}
		seq := testkit.Say(t, db, bob, room, "1", tea).Seq
		add(t, db, room, seq, true, found(t, db, tea)...)
		for _, user := range []string{carl, stranger} {
			if err := db.Previews.Remove(ctx, user, room, seq, "", now); domain.CodeOf(err) == "" {
				t.Errorf("%s takes the preview of another away", user)
			}
		}
		if err := db.Previews.Remove(ctx, ann, room, 9999, "", now); domain.CodeOf(err) != domain.CodeNoMessage {
			t.Errorf("of no message: %v", err)
		}
		must(t, db.Previews.Remove(ctx, ann, room, seq, "https://example.org/else", now))
		want(t, db, "another link is named", room, seq, 1, tea)
		must(t, db.Previews.Remove(ctx, ann, room, seq, "", now))
		must(t, db.Previews.Remove(ctx, ann, room, seq, "", now))
		want(t, db, "the owner of the room takes it away", room, seq, 0)

		// Switched off, or archived, a room gets no more; what is there stays.
		second := testkit.Say(t, db, bob, room, "2", tea+" "+toast).Seq
		pages := found(t, db, tea, toast)
		add(t, db, room, second, true, pages[0])
		if got := change(ann, room, &off); got != "" {
			t.Error(got)
		}
		add(t, db, room, second, false, pages[1])
		switchTo(t, db, room, true)
		archived := true
		_, err = db.Rooms.UpdateRoom(ctx, ann, room, domain.RoomChange{Archived: &archived}, now)
		must(t, err)
		add(t, db, room, second, false, pages[1])
		want(t, db, "archived", room, second, 1, tea)
		if got := change(ann, room, &off); got != domain.CodeRoomArchived {
			t.Errorf("in an archived room: %q", got)
		}
	})
}

// Who has links come and go, and takes the preview of each away, grows a message no further.
func TestFewRemovedPreviewsAreRemembered(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room, ann := testkit.Room(t, db, 1), testkit.UserID(0)
		switchTo(t, db, room, true)
		seq := testkit.Say(t, db, ann, room, "1", tea).Seq
		for i := range 30 {
			link := fmt.Sprint("https://example.org/", i)
			_, err := db.Messages.EditMessage(ctx, ann, room, seq, link, nil, false, now)
			must(t, err)
			must(t, db.Previews.Remove(ctx, ann, room, seq, "", now))
			if left, err := db.Previews.Wanted(ctx, room, seq, []string{link}); err != nil || len(left) != 0 {
				t.Errorf("%s is wanted after it was taken away: %v %v", link, left, err)
			}
		}
		var rows int
		must(t, db.QueryRowContext(ctx, `SELECT COUNT(*) FROM link_previews`).Scan(&rows))
		if rows > 20 {
			t.Errorf("%d previews are remembered", rows)
		}
	})
}
