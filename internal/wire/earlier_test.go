package wire

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/eventtest"
)

// What a view hides of an event is the same in its frame: of each type, about a line that the view shows or not, with
// a quote that it shows or not.
func TestFramesHideWhatViewsHide(t *testing.T) {
	t.Parallel()
	who := domain.UserRef{ID: "usr_1", Kind: domain.KindUser, Username: "ann", DisplayName: "Ann"}
	for _, s := range eventtest.Samples("room_1", who, who) {
		for _, quoted := range []int64{0, 4} {
			for since := range int64(12) {
				e := s.Event
				e.Room, e.Seq, e.Actor, e.At = "room_1", 20, who, eventtest.At()
				if e.Message != nil {
					m := *e.Message
					m.Seq = 8
					if quoted != 0 {
						m.ReplyTo = &domain.Quote{Seq: quoted, Sender: who, Excerpt: "secret"}
					}
					e.Message = &m
				}
				same(t, s.Name, e, since)
			}
		}
	}
}

func same(t *testing.T, name string, e domain.Event, since int64) {
	t.Helper()
	frame, err := EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	x, err := EarlierIn(HeaderOf(e), frame)
	if err != nil {
		t.Fatal(err)
	}
	if x != nil {
		if line, quote := x.Hides(since); line || quote {
			if frame, err = x.Frame(line, quote); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := EncodeEvent(domain.View{Room: e.Room, Since: since}.Of(e))
	if err != nil {
		t.Fatal(err)
	}
	if e.Type == domain.MessageCreated && since >= e.Message.Seq {
		return // a line of before: its number is hidden with it, and it is never delivered
	}
	if string(frame) != string(want) {
		t.Errorf("%s, hidden up to %d: the frame is\n%s\nand the event\n%s", name, since, frame, want)
	}
}
