package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// An administrator makes a bot of theirs an assistant, and whoever names it in a room is answered there. Without an
// endpoint nobody is.
func TestAnAssistantAnswersInItsRoom(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range []string{"Tea", " is", " ready."} {
			_, _ = fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%q}}]}\n\n", word)
			w.(http.Flusher).Flush()
		}
		_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	t.Cleanup(endpoint.Close)
	o, ctx := testkit.NewFile(t), t.Context()
	s := live.Start(t, o)
	admin := root(t, s)
	b, _ := makesBot(t, s, admin, "ask", map[string]any{"scopes": []string{"read"}})
	path := "/bots/" + b.User.ID + "/assistant"
	if err := admin.Do(ctx, "PUT", path, map[string]any{}, nil); codeOf(err) != client.CodeAssistantsOff {
		t.Errorf("without an endpoint: %v", err)
	}
	s.Stop()
	s = live.Start(t, o, "UNHIDRA_ASSISTANT_URL="+endpoint.URL+"/v1/", "UNHIDRA_ASSISTANT_MODEL=small",
		"UNHIDRA_ASSISTANT_KEY=sk-never-shown")
	bob := s.User("bob")
	admin = client.New(s.URL)
	must(t, admin.SignIn(ctx, "root", live.Password))
	mine, _ := makesBot(t, s, bob, "mine", map[string]any{"scopes": []string{"read"}})
	for what, c := range map[string]struct {
		who  *client.Client
		bot  string
		text string
		code client.Code
	}{
		"nobody special":    {bob, mine.User.ID, "", client.CodeNotAdmin},
		"another's bot":     {admin, mine.User.ID, "", client.CodeNoBot},
		"long instructions": {admin, b.User.ID, strings.Repeat("a", 4001), client.CodeInvalidField},
	} {
		err := c.who.Do(ctx, "PUT", "/bots/"+c.bot+"/assistant", map[string]any{"instructions": c.text}, nil)
		if codeOf(err) != c.code {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, admin.Do(ctx, "PUT", path, map[string]any{"instructions": "Be kind."}, nil))
	var list struct {
		On, May     bool
		Host, Model string
		Items       []struct{ Instructions string }
	}
	must(t, admin.Do(ctx, "GET", "/assistants", nil, &list))
	if !list.On || !list.May || list.Model != "small" || list.Host != strings.TrimPrefix(endpoint.URL, "http://") ||
		len(list.Items) != 1 || list.Items[0].Instructions != "Be kind." {
		t.Errorf("assistants are %+v", list)
	}
	room, err := bob.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den"})
	must(t, err)
	must(t, bob.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]any{"user": "ask"}, nil))
	message := map[string]any{"key": "1", "text": "@ask is there tea?", "content_type": "text/vnd.unhidra.answer"}
	if err := bob.Do(ctx, "POST", "/rooms/"+room.ID+"/messages", message, nil); codeOf(err) != client.CodeInvalidField {
		t.Errorf("a person writes what an assistant has said: %v", err)
	}
	delete(message, "content_type")
	must(t, bob.Do(ctx, "POST", "/rooms/"+room.ID+"/messages", message, nil))
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last client.Message
	traffic.Wait(soon, t, "the answer is whole", func() bool {
		page, err := bob.Timeline(ctx, room.ID, "", 50)
		must(t, err)
		if e := page.Items[len(page.Items)-1]; e.Message != nil {
			last = *e.Message
		}
		return last.Text == "Tea is ready."
	})
	if last.Sender.Username != "ask" || last.Sender.Kind != "bot" || last.ContentType != "text/vnd.unhidra.answer" ||
		last.ReplyTo == nil || last.EditedAt != nil {
		t.Errorf("the answer is %+v", last)
	}
	must(t, admin.Do(ctx, "DELETE", path, nil, nil))
	told := ""
	for deadline := time.Now().Add(time.Minute); !strings.Contains(told, "assistant_end") && time.Now().Before(deadline); {
		var log struct {
			Records []struct{ Details map[string]string }
		}
		must(t, admin.Do(ctx, "GET", "/admin/audit?limit=500&type=auth.bot", nil, &log))
		for _, r := range log.Records {
			told += r.Details["what"] + " "
		}
	}
	if !strings.Contains(told, "assistant ") || !strings.Contains(told, "assistant_end ") {
		t.Errorf("the audit log has %s", told)
	}
}
