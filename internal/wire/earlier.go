package wire

import (
	"bytes"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
)

// Earlier is an event that tells something of an earlier line of its room's log: it changes the line, or its message
// quotes it. A member who does not see that line gets the event without it.
type Earlier struct {
	event Event
	of    int64 // number of the line that it changes; 0: it is a line itself
}

// EarlierIn returns the event of a frame, or nil if it tells nothing of an earlier line.
func EarlierIn(h Header, frame []byte) (*Earlier, error) {
	timeline := domain.EventType(h.Type).Timeline()
	if timeline && !bytes.Contains(frame, []byte(`"reply_to"`)) {
		return nil, nil
	}
	var f struct {
		Data Event `json:"data"`
	}
	if err := json.Unmarshal(frame, &f); err != nil {
		return nil, err
	}
	x := &Earlier{event: f.Data}
	switch e := f.Data; {
	case timeline:
	case e.Message != nil:
		x.of = e.Message.Seq
	case e.Detail != nil:
		x.of = e.Detail.Of
	}
	return x, nil
}

// Hides reports what of the event a view from after since hides: the line that it changes, or what it quotes.
func (x *Earlier) Hides(since int64) (line, quote bool) {
	if x.of != 0 && x.of <= since {
		return true, false
	}
	m := x.event.Message
	return false, m != nil && m.ReplyTo != nil && m.ReplyTo.Seq <= since
}

// Frame returns the frame of the event without the line that it changes, or without what it quotes. It does what
// domain.View.Hide does.
func (x *Earlier) Frame(line, quote bool) ([]byte, error) {
	e := x.event
	if e.Message != nil && (line || quote) {
		m := *e.Message
		if line {
			m = Message{Room: m.Room, Seq: m.Seq, Sender: m.Sender, At: m.At, Hidden: true}
		} else {
			m.ReplyTo = &Quote{Seq: m.ReplyTo.Seq, Hidden: true}
		}
		e.Message = &m
	}
	if line && e.Detail != nil {
		e.Detail = &Detail{Of: x.of}
	}
	return Encode(Reply{Type: TypeEvent, Data: e})
}
