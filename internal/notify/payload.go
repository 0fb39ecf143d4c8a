package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/webpush"
	"github.com/unhidra/unhidra/internal/wire"
)

const maxExcerpt = 600 // bytes of text in a push

// payload is what a receiver gets. It makes the sentences itself, in its user's language.
type payload struct {
	Kind   string    `json:"kind"` // message, alarm, reminder or report
	User   string    `json:"user"` // whom it is for: a browser may have another one by the time they act on it
	Room   string    `json:"room"` // of reports empty: administrators decide on them
	Thread int64     `json:"thread,omitempty"`
	Seq    int64     `json:"seq"`
	Direct bool      `json:"direct,omitempty"`
	Name   string    `json:"name,omitempty"` // of the room
	Icon   string    `json:"icon,omitempty"` // path of the room's picture, or in a direct one of the sender's
	Sender string    `json:"sender"`         // name of who wrote, or of the device
	Text   string    `json:"text,omitempty"` // absent: it is not to be shown, or there is none
	Files  int       `json:"files,omitempty"`
	Count  int       `json:"count"` // messages since the user has read the room, or those that wait reported
	Reason string    `json:"reason"`
	ID     string    `json:"id,omitempty"` // of a reminder
	At     time.Time `json:"at"`
}

// payload returns the text of a push, within what push services take.
func (s *Service) payload(p domain.Push, st domain.PushState) ([]byte, error) {
	e := st.Last
	v := payload{Kind: "message", User: p.Subscription.User, Room: p.Room, Thread: p.Thread, Seq: e.Seq,
		Direct: st.Direct, Name: st.Name, Sender: e.Actor.DisplayName, Count: st.Count, Reason: string(st.Reason), At: e.At}
	picture := st.Picture
	if st.Direct {
		picture = e.Actor.Avatar
	}
	v.Icon = wire.AvatarPath(picture)
	text := ""
	switch {
	case p.Reports:
		v.Kind, v.At = "report", p.Since
	case st.Reminder != nil:
		v.Kind, v.ID, v.Room, v.At, text = "reminder", st.Reminder.ID, st.Reminder.Room, p.Since, st.Reminder.Text
		if e.Message != nil {
			v.Sender = domain.Called(e.Message.Sender, e.Message.Face)
			if text == "" {
				v.Files, text = len(e.Message.Files), domain.PlainLine(e.Message.Text)
			}
		}
	case e.Message != nil:
		v.Sender, v.Files = domain.Called(e.Message.Sender, e.Message.Face), len(e.Message.Files)
		text = domain.PlainLine(e.Message.Text)
	case e.Subject != nil:
		v.Kind, v.Sender, text = "alarm", e.Subject.DisplayName, alarmName(e)
	}
	for most := maxExcerpt; ; most /= 2 {
		if !st.Settings.HideText {
			v.Text = cut(text, most)
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return nil, err
		}
		if b.Len() <= webpush.MaxText || most == 0 {
			return bytes.TrimSpace(b.Bytes()), nil
		}
	}
}

// alarmName is what an alarm is called.
func alarmName(e domain.Event) string {
	var line *domain.AlarmLine
	switch p := e.Payload.(type) {
	case domain.AlarmRaisedPayload:
		line = p.Alarm
	case domain.AlarmEscalatedPayload:
		line = p.Alarm
	}
	if line == nil {
		return ""
	}
	return line.Name
}

// cut returns the beginning of a text, at most n bytes, with an ellipsis if it is not all.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	if n == 0 {
		return ""
	}
	return strings.TrimRight(strings.ToValidUTF8(text[:n], ""), " ") + "…"
}

// reasonOf says to people why a push service gave no answer.
func reasonOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, outbound.ErrPrivate):
		return "the push service is in a private network, which the operator of the server has not allowed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "the push service does not answer"
	}
	return "the push service cannot be reached"
}
