package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
)

// Who wants a digest gets a mail about what they have not read, once, and ends them by its link without signing in.
func TestADigestIsMailedAndEnded(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		ctx := t.Context()
		smtp := mailtest.Start(t, mailtest.Options{Clear: true})
		before := live.Start(t, o) // no mail confirms addresses yet
		before.User("ann")
		before.User("bob")
		before.Stop()
		s := live.Start(t, o, "UNHIDRA_SMTP_URL="+smtp.URL+"?tls=off", "UNHIDRA_MAIL_FROM=Chat <chat@example.org>")
		site := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // as mails name it
		ann, bob := client.New(s.URL), client.New(s.URL)
		must(t, ann.SignIn(ctx, "ann", live.Password))
		must(t, bob.SignIn(ctx, "bob", live.Password))
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		type digest struct {
			Every, Time, Zone, Mail string
			Weekday                 int
			NextAt                  time.Time `json:"next_at"`
		}
		choose := func(every string) (d digest, err error) {
			body := map[string]any{"every": every, "weekday": 7, "time": "08:30", "zone": "Europe/Berlin"}
			return d, bob.Do(ctx, "PUT", "/notifications/digest", body, &d)
		}
		if _, err := choose("day"); codeOf(err) != client.CodeInvalidField {
			t.Errorf("without an address: %v", err)
		}
		db := testkit.Raw(t, o)
		set := func(statement string) {
			t.Helper()
			_, err := db.ExecContext(ctx, statement)
			must(t, err)
		}
		set(`UPDATE users SET email = 'bob@example.org' WHERE username = 'bob'`)
		d, err := choose("week")
		must(t, err)
		if d.Every != "week" || d.Weekday != 7 || d.Time != "08:30" || d.Zone != "Europe/Berlin" || d.Mail != "ready" ||
			d.NextAt.Weekday() != time.Sunday || !d.NextAt.After(time.Now()) {
			t.Errorf("chosen is %+v", d)
		}
		send := func(text string) {
			t.Helper()
			_, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: text})
			must(t, err)
		}
		due := func() { set(`UPDATE digests SET due_at = 1`) }
		put := func() bool {
			must(t, bob.Do(ctx, "GET", "/notifications/digest", nil, &d))
			return d.NextAt.After(time.Now().Add(time.Hour))
		}
		send("The **roses** need water")
		send("@bob, yours too")
		due()
		m := smtp.Wait(t, "bob@example.org", 1)
		for _, want := range []string{"Hello bob,", "2 messages", "Garden – 2 new, 1 for you", site + "/rooms/" + room.ID,
			"ann: The roses need water", "ann: @bob, yours too", "once a week"} {
			html := strings.ReplaceAll(m.HTML, "</b>", "")
			if !strings.Contains(m.Text, want) || want[0] != 'G' && !strings.Contains(html, want) {
				t.Errorf("no %q in\n%s\n%s", want, m.Text, m.HTML)
			}
		}
		// What was told is not told again, nor what was read.
		wait(t, put)
		due()
		wait(t, put)
		send("the tulips are out")
		due()
		if m := smtp.Wait(t, "bob@example.org", 2); !strings.Contains(m.Text, "1 message ") ||
			strings.Contains(m.Text, "roses") || !strings.Contains(m.Text, "tulips") {
			t.Errorf("the second mail says\n%s", m.Text)
		}
		// One click, as a mail program does it, without an account.
		link := strings.Replace(strings.Trim(m.Header.Get("List-Unsubscribe"), "<>"), site, s.URL, 1)
		kind := "application/x-www-form-urlencoded"
		answer := func(method, url, body string) *http.Response {
			t.Helper()
			req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, url, strings.NewReader(body))
			must(t, err)
			req.Header.Set("Content-Type", kind)
			c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			res, err := c.Do(req)
			must(t, err)
			must(t, res.Body.Close())
			return res
		}
		page := answer("GET", link, "")
		if to := page.Header.Get("Location"); page.StatusCode != 303 || !strings.HasPrefix(to, site+"/unsubscribe#token=") ||
			!strings.Contains(m.Text, to) {
			t.Errorf("a mail program without one click opens %d %s", page.StatusCode, to)
		}
		if got := answer("POST", link+"x", "List-Unsubscribe=One-Click").StatusCode; got != 422 && got != 400 {
			t.Errorf("another link answers %d", got)
		}
		if must(t, bob.Do(ctx, "GET", "/notifications/digest", nil, &d)); d.Every != "week" {
			t.Errorf("opening a link has ended digests: %+v", d)
		}
		// Mail programs may send either type, and the web client sends JSON.
		for _, kind = range []string{kind, "multipart/form-data; boundary=x", "application/json"} {
			if got := answer("POST", link, "List-Unsubscribe=One-Click").StatusCode; got != 204 {
				t.Errorf("one click by %s answers %d", kind, got)
			}
		}
		if must(t, bob.Do(ctx, "GET", "/notifications/digest", nil, &d)); d.Every != "never" {
			t.Errorf("after one click: %+v", d)
		}
	})
}

// A server without mail says so.
func TestWithoutMailThereAreNoDigests(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	bob := s.User("bob")
	var d struct{ Every, Mail string }
	must(t, bob.Do(t.Context(), "GET", "/notifications/digest", nil, &d))
	if d.Every != "never" || d.Mail != "no_mail" {
		t.Errorf("%+v", d)
	}
	err := bob.Do(t.Context(), "PUT", "/notifications/digest", map[string]any{"every": "day", "time": "08:00",
		"zone": "Europe/Berlin"}, nil)
	if codeOf(err) != client.CodeNoMail {
		t.Errorf("%v", err)
	}
}
