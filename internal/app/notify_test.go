package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
)

// A push is what a browser reads of one.
type push struct {
	User, Room, Name, Sender, Text, Reason, Kind string
	Seq, Thread                                  int64
	Count                                        int
}

// pushed returns what a browser gets next.
func pushed(t *testing.T, s *pushtest.Service, b *pushtest.Browser) (p push) {
	t.Helper()
	m := next(t, s.Got)
	text, err := b.Decrypt(m.Body)
	must(t, err)
	must(t, json.Unmarshal(text, &p))
	return p
}

// Somebody who is elsewhere is told of what is addressed to them, once, and hears no more of what they have read.
func TestPushesReachWhoIsElsewhere(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		ctx := t.Context()
		s := live.Start(t, o, "UNHIDRA_PRIVATE_NETWORKS=127.0.0.0/8")
		service := pushtest.NewService(t)
		phone := pushtest.NewBrowser(t, service.URL+"/bob")
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		if err := bob.Do(ctx, "POST", "/push/subscriptions", map[string]string{"endpoint": "http://10.0.0.1/x",
			"p256dh": phone.Keys()["p256dh"], "auth": phone.Keys()["auth"]}, nil); codeOf(err) != client.CodeInvalidField {
			t.Errorf("a push service without https is taken: %v", err)
		}
		var sub struct{ ID string }
		must(t, bob.Do(ctx, "POST", "/push/subscriptions", phone.Keys(), &sub))
		send := func(text string) int64 {
			t.Helper()
			m, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: text})
			must(t, err)
			return m.Seq
		}
		send("nothing for anybody")
		seq := send("**Tea**, @bob?")
		me, err := bob.Me(ctx)
		must(t, err)
		want := push{Kind: "message", Room: room.ID, Name: "Garden", Sender: "ann", Text: "Tea, @bob?", Reason: "mention",
			Seq: seq, Count: 1}
		if got := pushed(t, service, phone); got.Text != want.Text || got.Seq != want.Seq || got.Reason != want.Reason ||
			got.Room != want.Room || got.Name != want.Name || got.Count != want.Count || got.Kind != want.Kind ||
			got.User != me.ID {
			t.Errorf("%+v, not %+v", got, want)
		}
		_, err = bob.MarkRead(ctx, room.ID, seq)
		must(t, err)

		// Quiet until it ends; what was read meanwhile, and what is deleted, is never told.
		var chosen struct {
			Level       string
			SilentUntil string `json:"silent_until"`
		}
		settings := func(paused string) map[string]any {
			body := map[string]any{"level": "mentions", "keywords": []string{"kettle"}, "quiet": map[string]any{"spans": []any{}}}
			if paused != "" {
				body["paused_until"] = paused
			}
			return body
		}
		must(t, bob.Do(ctx, "PUT", "/notifications", settings(time.Now().Add(time.Hour).Format(time.RFC3339)), &chosen))
		if chosen.SilentUntil == "" {
			t.Error("paused, and not silent")
		}
		read := send("@bob, this is read at once")
		_, err = bob.MarkRead(ctx, room.ID, read)
		must(t, err)
		deleted := send("@bob, this is a mistake")
		must(t, ann.Do(ctx, "DELETE", fmt.Sprintf("/rooms/%s/messages/%d", room.ID, deleted), nil, nil))
		kettle := send("the Kettle is on")
		last := send("and hot, @bob")
		must(t, bob.Do(ctx, "PUT", "/notifications", settings(""), nil))
		got := pushed(t, service, phone)
		if got.Seq == kettle { // decided on after the pause
			got = pushed(t, service, phone)
		}
		if got.Seq != last || got.Count != 2 {
			t.Errorf("after the pause came %+v", got)
		}

		must(t, bob.Do(ctx, "PUT", "/rooms/"+room.ID+"/notifications", map[string]any{"level": "nothing"}, nil))
		send("@bob, you do not want this")
		other, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Kitchen"})
		must(t, err)
		joins(t, ann, bob, other.ID)
		_, err = ann.Send(ctx, client.Draft{Room: other.ID, Text: "@bob, this you want"})
		must(t, err)
		if got := pushed(t, service, phone); got.Room != other.ID {
			t.Errorf("of a room of which nothing is told came %+v", got)
		}
		must(t, bob.Do(ctx, "PUT", "/rooms/"+room.ID+"/notifications", map[string]any{"level": "all"}, nil))
		if last = send("everything is told"); pushed(t, service, phone).Seq != last {
			t.Error("another message than the last is told")
		}
		// A subscription that has ended is gone.
		service.Refuse(func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) })
		send("the phone is away")
		var all struct{ Items []struct{ ID string } }
		wait(t, func() bool {
			must(t, bob.Do(ctx, "GET", "/push", nil, &all))
			return len(all.Items) == 0
		})
		if len(service.Got) != 0 {
			t.Errorf("%d pushes more", len(service.Got))
		}
	})
}
