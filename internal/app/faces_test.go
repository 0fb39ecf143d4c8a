package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// lastFace posts a body to a webhook, and returns the message that it makes.
func lastFace(ctx context.Context, t *testing.T, reader *client.Client, room, url, body string) client.Message {
	t.Helper()
	if status, answer := posted(ctx, t, url, body); status != 200 {
		t.Fatalf("%s: %d %q", body, status, answer)
	}
	page, err := reader.Timeline(ctx, room, "", 1)
	must(t, err)
	return *page.Items[len(page.Items)-1].Message
}

// What a webhook posts is shown under the name that it asks for, and stays the webhook's; nobody is taken for a person.
func TestMessagesOfAWebhookHaveANameOfTheirOwn(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		s.User("zoe")
		must(t, bob.Do(ctx, "PATCH", "/me", map[string]any{"display_name": "Bobby Tables"}, nil))
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		at := "/rooms/" + room.ID
		var hook webhook
		must(t, ann.Do(ctx, "POST", at+"/hooks", map[string]any{"name": "Alerts"}, &hook))
		post := func(body string) client.Message {
			t.Helper()
			return lastFace(ctx, t, bob, room.ID, hook.URL, body)
		}

		m := post(`{"text":"Disk is full","username":"Graf\u202eana","icon_emoji":":fire:",
			"icon_url":"https://a.example/x.png"}`)
		if m.Face == nil || *m.Face != (client.Face{Name: "Grafana", Emoji: "🔥"}) || m.Sender.DisplayName != "Alerts" {
			t.Fatalf("the message is %+v of %q", m.Face, m.Sender.DisplayName)
		}
		for _, name := range []string{"bob", "@BOB", "b\u200bob", "B o b", "zoe", "Bobby Tables", "bobbytables", "room",
			"\u202e", "Alerts", ""} {
			if m := post(fmt.Sprintf(`{"text":"x","username":%q}`, name)); m.Face != nil {
				t.Errorf("%q is shown as %q", name, m.Face.Name)
			}
		}
		if m := post(`{"text":"x","username":"Bobby","icon_emoji":":nothing:"}`); m.Face == nil || m.Face.Name != "Bobby" ||
			m.Face.Emoji != "" {
			t.Errorf("a name of nobody: %+v", m.Face)
		}
		seenEverywhere(ctx, t, bob, room.ID, m)

		must(t, ann.Do(ctx, "DELETE", fmt.Sprint(at, "/messages/", m.Seq), nil, nil))
		gone, err := bob.Message(ctx, room.ID, m.Seq)
		must(t, err)
		if gone.Face != nil || gone.DeletedAt == nil {
			t.Errorf("a deleted message has the name %+v", gone.Face)
		}

		to := at + "/hooks/" + hook.ID
		if err := bob.Do(ctx, "PATCH", to, map[string]any{"faces": true}, nil); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a plain member gives a webhook names: %v", err)
		}
		var now struct{ Faces bool }
		must(t, ann.Do(ctx, "PATCH", to, map[string]any{"faces": false}, &now))
		if m := post(`{"text":"x","username":"Grafana","icon_emoji":":fire:"}`); m.Face != nil || now.Faces {
			t.Errorf("switched off: %+v", m.Face)
		}
	})
}

// seenEverywhere holds that the face of m is told wherever the message is.
func seenEverywhere(ctx context.Context, t *testing.T, bob *client.Client, room string, m client.Message) {
	t.Helper()
	reply, err := bob.Send(ctx, client.Draft{Room: room, Text: "on it", ReplyTo: m.Seq})
	must(t, err)
	if q := reply.Message.ReplyTo; q == nil || q.Face == nil || q.Face.Name != "Grafana" {
		t.Errorf("a reply quotes %+v", q)
	}
	wait(t, func() bool {
		found, err := bob.Search(ctx, "disk full", "", "")
		must(t, err)
		if len(found.Items) == 1 && (found.Items[0].Message.Face == nil || found.Items[0].Message.Face.Name != "Grafana") {
			t.Fatalf("search finds %+v", found.Items[0].Message.Face)
		}
		return len(found.Items) == 1
	})
}

// The picture of a message is loaded once, by the server and from no private network, and only if the operator lets it
// load pages.
func TestThePictureOfAMessageIsTheServersOwn(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		ctx, web := t.Context(), newWebsite(t)
		s, ann, _, room := previewServer(t, o, web)
		var hook webhook
		must(t, ann.Do(ctx, "POST", "/rooms/"+room+"/hooks", map[string]any{"name": "Alerts"}, &hook))
		url := "http://" + s.Public + hook.URL[strings.Index(hook.URL, "/hooks/"):]
		pictured := func(address string) string {
			t.Helper()
			m := lastFace(ctx, t, ann, room, url, fmt.Sprintf(`{"text":"x","icon_url":%q}`, address))
			if m.Face == nil {
				return ""
			}
			return m.Face.Picture
		}
		first := pictured(web.URL + "/tea.png")
		if !strings.HasPrefix(first, "/api/v1/previews/") || pictured(web.URL+"/tea.png") != first {
			t.Fatalf("the picture is at %q", first)
		}
		res, err := http.Get("http://" + s.Public + first) //nolint:noctx // a test
		must(t, err)
		defer res.Body.Close()
		if data, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || len(data) == 0 ||
			!strings.HasPrefix(res.Header.Get("Content-Type"), "image/") {
			t.Errorf("the picture: %d, %d bytes, %v", res.StatusCode, len(data), err)
		}
		for _, bad := range []string{web.private + "/x.png", web.URL + "/inside", web.URL + "/file", web.URL + "/bomb.png",
			web.URL + "/svg.svg", web.URL + "/tea", web.own + "/x.png", "file:///etc/passwd", "javascript:alert(1)", "x",
			"data:image/png;base64,AAAA", web.URL + "/tea.png\n"} {
			if got := pictured(bad); got != "" && got != first {
				t.Errorf("%q is shown by %q", bad, got)
			}
		}
		if web.reached.Load() != 0 {
			t.Error("the server reached a private network, or itself")
		}
	})
}

// Without the operator's leave, no picture is loaded from anywhere.
func TestNoPictureOfAMessageIsLoadedWithoutLeave(t *testing.T) {
	t.Parallel()
	ctx, web := t.Context(), newWebsite(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_PRIVATE_NETWORKS=127.0.0.1/32")
	ann := s.User("ann")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
	must(t, err)
	var hook webhook
	must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/hooks", map[string]any{"name": "Alerts"}, &hook))
	m := lastFace(ctx, t, ann, room.ID, hook.URL,
		fmt.Sprintf(`{"text":"x","username":"Grafana","icon_url":%q}`, web.URL+"/tea.png"))
	if m.Face == nil || *m.Face != (client.Face{Name: "Grafana"}) {
		t.Errorf("the message has %+v", m.Face)
	}
}
