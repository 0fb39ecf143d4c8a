package app_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// A message of a private room is forwarded to another one. Who is only there sees who said what, and can read nothing
// else of the room. The copy names nobody anew, is found, and stays when the original is deleted.
func TestMessagesAreForwarded(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, testkit.SQLite(t)), t.Context()
	ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
	secret, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Secret"})
	must(t, err)
	kitchen, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Kitchen"})
	must(t, err)
	must(t, ann.Add(ctx, secret.ID, id(t, bob)))
	must(t, ann.Add(ctx, kitchen.ID, id(t, eve)))
	said, err := bob.Send(ctx, client.Draft{Room: secret.ID, Text: "@eve likes **marzipan**"})
	must(t, err)

	_, events := hears(t, eve)
	ask := client.NewForward{Room: kitchen.ID, Key: "1", From: secret.ID, Seq: said.Seq, Text: "for you, @eve"}
	sent, err := ann.Forward(ctx, ask)
	must(t, err)
	if again, err := ann.Forward(ctx, ask); err != nil || again.Seq != sent.Seq {
		t.Errorf("forwarded again: %+v, %v", again, err)
	}
	heard := next(t, events).Message
	shown, err := eve.Message(ctx, kitchen.ID, sent.Seq)
	must(t, err)
	for what, m := range map[string]*client.Message{"the answer": sent.Message, "the event": heard,
		"the message": &shown} {
		if f := m.Forward; f == nil || f.Room != secret.ID || f.Seq != said.Seq || f.Sender.Username != "bob" ||
			f.Note != "for you, @eve" || f.Text != "@eve likes **marzipan**" || f.At.IsZero() ||
			m.Text != "for you, @eve\n\n> @eve likes **marzipan**" || m.Sender.Username != "ann" || len(m.Mentions) != 1 {
			t.Errorf("%s: %+v forwards %+v", what, m, f)
		}
	}
	quiet, err := ann.Forward(ctx, client.NewForward{Room: kitchen.ID, From: secret.ID, Seq: said.Seq})
	if err != nil || len(quiet.Message.Mentions) != 0 {
		t.Errorf("a name in the copy is a mention: %+v, %v", quiet.Message, err)
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	traffic.Wait(soon, t, "both forwards are found", func() bool {
		found, err := eve.Search(ctx, "marzipan", "newest", "")
		must(t, err)
		return len(found.Items) == 2
	})
	chain, err := eve.Forward(ctx, client.NewForward{Room: kitchen.ID, From: kitchen.ID, Seq: sent.Seq})
	if err != nil || chain.Message.Forward.Sender.Username != "ann" ||
		chain.Message.Forward.Text != "for you, @eve\n\n> @eve likes **marzipan**" {
		t.Errorf("forwarded once more: %+v, %v", chain.Message, err)
	}
	poll, err := ann.CreatePoll(ctx, client.NewPoll{Room: secret.ID, Question: "Tea?", Choices: []string{"yes", "no"}})
	must(t, err)
	asked, err := ann.Forward(ctx, client.NewForward{Room: kitchen.ID, From: secret.ID, Seq: poll.Seq})
	if err != nil || asked.Message.Poll != nil || !strings.Contains(asked.Message.Forward.Text, "Tea?") {
		t.Errorf("a poll: %+v, %v", asked.Message, err)
	}
	refusedForwards(t, map[string]*client.Client{"ann": ann, "bob": bob, "eve": eve}, kitchen.ID, secret.ID, said.Seq,
		sent.Seq)
	if shown, err := ann.Message(ctx, kitchen.ID, sent.Seq); err != nil || shown.Forward == nil ||
		shown.Forward.Text == "" {
		t.Errorf("the original is deleted: %+v, %v", shown, err)
	}
}

// refusedForwards tries what is refused, and deletes the original at the end.
func refusedForwards(t *testing.T, who map[string]*client.Client, kitchen, secret string, said, sent int64) {
	t.Helper()
	live, _ := hears(t, who["bob"])
	ctx := t.Context()
	forward := func(user, to, from string, seq int64, text string) error {
		_, err := who[user].Forward(ctx, client.NewForward{Room: to, From: from, Seq: seq, Text: text})
		return err
	}
	own, err := who["eve"].CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Own"})
	must(t, err)
	_, forged := who["eve"].Send(ctx, client.Draft{Room: own.ID, Text: "> x", ContentType: "text/vnd.unhidra.forward"})
	mine, _ := hears(t, who["ann"])
	_, edit := mine.Edit(ctx, kitchen, sent, "mine")
	stranger := forward("eve", own.ID, secret, said, "")
	outside := forward("bob", kitchen, secret, said, "")
	long := forward("ann", kitchen, secret, said, strings.Repeat("x", 4<<10+1))
	line := forward("ann", kitchen, secret, 1, "")
	must(t, who["ann"].Kick(ctx, kitchen, id(t, who["eve"]), ""))
	gone := forward("eve", own.ID, kitchen, sent, "")
	_, err = live.Delete(ctx, secret, said)
	must(t, err)
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"of a room that one is not in":      {stranger, client.CodeNoRoom},
		"of a room that one was in":         {gone, client.CodeNoRoom},
		"to a room that one is not in":      {outside, client.CodeNoRoom},
		"of what is no message":             {line, client.CodeNoMessage},
		"of a deleted message":              {forward("ann", kitchen, secret, said, ""), client.CodeMessageDeleted},
		"with a text that is long":          {long, client.CodeTextTooLong},
		"by a content type":                 {forged, client.CodeInvalidField},
		"an edit":                           {edit, client.CodeForwardFixed},
		"of a room whose name is not an id": {forward("ann", kitchen, "Secret", said, ""), client.CodeNoRoom},
	} {
		var e *client.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
}
