package app_test

import (
	"errors"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Two people react to a message, one by REST and one by WebSocket; each sees it live and in pages, in the same
// way. Who may not read the room sees nothing, and what is no emoji is refused.
func TestPeopleReact(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
		must(t, err)
		must(t, ann.Add(ctx, room.ID, id(t, bob)))
		said, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: "tea?"})
		must(t, err)
		bobs, events := hears(t, bob)

		seen := *said.Message
		for _, do := range []func() (client.Reacted, error){
			func() (client.Reacted, error) { return ann.React(ctx, room.ID, said.Seq, "❤\ufe0f") },
			func() (client.Reacted, error) { return bobs.React(ctx, room.ID, said.Seq, "❤") },
			func() (client.Reacted, error) { return bobs.React(ctx, room.ID, said.Seq, "#\ufe0f\u20e3") },
			func() (client.Reacted, error) { return ann.Unreact(ctx, room.ID, said.Seq, "❤") },
		} {
			r, err := do()
			must(t, err)
			e := next(t, events)
			if e.Seq != r.Seq || !client.ApplyReaction(&seen, e, id(t, bob)) {
				t.Errorf("the answer has %d, the event is %+v", r.Seq, e)
			}
			if again, err := do(); err != nil || again.Seq != 0 {
				t.Errorf("again: %+v, %v", again, err)
			}
		}
		page, err := bob.Timeline(ctx, room.ID, "", 1)
		must(t, err)
		shown := page.Items[0].Message
		want := []client.Reaction{
			{Emoji: "❤", Count: 1, Users: []string{id(t, bob)}, Mine: true},
			{Emoji: "#\u20e3", Count: 1, Users: []string{id(t, bob)}, Mine: true},
		}
		for who, m := range map[string]*client.Message{"a page": shown, "the client": &seen} {
			if !sameReactions(m.Reactions, want) || m.ReactionsSeq != page.Items[0].Message.ReactionsSeq {
				t.Errorf("%s has %+v up to %d, want %+v", who, m.Reactions, m.ReactionsSeq, want)
			}
		}
		theirs, err := ann.Message(ctx, room.ID, said.Seq)
		if err != nil || theirs.Reactions[0].Mine {
			t.Errorf("ann sees %+v, %v", theirs.Reactions, err)
		}
		refusedReactions(t, s, ann, eve, room.ID, said.Seq)
	})
}

func sameReactions(got, want []client.Reaction) bool {
	if len(got) != len(want) {
		return false
	}
	for i, w := range want {
		g := got[i]
		if g.Emoji != w.Emoji || g.Count != w.Count || g.Mine != w.Mine || len(g.Users) != len(w.Users) ||
			g.Users[0] != w.Users[0] {
			return false
		}
	}
	return true
}

func refusedReactions(t *testing.T, s *live.Server, ann, eve *client.Client, room string, seq int64) {
	t.Helper()
	ctx := t.Context()
	_, outsider := eve.React(ctx, room, seq, "👍")
	_, reads := eve.Reactors(ctx, room, seq, "👍", "")
	_, word := ann.React(ctx, room, seq, "tea")
	var made issued
	must(t, ann.Do(ctx, "POST", "/devices", map[string]any{"name": "Kettle"}, &made))
	must(t, ann.Add(ctx, room, made.Device.ID))
	kettle := client.New(s.URL)
	kettle.Device(made.Key)
	kettles := kettle.Live(ctx, client.LiveOptions{})
	t.Cleanup(kettles.Close)
	_, device := kettles.React(ctx, room, seq, "👍")
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"an outsider reacts": {outsider, client.CodeNoRoom}, "an outsider reads": {reads, client.CodeNoRoom},
		"a word": {word, client.CodeInvalidField}, "a device": {device, client.CodePeopleOnly},
	} {
		var e *client.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
}
