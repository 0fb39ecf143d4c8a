package history_test

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

type obj = map[string]any

type page = client.Page[client.Event]

// get reads path and returns the code of the refusal, if it was one.
func get(t *testing.T, c *client.Client, path string, out any) (code domain.Code) {
	t.Helper()
	err := c.Do(t.Context(), "GET", path, nil, out)
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return ""
}

func seqs(p page) (s []int64) {
	for _, e := range p.Items {
		s = append(s, e.Seq)
	}
	return s
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, eve := s.User("ann"), s.User("eve")
		room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Den"})
		if err != nil {
			t.Fatal(err)
		}
		in := "/rooms/" + room.ID
		for i := 3; i <= 30; i++ { // 1 and 2: the room was made, ann joined
			if _, err := ann.Send(t.Context(), client.Draft{Room: room.ID, Key: fmt.Sprint(i),
				Text: fmt.Sprintf("message %d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := ann.Do(t.Context(), "PATCH", in+"/messages/10", obj{"text": "changed"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := ann.Do(t.Context(), "DELETE", in+"/messages/11", nil, nil); err != nil {
			t.Fatal(err)
		}

		var p page
		get(t, ann, in+"/timeline?limit=4", &p)
		if fmt.Sprint(seqs(p)) != "[27 28 29 30]" || p.Next != "" || p.Prev == "" {
			t.Errorf("latest: %v, next %q", seqs(p), p.Next)
		}
		all := seqs(p)
		for p.Prev != "" {
			cursor := p.Prev
			p = page{}
			get(t, ann, in+"/timeline?limit=7&cursor="+cursor, &p)
			all = append(seqs(p), all...)
		}
		for i, seq := range all {
			if seq != int64(i+1) {
				t.Fatalf("all pages: %v", all)
			}
		}
		p = page{}
		get(t, ann, in+"/timeline?limit=4&around=10", &p)
		if fmt.Sprint(seqs(p)) != "[8 9 10 11]" || p.Prev == "" || p.Next == "" {
			t.Errorf("around 10: %v", seqs(p))
		}
		if p.Items[2].Message.Text != "changed" || p.Items[2].Message.Edits != 1 || p.Items[3].Message.Text != "" ||
			p.Items[3].Message.DeletedAt == nil {
			t.Errorf("the changed and the deleted one: %+v, %+v", p.Items[2].Message, p.Items[3].Message)
		}
		p = page{}
		get(t, ann, in+"/timeline?limit=3&at="+url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339)), &p)
		if len(p.Items) == 0 || p.Items[0].Seq != 1 {
			t.Errorf("at an hour ago: %v", seqs(p))
		}

		var versions struct{ Items []struct{ Text string } }
		get(t, ann, in+"/messages/10/versions", &versions)
		if len(versions.Items) != 1 || versions.Items[0].Text != "message 10" {
			t.Errorf("versions %+v", versions)
		}
		var replay client.Replay
		get(t, ann, in+"/events?after=28", &replay)
		if len(replay.Events) != 4 || replay.Head != 32 || replay.More {
			t.Errorf("replay: %d events to %d", len(replay.Events), replay.Head)
		}
		for path, want := range map[string]domain.Code{
			"/timeline?before=3&after=4": domain.CodeOnePlace, "/timeline?cursor=x": domain.CodeBadCursor,
			"/timeline?limit=201": domain.CodeInvalidRequest,
			"/messages/99":        domain.CodeNoMessage, "/messages/x": domain.CodeInvalidRequest,
		} {
			if code := get(t, ann, in+path, nil); code != want {
				t.Errorf("%s: %q, want %q", path, code, want)
			}
		}
		for _, path := range []string{"/timeline", "/events", "/messages/10", "/messages/10/versions"} {
			if code := get(t, eve, in+path, nil); code != domain.CodeNoRoom {
				t.Errorf("a stranger reads %s: %q", path, code)
			}
		}
	})
}

func TestSearch(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, eve := s.User("ann"), s.User("eve")
		room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Den"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ann.Send(t.Context(), client.Draft{Room: room.ID, Key: "1",
			Text: "😀 the Frühstück is ready"}); err != nil {
			t.Fatal(err)
		}
		found := func(c *client.Client) client.Found {
			p, err := c.Search(t.Context(), "fruhstuck", "newest", "")
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		deadline := time.After(2 * time.Minute)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for len(found(ann).Items) == 0 {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("not found within two minutes")
			}
		}
		hit := found(ann).Items[0]
		if len(hit.Marks) != 1 || hit.Marks[0] != [2]int{7, 16} {
			t.Errorf("marks %v of %q, in UTF-16 units", hit.Marks, hit.Snippet)
		}
		if n := len(found(eve).Items); n != 0 {
			t.Errorf("a stranger finds %d messages", n)
		}
		for _, q := range []string{"", "before:soon x", "in:nowhere x", "from:nobody x"} {
			if code := get(t, ann, "/search?q="+url.QueryEscape(q), nil); code != domain.CodeBadQuery &&
				code != domain.CodeInvalidRequest {
				t.Errorf("%q: %q", q, code)
			}
		}
	})
}
