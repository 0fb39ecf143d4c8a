package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const unseen = "xylophone" // stands in what was written before the newcomer joined

// newcomers has somebody join a room of Ann's that hides its history, and calls each operation that reads, by the
// OpenAPI document: no answer, and no frame, has a word from before. Bob, who was there, finds it in those that show
// messages.
func (h *house) newcomers(t *testing.T, newcomer *client.Client) {
	t.Helper()
	ctx := t.Context()
	fill := h.fill(t)
	at, messages := fill("/rooms/{room}"), fill("/rooms/{room}/messages/")
	n := 0
	write := func(text string, more map[string]any) (seq int64) {
		t.Helper()
		n++
		body := map[string]any{"key": fmt.Sprint("said-", n), "text": text}
		for k, v := range more {
			body[k] = v
		}
		var sent struct{ Seq int64 }
		must(t, h.ann.Do(ctx, "POST", at+"/messages", body, &sent))
		return sent.Seq
	}
	first := write("the "+unseen+" is here", nil)
	root := fmt.Sprint(messages, first)
	write("a reply about the "+unseen, map[string]any{"thread": first})
	must(t, h.ann.Do(ctx, "PATCH", root, map[string]any{"text": "the " + unseen + " is there"}, nil))
	must(t, h.ann.Do(ctx, "PUT", root+"/pin", nil, nil))
	must(t, h.ann.Do(ctx, "PUT", fill("/me/saved/{room}/")+fmt.Sprint(first), nil, nil))
	must(t, h.ann.Do(ctx, "PUT", root+"/reactions/%F0%9F%91%8D", nil, nil))
	must(t, h.ann.Do(ctx, "PATCH", at, map[string]any{"hides_history": true}, nil))

	must(t, newcomer.Do(ctx, "POST", fill("/invites/{code}/accept"), map[string]any{}, nil))
	me, err := newcomer.Me(ctx)
	must(t, err)
	frames := make(chan client.Event, 64)
	var hello client.Hello
	l := newcomer.Live(ctx, client.LiveOptions{OnHello: func(g client.Hello) { hello = g },
		OnEvent: func(e client.Event) { frames <- e }})
	defer l.Close()
	must(t, l.Ready(ctx))
	must(t, h.ann.Do(ctx, "PATCH", root, map[string]any{"text": "the " + unseen + " is gone"}, nil))
	write("yes", map[string]any{"reply_to": first})
	write("and a later reply", map[string]any{"thread": first})
	last := write("the end", nil)
	said := []any{hello}
	for e := range frames {
		if said = append(said, e); e.Seq == last {
			break
		}
	}
	told, err := json.Marshal(said)
	must(t, err)
	if strings.Contains(string(told), unseen) || strings.Count(string(told), `"hidden":true`) != 3 {
		t.Errorf("a newcomer hears %s", told)
	}

	search := "/api/v1/search?q=" + unseen
	traffic.Wait(ctx, t, "search finds it", func() bool {
		return strings.Contains(h.read(t, search, h.bob.Tokens().Access), unseen)
	})
	pairs := strings.NewReplacer(fill("/{seq}"), fmt.Sprint("/", first))
	shown := make(map[string]bool)
	for _, o := range operations(t, h.Server, fill) {
		if o.method != "GET" || o.ofBots() || strings.Contains(o.template, "/admin/") {
			continue
		}
		for _, more := range queries(o.id, first) {
			path := pairs.Replace(o.path) + more
			if answer := h.read(t, path, newcomer.Tokens().Access); strings.Contains(answer, unseen) {
				t.Errorf("%s shows %s from before: %s", o.id, me.Username, answer)
			}
			if strings.Contains(h.read(t, path, h.bob.Tokens().Access), unseen) {
				shown[o.id] = true
			}
		}
	}
	for _, id := range []string{"get-timeline", "replay-events", "get-message", "list-versions", "list-pins", "get-thread",
		"search"} {
		if !shown[id] {
			t.Errorf("%s does not show it to a member either: the test proves nothing", id)
		}
	}
	for what, do := range map[string]func() error{
		"reply": func() error {
			return newcomer.Do(ctx, "POST", at+"/messages", map[string]any{"key": "n", "text": "?", "reply_to": first}, nil)
		},
		"react":   func() error { return newcomer.Do(ctx, "PUT", root+"/reactions/%F0%9F%91%8D", nil, nil) },
		"save":    func() error { return newcomer.Do(ctx, "PUT", fill("/me/saved/{room}/")+fmt.Sprint(first), nil, nil) },
		"forward": func() error { return forward(t, newcomer, fill("{room}"), first) },
		"report": func() error {
			return newcomer.Do(ctx, "PUT", root+"/report", map[string]any{"reason": "spam"}, nil)
		},
	} {
		if err := do(); codeOf(err) != domain.CodeNoMessage && what != "reply" || err == nil {
			t.Errorf("a newcomer may %s what is from before: %v", what, err)
		}
	}
}

func forward(t *testing.T, c *client.Client, from string, seq int64) error {
	var own struct{ ID string }
	must(t, c.Do(t.Context(), "POST", "/rooms", map[string]any{"kind": "private", "name": "Mine"}, &own))
	return c.Do(t.Context(), "POST", "/rooms/"+own.ID+"/forwards",
		map[string]any{"key": "f", "from": from, "seq": seq}, nil)
}

// queries are what comes after the path of an operation, one for each way in which it is asked.
func queries(id string, seq int64) []string {
	switch id {
	case "search":
		return []string{"?q=" + unseen, "?q=" + unseen + "&sort=relevance", "?q=yes"}
	case "get-timeline":
		return []string{"", "?main=true&fold=true", "?after=1", fmt.Sprint("?around=", seq), "?at=2020-01-01T00:00:00Z"}
	}
	return []string{""}
}

// read returns the body of an answer.
func (h *house) read(t *testing.T, path, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", h.URL+path, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return string(b)
}
