package domain

// View is the part of a room's log that somebody sees: what has a number above Since. Whoever reads a log for
// somebody needs one, and it comes from their membership (Member.View), so that no reader can forget it.
type View struct {
	Room  string
	Since int64 // the last number that they do not see; 0: they see all
}

// WholeLog is the view of what reads a log for nobody: delivery, which hides for each member what they do not see, and
// the tools of whoever runs the server.
func WholeLog(room string) View { return View{Room: room} }

// View is what m sees of the room's log. Of a non-member it is a view of no room.
func (m Member) View() View { return View{m.Room, m.Since} }

// Sees reports whether the event with a number is in v.
func (v View) Sees(seq int64) bool { return seq > v.Since }

// After returns a number to read on after: that one, but not before v begins.
func (v View) After(seq int64) int64 { return max(seq, v.Since) }

// Narrow returns what both v and another view of the room show.
func (v View) Narrow(other View) View { return View{v.Room, max(v.Since, other.Since)} }

// Require returns ErrNoMessage if v does not show the message seq.
func (v View) Require(seq int64) error {
	if !v.Sees(seq) {
		return ErrNoMessage(seq)
	}
	return nil
}

// Hide takes out of e what it tells of lines that v does not show: an event changes such a line, or a message quotes
// it. wire.Earlier does the same with the frame of an event.
func (v View) Hide(e *Event) {
	if v.Since == 0 {
		return
	}
	if e.Message != nil {
		v.HideMessage(e.Message)
	}
	if e.Type.Timeline() {
		return
	}
	if of, blank := changes(e.Payload); blank != nil && !v.Sees(of) {
		e.Payload = blank
	}
}

// Of returns e as v shows it, and leaves e as it is for whoever sees more.
func (v View) Of(e Event) Event {
	if v.Since == 0 {
		return e
	}
	if e.Message != nil {
		m := *e.Message
		e.Message = &m
	}
	v.Hide(&e)
	return e
}

// HideMessage takes out of m what v does not show: all that it says, or what it quotes.
func (v View) HideMessage(m *Message) {
	switch {
	case !v.Sees(m.Seq):
		*m = Message{Room: m.Room, Seq: m.Seq, Sender: m.Sender, At: m.At, ContentType: ContentMarkdown, Hidden: true}
	case m.ReplyTo != nil && !v.Sees(m.ReplyTo.Seq):
		m.ReplyTo = &Quote{Seq: m.ReplyTo.Seq, Hidden: true}
	}
}

// HideAll does what Hide does for each of events.
func (v View) HideAll(events []Event) {
	for i := range events {
		v.Hide(&events[i])
	}
}

// changes returns the number of the line that an event with the payload p changes, and a payload that says only that.
func changes(p Payload) (of int64, blank Payload) {
	switch p := p.(type) {
	case CommandChangedPayload:
		return p.Of, CommandChangedPayload{Of: p.Of}
	case AlarmAcknowledgedPayload:
		return p.Of, AlarmAcknowledgedPayload{Of: p.Of}
	case GroupChangedPayload:
		return p.Of, GroupChangedPayload{Of: p.Of}
	case ReactionAddedPayload:
		return p.Of, ReactionAddedPayload{Of: p.Of}
	case ReactionRemovedPayload:
		return p.Of, ReactionRemovedPayload{Of: p.Of}
	case PollChangedPayload:
		return p.Of, PollChangedPayload{Of: p.Of}
	}
	return 0, nil
}
