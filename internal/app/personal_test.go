package app_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

// framesOf connects c, and returns the frames of a type that come.
func framesOf[T any](t *testing.T, c *client.Client, typ string) <-chan T {
	t.Helper()
	frames := make(chan T, 100)
	l := c.Live(t.Context(), client.LiveOptions{OnOther: func(kind string, data json.RawMessage) {
		var v T
		if kind != typ {
			return
		}
		if err := json.Unmarshal(data, &v); err != nil {
			t.Error(err)
		}
		frames <- v
	}})
	t.Cleanup(l.Close)
	must(t, l.Ready(t.Context()))
	return frames
}

// What a person saves and begins to write is at all their devices, on all nodes, and at nobody else's.
func TestSavedMessagesAndDraftsFollowAPerson(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
		must(t, err)
		must(t, ann.Add(ctx, room.ID, id(t, bob)))
		said, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: "scones: flour, butter, milk"})
		must(t, err)
		saves, drafts := framesOf[wire.SavedChanged](t, bob, wire.TypeSaved), framesOf[wire.Draft](t, bob, wire.TypeDraft)
		annSaves := framesOf[wire.SavedChanged](t, ann, wire.TypeSaved)

		must(t, bob.Save(ctx, room.ID, said.Seq))
		must(t, bob.Save(ctx, room.ID, said.Seq)) // tells nobody
		must(t, bob.Unsave(ctx, room.ID, said.Seq))
		for _, want := range []bool{true, false} {
			if got := next(t, saves); got != (wire.SavedChanged{Room: room.ID, Seq: said.Seq, Saved: want}) {
				t.Errorf("bob is told %+v", got)
			}
		}
		must(t, bob.Save(ctx, room.ID, said.Seq))
		must(t, ann.Save(ctx, room.ID, said.Seq)) // the first that she is told of
		if got := next(t, annSaves); !got.Saved || got.Seq != said.Seq {
			t.Errorf("ann is told %+v", got)
		}
		must(t, ann.Unsave(ctx, room.ID, said.Seq))
		if all, more, err := ann.Saved(ctx, ""); err != nil || len(all) != 0 || more != "" {
			t.Errorf("ann has saved %+v, %v", all, err)
		}

		kept, err := bob.PutDraft(ctx, client.StoredDraft{Room: room.ID, Text: "and cream\r\n"})
		must(t, err)
		if got := next(t, drafts); got != kept || got.Text != "and cream" {
			t.Errorf("bob is told of the draft %+v, which is %+v", got, kept)
		}
		sections := framesOf[wire.RoomSections](t, bob, wire.TypeSections)
		arranged, err := bob.PutSections(ctx, client.RoomSections{Favourites: client.RoomGroup{Rooms: []string{room.ID}},
			Sections: []client.RoomSection{{Name: "Kitchen"}}})
		must(t, err)
		if got := next(t, sections); !reflect.DeepEqual(got, arranged) || got.Favourites.Rooms[0] != room.ID {
			t.Errorf("bob is told of %+v, which is %+v", got, arranged)
		}
		exported(t, s.URL, bob, room.ID, said.Seq)
		refusedSections(t, bob, s.User("mallory"), arranged)
		refusedPersonal(t, bob, s.User("eve"), room.ID, kept)
		must(t, bob.Leave(ctx, room.ID))
		all, _, err := bob.Saved(ctx, "")
		left, err2 := bob.Drafts(ctx)
		if err != nil || err2 != nil || len(all)+len(left) != 0 {
			t.Errorf("of a room that bob has left he keeps %+v and %+v: %v, %v", all, left, err, err2)
		}
	})
}

