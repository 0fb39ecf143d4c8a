package app_test

import (
	"fmt"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// Ann's room has rough language and spam flagged. What Eve says is delivered, flagged, found by Ann with the reason,
// and Eve can appeal; nothing is flagged of what harmless people say, of Ann, who moderates, or elsewhere.
func TestMessagesAreScreened(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		s, ctx := live.Start(t, o), t.Context()
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
		must(t, err)
		must(t, ann.Add(ctx, room.ID, id(t, bob)))
		must(t, ann.Add(ctx, room.ID, id(t, eve)))
		say := func(c *client.Client, text string) int64 {
			said, err := c.Send(ctx, client.Draft{Room: room.ID, Text: text})
			must(t, err)
			return said.Message.Seq
		}
		before := say(eve, "you stupid idiot")
		set := func(c *client.Client, rough, spam int) error {
			return c.Do(ctx, "PATCH", "/rooms/"+room.ID, map[string]any{
				"screening": map[string]int{"rough_language": rough, "spam": spam}}, nil)
		}
		if err := set(bob, 80, 0); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a plain member switches it on: %v", err)
		}
		for _, wrong := range []int{-1, 1, 49, 100} {
			if err := set(ann, wrong, 0); codeOf(err) != client.CodeInvalidField {
				t.Errorf("%d per cent: %v", wrong, err)
			}
		}
		must(t, set(ann, 80, 80))
		anns := tells(t, ann)

		plain, own := say(bob, "the tea is ready"), say(ann, "what an idiot I am, you stupid kettle")
		rough := say(eve, "shut up, you pathetic idiot")
		spam := say(eve, "DM me to learn how I made 10k in one month trading forex")
		flagged := func(seq int64, reason string) (m client.Message) {
			traffic.Wait(ctx, t, fmt.Sprint("message ", seq, " is flagged"), func() bool {
				m, err = bob.Message(ctx, room.ID, seq)
				return err == nil && m.Flag != nil
			})
			if m.Flag.Reason != reason || m.Flag.Score < 80 || m.Flag.Score > 99 || m.Flag.Appealed {
				t.Errorf("message %d has the flag %+v", seq, m.Flag)
			}
			return m
		}
		if m := flagged(rough, "rough_language"); m.Text != "shut up, you pathetic idiot" {
			t.Errorf("the message is %+v", m)
		}
		flagged(spam, "looks_like_spam")
		for what, seq := range map[string]int64{"before it was on": before, "harmless": plain, "of a moderator": own} {
			if m, err := bob.Message(ctx, room.ID, seq); err != nil || m.Flag != nil {
				t.Errorf("a message %s: %+v, %v", what, m, err)
			}
		}
		for range 2 {
			if told := next(t, anns); told.State != "open" || told.As != "moderator" || told.Own {
				t.Errorf("ann hears %+v", told)
			}
		}
		q, err := ann.RoomReports(ctx, room.ID, "")
		if err != nil || q.Waiting != 2 || q.Items[0].Reports[0].By != nil ||
			q.Items[0].Reports[0].Reason != "rough_language" || q.Items[0].Reports[0].Note != "pathetic, idiot" {
			t.Errorf("ann's queue: %+v, %v", q, err)
		}

		appeal := func(c *client.Client, seq int64) error {
			return c.Do(ctx, "POST", fmt.Sprintf("/rooms/%s/messages/%d/appeal", room.ID, seq), nil, nil)
		}
		for range 2 { // the second one changes nothing
			must(t, appeal(eve, rough))
		}
		if err := appeal(bob, rough); codeOf(err) != client.CodeNotYours {
			t.Errorf("bob appeals for eve: %v", err)
		}
		if err := appeal(bob, plain); codeOf(err) != client.CodeNotFlagged {
			t.Errorf("bob appeals for what is not flagged: %v", err)
		}
		if m, err := bob.Message(ctx, room.ID, rough); err != nil || m.Flag == nil || !m.Flag.Appealed {
			t.Errorf("after the appeal: %+v, %v", m, err)
		}
		must(t, ann.DecideReport(ctx, room.ID, rough, "kept"))
		must(t, ann.DecideReport(ctx, room.ID, spam, "removed"))
		if m, err := bob.Message(ctx, room.ID, rough); err != nil || m.Flag != nil || m.Text == "" {
			t.Errorf("kept: %+v, %v", m, err)
		}
		if m, err := bob.Message(ctx, room.ID, spam); err != nil || m.Flag != nil || m.DeletedAt == nil {
			t.Errorf("removed: %+v, %v", m, err)
		}

		// What was kept is not flagged again for the same text, and for another one it is.
		edit := func(text string) {
			must(t, eve.Do(ctx, "PATCH", fmt.Sprintf("/rooms/%s/messages/%d", room.ID, rough), map[string]string{"text": text},
				nil))
		}
		edit("shut up")
		edit("shut up, you pathetic idiot")
		edit("you bastard, you asshole")
		flagged(rough, "rough_language")
		must(t, set(ann, 0, 0))
		var events int
		all, err := bob.Events(ctx, room.ID, 0, 200)
		must(t, err)
		for _, e := range all.Events {
			if e.Type == string(domain.MessageFlagged) {
				events++
			}
		}
		if events != 5 { // three flags, an appeal and a decision; a deletion tells of itself
			t.Errorf("%d events of flags", events)
		}
	})
}
