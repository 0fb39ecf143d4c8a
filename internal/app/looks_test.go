package app_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Admins of a room give it a picture, an emoji and a colour, of which its members hear at once. Whoever is not in a
// private room hears nothing of its look, and a direct conversation has none.
func TestRoomLooks(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea", Members: []string{id(t, bob)}})
		must(t, err)
		if room.Look != nil {
			t.Errorf("a new room looks like %+v", room.Look)
		}
		_, events := hears(t, bob)
		told := func(want client.RoomLook) {
			t.Helper()
			if e := next(t, events); e.Type != "room.updated" || e.Detail.Look == nil || *e.Detail.Look != want {
				t.Errorf("members hear %+v", e.Detail)
			}
		}
		teal, tools, none := "teal", "🔧", ""
		_, err = ann.ChangeLook(ctx, room.ID, client.LookChange{Colour: &teal, Emoji: &tools})
		must(t, err)
		told(client.RoomLook{Colour: teal, Emoji: tools})
		var photo bytes.Buffer
		must(t, png.Encode(&photo, image.NewGray(image.Rect(0, 0, 40, 20))))
		e, err := ann.SetRoomPicture(ctx, room.ID, photo.Bytes())
		must(t, err)
		path := e.Detail.Look.Avatar
		told(client.RoomLook{Colour: teal, Avatar: path})
		if status, kind := picture(t, s, path); status != http.StatusOK || kind != "image/jpeg" {
			t.Errorf("the picture is answered with %d, %s", status, kind)
		}
		st, err := bob.Room(ctx, room.ID)
		if must(t, err); st.Look == nil || *st.Look != (client.RoomLook{Colour: teal, Avatar: path}) {
			t.Errorf("a member sees %+v", st.Look)
		}
		direct, err := ann.Direct(ctx, id(t, bob))
		must(t, err)
		for name, c := range map[string]struct {
			do   func() (client.Event, error)
			code domain.Code
		}{
			"a stranger": {func() (client.Event, error) {
				return eve.SetRoomPicture(ctx, room.ID, photo.Bytes())
			}, domain.CodeNoRoom},
			"a member": {func() (client.Event, error) {
				return bob.ChangeLook(ctx, room.ID, client.LookChange{Colour: &none})
			}, domain.CodeRoleTooLow},
			"of a direct conversation": {func() (client.Event, error) {
				return ann.SetRoomPicture(ctx, direct.ID, photo.Bytes())
			}, domain.CodeNotInDirect},
			"no picture": {func() (client.Event, error) {
				return ann.SetRoomPicture(ctx, room.ID, photo.Bytes()[:20])
			}, domain.CodeBadPicture},
			"nothing at all": {func() (client.Event, error) {
				return ann.ChangeLook(ctx, room.ID, client.LookChange{})
			}, domain.CodeNothingToChange},
		} {
			if _, err := c.do(); codeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err = ann.SetRoomPicture(ctx, room.ID, nil)
		must(t, err)
		told(client.RoomLook{Colour: teal})
		if status, _ := picture(t, s, path); status != http.StatusNotFound {
			t.Errorf("the removed picture is answered with %d", status)
		}
		_, err = ann.ChangeLook(ctx, room.ID, client.LookChange{Colour: &none})
		must(t, err)
		told(client.RoomLook{})
	})
}

// The colours that the API names are those that rooms may have.
func TestRoomColours(t *testing.T) {
	t.Parallel()
	spec, err := os.ReadFile("../../docs/asyncapi.yaml")
	must(t, err)
	web, err := os.ReadFile("../../web/src/view/kit/hue.ts")
	must(t, err)
	for _, colour := range domain.RoomColours {
		if !strings.Contains(string(spec), `- "`+colour+`"`) || !strings.Contains(string(web), "\n  "+colour+": ") {
			t.Errorf("%s is not known everywhere", colour)
		}
	}
}

func picture(t *testing.T, s *live.Server, path string) (status int, kind string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	return res.StatusCode, res.Header.Get("Content-Type")
}