// exported says that the download of bob's data has what he keeps.
func exported(t *testing.T, url string, bob *client.Client, room string, seq int64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/api/v1/me/export", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+bob.Tokens().Access)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	var saved, draft, sections int
	var others []string
	for d := json.NewDecoder(res.Body); d.More(); {
		var line struct {
			Saved json.RawMessage
			Draft json.RawMessage

			Sections *wire.RoomSections `json:"room_sections"`

			Room          *struct{ Room string }
			Digest        *wire.DigestSettings
			Notifications *wire.Notifications
		}
		must(t, d.Decode(&line))
		var ref wire.SavedRef
		var kept wire.Draft
		if len(line.Saved) > 0 && line.Saved[0] == '{' {
			must(t, json.Unmarshal(line.Saved, &ref))
		}
		if line.Draft != nil {
			must(t, json.Unmarshal(line.Draft, &kept))
		}
		if ref.Room == room && ref.Seq == seq {
			saved++
		}
		if kept.Room == room && kept.Text == "and cream" {
			draft++
		}
		if line.Room != nil && line.Room.Room == room {
			others = append(others, "room")
		}
		if line.Digest != nil && line.Digest.Every == "never" {
			others = append(others, "digest")
		}
		if line.Notifications != nil && line.Notifications.Level == "mentions" {
			others = append(others, "notifications")
		}
		if line.Sections != nil && line.Sections.Favourites.Rooms[0] == room {
			sections++
		}
	}
	if res.StatusCode != http.StatusOK || saved != 1 || draft != 1 || sections != 1 {
		t.Errorf("status %d; the download has the saved message %d times, the draft %d times, the sections %d times",
			res.StatusCode, saved, draft, sections)
	}
	if slices.Sort(others); !slices.Equal(others, []string{"digest", "notifications", "room"}) {
		t.Errorf("besides, it has %v", others)
	}
}

func refusedPersonal(t *testing.T, bob, eve *client.Client, room string, kept client.StoredDraft) {
	t.Helper()
	ctx := t.Context()
	put := func(c *client.Client, d client.StoredDraft) error { _, err := c.PutDraft(ctx, d); return err }
	_, reads := eve.SavedIn(ctx, room)
	_, _, pages := bob.Saved(ctx, "nonsense")
	long := strings.Repeat("a", domain.MaxText+1)
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"an outsider saves":        {eve.Save(ctx, room, 1), client.CodeNoRoom},
		"an outsider reads":        {reads, client.CodeNoRoom},
		"an outsider writes":       {put(eve, client.StoredDraft{Room: room, Text: "hi"}), client.CodeNoRoom},
		"what is no room":          {bob.Save(ctx, "kitchen", 1), client.CodeNoRoom},
		"a draft in what is none":  {put(bob, client.StoredDraft{Room: "kitchen", Text: "hi"}), client.CodeNoRoom},
		"what is no message":       {bob.Save(ctx, room, 1), client.CodeNoMessage},
		"a cursor of nobody":       {pages, client.CodeBadCursor},
		"a draft that is too long": {put(bob, client.StoredDraft{Room: room, Text: long}), client.CodeTextTooLong},
		"a draft that is no text":  {put(bob, client.StoredDraft{Room: room, Text: "a\x00b"}), client.CodeInvalidField},
		"an older version": {put(bob, client.StoredDraft{Room: room, Text: "hi", Version: kept.Version - 1}),
			client.CodeDraftChanged},
	} {
		var e *client.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
}

// Nobody arranges what they are not in, for others, or over what they do not know.
func refusedSections(t *testing.T, bob, outsider *client.Client, bobs client.RoomSections) {
	t.Helper()
	ctx := t.Context()
	if got, err := outsider.PutSections(ctx, bobs); err != nil || len(got.Favourites.Rooms) != 0 {
		t.Errorf("somebody else arranges %+v, %v", got, err)
	}
	if got, err := bob.Sections(ctx); err != nil || !reflect.DeepEqual(got, bobs) {
		t.Errorf("bob has then %+v, %v", got, err)
	}
	put := func(version int64, names ...string) error {
		s := client.RoomSections{Version: version}
		for _, name := range names {
			s.Sections = append(s.Sections, client.RoomSection{Name: name})
		}
		_, err := bob.PutSections(ctx, s)
		return err
	}
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"an older version":  {put(bobs.Version-1, "a"), client.CodeSectionsChanged},
		"no version":        {put(1<<60, "a"), client.CodeInvalidField},
		"a name twice":      {put(0, "a", "A"), client.CodeInvalidField},
		"no name":           {put(0, " "), client.CodeInvalidField},
		"too many sections": {put(0, make([]string, 51)...), client.CodeInvalidRequest},
	} {
		var e *client.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
}
