package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// webhook is one as the API shows it.
type webhook struct{ ID, Name, URL, Failure string }

// posted sends a body to the address of a webhook.
func posted(ctx context.Context, t *testing.T, url, body string, header ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	if res.ContentLength < 0 {
		t.Errorf("the answer %d does not tell its length", res.StatusCode)
	}
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, string(text)
}

// A program posts to a room by the address that an admin made, and the admin sees what became of it.
func TestProgramsPostToARoomByAWebhook(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		at := "/rooms/" + room.ID
		if err := bob.Do(ctx, "POST", at+"/hooks", map[string]any{"name": "x"}, nil); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a plain member makes a webhook: %v", err)
		}
		var hook webhook
		must(t, ann.Do(ctx, "POST", at+"/hooks", map[string]any{"name": "Grafana"}, &hook))

		const github = `{"action":"opened","issue":{"number":1,"title":"Tea"},"sender":{"login":"kim"}}`
		for range 2 { // a delivery that comes again is no second message
			status, answer := posted(ctx, t, hook.URL, github, "X-GitHub-Event", "issues", "X-GitHub-Delivery", "d1")
			if status != 200 || answer != "ok" {
				t.Fatalf("%d %q", status, answer)
			}
		}
		if status, answer := posted(ctx, t, hook.URL, `{"text":"*hot* <https://example.net|here>"}`); answer != "ok" {
			t.Fatalf("%d %q", status, answer)
		}
		page, err := bob.Timeline(ctx, room.ID, "", 10)
		must(t, err)
		var said []string
		for _, e := range page.Items {
			if m := e.Message; m != nil {
				said = append(said, m.Sender.Kind+" "+m.Sender.DisplayName+": "+m.Text)
			}
		}
		want := []string{"bot Grafana: **kim** opened issue \\#1 Tea", "bot Grafana: **hot** [here](https://example.net)"}
		if strings.Join(said, "\n") != strings.Join(want, "\n") {
			t.Errorf("the room reads %q", said)
		}

		if status, answer := posted(ctx, t, hook.URL, `{"text":`); status != 400 ||
			!strings.HasPrefix(answer, "invalid_payload: the JSON is broken at byte 8") {
			t.Errorf("a broken body: %d %q", status, answer)
		}
		if status, _ := posted(ctx, t, hook.URL, strings.Repeat(" ", 2<<20)); status != 413 {
			t.Errorf("a large body: %d", status)
		}
		var all struct{ Items []webhook }
		must(t, ann.Do(ctx, "GET", at+"/hooks", nil, &all))
		if len(all.Items) != 1 || all.Items[0].URL != "" || !strings.HasPrefix(all.Items[0].Failure, "invalid_payload: ") {
			t.Errorf("the admin sees %+v", all.Items)
		}
		endHooks(ctx, t, ann, at, hook)
	})
}

// endHooks renews a webhook, archives its room, and removes it. Its address is useless from then on.
func endHooks(ctx context.Context, t *testing.T, ann *client.Client, at string, hook webhook) {
	t.Helper()
	var renewed webhook
	must(t, ann.Do(ctx, "POST", at+"/hooks/"+hook.ID+"/secret", nil, &renewed))
	if status, answer := posted(ctx, t, hook.URL, `{"text":"x"}`); status != 404 || !strings.HasPrefix(answer, "no_service") {
		t.Errorf("by the old address: %d %q", status, answer)
	}
	must(t, ann.Do(ctx, "PATCH", at, map[string]any{"archived": true}, nil))
	if status, answer := posted(ctx, t, renewed.URL, `{"text":"x"}`); status != 410 ||
		!strings.HasPrefix(answer, "channel_is_archived") {
		t.Errorf("into an archived room: %d %q", status, answer)
	}
	must(t, ann.Do(ctx, "PATCH", at, map[string]any{"archived": false}, nil))
	limited := false
	for i := 0; i < 300 && !limited; i++ { // on a slow machine, more are allowed meanwhile
		status, _ := posted(ctx, t, renewed.URL, `{}`)
		limited = status == 429
	}
	if !limited {
		t.Error("a webhook may post without end")
	}
	must(t, ann.Do(ctx, "DELETE", at+"/hooks/"+hook.ID, nil, nil))
	if status, _ := posted(ctx, t, renewed.URL, `{"text":"x"}`); status != 404 {
		t.Errorf("by a webhook that was removed: %d", status)
	}
}
