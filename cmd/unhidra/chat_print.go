package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
)

// event prints an event of the open room, or of all rooms with --follow.
func (t *chatSession) event(ev client.Event) {
	if ev.Message != nil && ev.Actor.ID == t.me && ev.Type == string(domain.MessageCreated) {
		t.mine[ev.Room] = ev.Seq
	}
	if ev.Actor.ID == t.me {
		t.heard[ev.Room] = ev.Seq
	}
	t.seen(ev)
	if ev.Room != t.open && !t.follow {
		return
	}
	ev, news := t.grown(ev)
	if !news {
		return
	}
	prefix := ""
	if t.follow {
		prefix = "[" + roomName(t.rooms[ev.Room]) + "] "
	}
	fmt.Fprintln(t.out, prefix+t.line(ev))
}

// grown returns what an event says of the answer of an assistant, which grows: what is printed already is left out, and
// if that is all, ok is false. Other events it returns as they are.
func (t *chatSession) grown(ev client.Event) (_ client.Event, ok bool) {
	if ev.Message == nil || ev.Message.ContentType != domain.ContentAnswer || ev.Message.DeletedAt != nil {
		return ev, true
	}
	key, m := fmt.Sprint(ev.Room, " ", ev.Message.Seq), *ev.Message
	printed := min(t.answers[key], len(m.Text))
	switch domain.EventType(ev.Type) {
	case domain.MessageCreated:
	case domain.MessageEdited:
		if m.Text = m.Text[printed:]; strings.TrimSpace(m.Text) == "" {
			return ev, false
		}
	default:
		return ev, true
	}
	t.answers[key] = len(ev.Message.Text)
	ev.Message = &m
	return ev, true
}

// described has a function for each type of event that returns its text, without the time.
var described = map[domain.EventType]func(ev client.Event, who, about string) string{
	domain.MessageCreated: said,
	domain.MessageEdited: func(ev client.Event, who, _ string) string {
		if ev.Message.Hidden {
			return who + " edited a message from before you joined"
		}
		if ev.Message.ContentType == domain.ContentAnswer {
			return who + " … " + plain(domain.PlainText(ev.Message.Text))
		}
		return who + " edited: " + plain(domain.PlainText(ev.Message.Text))
	},
	domain.MessageDeleted: func(ev client.Event, who, _ string) string {
		return who + " deleted a message of " + called(ev.Message.Sender)
	},
	domain.MessagePreviewed: func(ev client.Event, _, _ string) string { return "* " + previewLine(ev.Message) },
	domain.MessageFlagged:   flagged,
	domain.MemberJoined:     func(_ client.Event, _, about string) string { return "* " + about + " joined" },
	domain.MemberLeft:       func(_ client.Event, _, about string) string { return "* " + about + " left" },
	domain.MemberKicked:     done,
	domain.MemberBanned:     done,
	domain.MemberUnbanned:   done,
	domain.MemberMuted: func(ev client.Event, who, about string) string {
		if ev.Detail == nil || ev.Detail.Until == nil {
			return "* " + about + ": unmuted by " + who
		}
		return done(ev, who, about)
	},
	domain.MemberRole: func(ev client.Event, who, about string) string {
		if ev.Detail == nil {
			return done(ev, who, about)
		}
		return "* " + about + ": now " + ev.Detail.Role + ", by " + who
	},
	domain.AlarmRaised: func(ev client.Event, _, about string) string {
		return "! " + about + ": " + alarmLine(ev.Detail)
	},
	domain.AlarmCleared: func(ev client.Event, _, about string) string {
		return "* " + about + ": over: " + alarmLine(ev.Detail)
	},
	domain.AlarmAcknowledged: func(ev client.Event, who, about string) string {
		line := "* " + about + ": " + alarmLine(ev.Detail) + ": " + who
		if ev.Detail != nil && ev.Detail.Alarm != nil && ev.Detail.Alarm.Note != "" {
			line += " noted: " + plain(ev.Detail.Alarm.Note)
		} else {
			line += " knows"
		}
		return line
	},
	domain.CommandGiven: func(ev client.Event, who, about string) string {
		return "* " + about + ": " + commandLine(ev.Detail) + " by " + who
	},
	domain.CommandChanged: func(ev client.Event, _, about string) string {
		return "* " + about + ": " + commandLine(ev.Detail)
	},
	domain.AlarmEscalated: func(ev client.Event, _, about string) string {
		return "! " + about + ": nobody has acknowledged: " + alarmLine(ev.Detail)
	},
	domain.ChartPosted: func(ev client.Event, who, about string) string {
		return "* " + about + ": " + chartLines(ev.Detail, who)
	},
	domain.RolloutTold: func(ev client.Event, who, _ string) string { return "! " + rolloutLine(ev.Detail, who) },
	domain.GroupCommanded: func(ev client.Event, who, _ string) string {
		return "* " + who + " told " + batchLine(ev.Detail)
	},
	domain.GroupChanged: func(ev client.Event, _, _ string) string { return "* " + batchLine(ev.Detail) },
	domain.ReactionAdded: func(ev client.Event, who, _ string) string {
		return "* " + who + " reacted with " + emojiOf(ev.Detail)
	},
	domain.ReactionRemoved: func(ev client.Event, who, _ string) string {
		return "* " + who + " took a reaction away: " + emojiOf(ev.Detail)
	},
	domain.MessagePinned: func(ev client.Event, who, _ string) string {
		return "* " + who + " pinned " + messageOf(ev.Detail)
	},
	domain.MessageUnpinned: func(ev client.Event, who, _ string) string {
		return "* " + who + " unpinned " + messageOf(ev.Detail)
	},
	domain.PollChanged: func(ev client.Event, _, _ string) string { return "* " + votes(ev.Detail) },
	domain.RoomCreated: func(_ client.Event, who, _ string) string { return "* the room was created by " + who },
	domain.RoomUpdated: func(_ client.Event, who, _ string) string { return "* the room was updated by " + who },
}

// messageOf names the message that an event is about: message 412.
func messageOf(d *client.Detail) string {
	if d == nil || d.Of == 0 {
		return "a message"
	}
	return fmt.Sprint("message ", d.Of)
}

// emojiOf returns an emoji and the message that it is given to: 👍 (message 412).
func emojiOf(d *client.Detail) string {
	if d == nil || d.Emoji == "" {
		return "an emoji"
	}
	return plain(fmt.Sprintf("%s (message %d)", d.Emoji, d.Of))
}

// previewLine returns what the links of a message lead to: message 412 links to "Tea" (https://example.org/tea).
func previewLine(m *client.Message) string {
	var pages []string
	for _, p := range m.Previews {
		pages = append(pages, fmt.Sprintf("%q (%s)", p.Title, p.URL))
	}
	if pages == nil {
		return fmt.Sprintf("message %d shows no previews of links", m.Seq)
	}
	return plain(fmt.Sprintf("message %d links to %s", m.Seq, strings.Join(pages, " and ")))
}

// flagged returns what became of the server's flag on a message.
func flagged(ev client.Event, who, _ string) string {
	switch m := ev.Message; {
	case m.Flag == nil:
		return fmt.Sprintf("* %s decided that message %d stays", who, m.Seq)
	case m.Flag.Appealed:
		return fmt.Sprintf("* %s asked moderators to decide on message %d", who, m.Seq)
	case m.Flag.Reason == string(domain.ReportRough):
		return fmt.Sprintf("* message %d may be rough language (%d %%): moderators will look at it", m.Seq, m.Flag.Score)
	default:
		return fmt.Sprintf("* message %d may be spam (%d %%): moderators will look at it", m.Seq, m.Flag.Score)
	}
}

// alarmLine returns what an alarm says: Too warm (temperature 31.5, limit 30).
func alarmLine(d *client.Detail) string {
	if d == nil || d.Alarm == nil {
		return "an alarm"
	}
	a := d.Alarm
	if a.Value == nil || a.Limit == nil {
		return plain(a.Name)
	}
	return plain(fmt.Sprintf("%s (%s %v, limit %v)", a.Name, a.Sensor, *a.Value, *a.Limit))
}

// rolloutLine returns what became of a rollout: lamp 2.4.1 is paused in stage 1 of 4: 8 of 14 failed (panic).
func rolloutLine(d *client.Detail, who string) string {
	if d == nil || d.Rollout == nil {
		return "a rollout of firmware by " + who
	}
	r := d.Rollout
	line := fmt.Sprintf("%s %s is %s in stage %d of %d: %d succeeded, %d failed", r.Product, r.Version, r.State, r.Stage,
		r.Stages, r.Succeeded, r.Failed)
	if p := r.Pause; p != nil && p.Reason != "" {
		line += " (" + p.Reason + ")"
	}
	if p := r.Pause; p != nil && p.Revision != nil && p.Chance <= domain.LikelyChance {
		line += fmt.Sprintf(", mostly on %s revision %d.%d", p.Revision.Chip, p.Revision.Revision/100, p.Revision.Revision%100)
	}
	if !r.Itself {
		line += "; by " + who
	}
	return plain(line)
}

// chartLines returns the figures of a chart, a line for each series:
//
//	chart of 24h0m0s by @ann
//	temperature: 22.1 Cel (18.2 to 24.5, mean 21.4)
func chartLines(d *client.Detail, who string) string {
	if d == nil || d.Chart == nil {
		return "a chart by " + who
	}
	c := d.Chart
	text := "chart of " + c.To.Sub(c.From).Round(time.Second).String() + " by " + who
	for _, s := range c.Series {
		text += "\n" + s.Name + ": "
		if s.Last == nil || s.Min == nil || s.Max == nil || s.Mean == nil {
			text += "no readings"
			continue
		}
		text += strings.TrimSpace(fmt.Sprintf("%.5g %s", *s.Last, s.Unit)) +
			fmt.Sprintf(" (%.5g to %.5g, mean %.5g)", *s.Min, *s.Max, *s.Mean)
	}
	return plain(text)
}

// batchLine returns what a group was told, and how far that has come: group pumps: fan on=true (8 of 12 done).
func batchLine(d *client.Detail) string {
	if d == nil || d.Batch == nil {
		return "a group of devices something"
	}
	b := d.Batch
	line := "group " + b.Group + ": " + orderLine(b.Action, b.Args) + fmt.Sprintf(" (%d of %d done", b.Counts.Done,
		b.Counts.Devices)
	for _, n := range []struct {
		n    int
		what string
	}{
		{b.Counts.Pending + b.Counts.Delivered, "waiting"}, {b.Counts.Failed + b.Counts.Expired + b.Counts.Cancelled, "failed"},
		{b.Counts.Refused, "not told"},
	} {
		if n.n > 0 {
			line += fmt.Sprintf(", %d %s", n.n, n.what)
		}
	}
	return plain(line + ")")
}

// orderLine returns an action with its arguments: fan speed=40.
func orderLine(action string, given json.RawMessage) string {
	line := action
	var args map[string]json.RawMessage
	_ = json.Unmarshal(given, &args) // without arguments there is nothing to show
	for _, name := range slices.Sorted(maps.Keys(args)) {
		line += " " + name + "=" + strings.Trim(string(args[name]), `"`)
	}
	return line
}

// commandLine returns what a device was told, and what became of it: fan speed=40 (done: {"rpm":900}).
func commandLine(d *client.Detail) string {
	if d == nil || d.Command == nil {
		return "a command"
	}
	c := d.Command
	line, state := orderLine(c.Action, c.Args), c.State
	switch {
	case c.Error != "":
		state += ": " + c.Error
	case len(c.Result) > 0:
		state += ": " + string(c.Result)
	case c.Progress != nil && c.State == string(domain.CommandRunning):
		state += fmt.Sprintf(", %d %%", *c.Progress)
	}
	return plain(line + " (" + state + ")")
}

// done returns the text for an action of a user on another.
func done(ev client.Event, who, about string) string {
	return "* " + about + ": " + strings.TrimPrefix(ev.Type, "member.") + " by " + who
}

func said(ev client.Event, who, _ string) string {
	if ev.Message.DeletedAt != nil {
		return who + ": (deleted)"
	}
	quote := ""
	if ev.Message.Thread != 0 {
		quote = fmt.Sprintf("(thread %d) ", ev.Message.Thread)
	} else if q := ev.Message.ReplyTo; q != nil && q.Hidden {
		quote = "(to a message from before you joined) "
	} else if q != nil {
		quote = "(to " + speaker(q.Sender, q.Face) + ") "
	}
	if ev.Message.Face != nil {
		who = speaker(ev.Message.Sender, ev.Message.Face)
	}
	if ev.Message.ContentType == domain.ContentAction {
		who = "* " + who
	} else {
		who += ":"
	}
	if f := ev.Message.Forward; f != nil {
		return who + " " + quote + forwarded(f) + reactions(ev.Message) + replies(ev.Message)
	}
	if ev.Message.Poll != nil {
		return who + " " + quote + plain(ev.Message.Poll.Question) + poll(ev.Message) + reactions(ev.Message) +
			replies(ev.Message)
	}
	return who + " " + quote + plain(domain.PlainText(ev.Message.Text)) + files(ev.Message) + reactions(ev.Message) +
		replies(ev.Message)
}

// files returns the files of a message as lines of their own: [photo.jpg, image/jpeg, 123456 bytes, fil_…].
func files(m *client.Message) string {
	lines := ""
	for _, f := range m.Files {
		state := fmt.Sprintf("%s, %d bytes, %s", f.Type, f.Size, f.ID)
		if f.Gone {
			state = "deleted"
		}
		lines += plain(fmt.Sprintf("\n[%s, %s]", f.Name, state))
	}
	return lines
}

// replies returns how much is said in the thread of a message as a line of its own: 3 in the thread (/thread 412).
func replies(m *client.Message) string {
	if m.Replies == nil {
		return ""
	}
	return fmt.Sprintf("\n    %d in the thread (/thread %d)", m.Replies.Count, m.Seq)
}

// reactions returns the reactions to a message as a line of their own, with its number: 👍 2  🎉 1  (message 412).
func reactions(m *client.Message) string {
	if len(m.Reactions) == 0 {
		return ""
	}
	line := "\n"
	for _, r := range m.Reactions {
		line += fmt.Sprintf("%s %d  ", r.Emoji, r.Count)
	}
	return plain(line + fmt.Sprintf("(message %d)", m.Seq))
}

// seen notes the last message of a room.
func (t *chatSession) seen(ev client.Event) {
	if ev.Type == string(domain.MessageCreated) {
		t.last[ev.Room] = max(t.last[ev.Room], ev.Seq)
	}
}

// line describes an event, without what somebody says whom the user has blocked.
func (t *chatSession) line(ev client.Event) string {
	ev = t.foldForward(ev)
	if m := ev.Message; m != nil && t.blocked[m.Sender.ID] && m.DeletedAt == nil {
		return fmt.Sprintf("%s * message %d is from a blocked person; /text %[2]d shows it",
			ev.At.Local().Format(time.TimeOnly), m.Seq)
	}
	return describe(ev)
}

// describe returns the line for an event. For unknown types, from a newer server, it has only the
// type.
func describe(ev client.Event) string {
	at := ev.At.Local().Format(time.TimeOnly) + " "
	who, about := called(ev.Actor), ""
	if ev.Subject != nil {
		about = called(*ev.Subject)
	}
	if line, ok := described[domain.EventType(ev.Type)]; ok {
		return at + line(ev, who, about)
	}
	return at + "* " + plain(ev.Type) + " by " + who + "; update this program to see what it says"
}

// called returns how a member is called: @ann. Webhooks and slash commands have no username but their id, and are
// called by their names: /deploy.
func called(u client.User) string {
	if u.Username == u.ID && u.DisplayName != "" {
		return plain(u.DisplayName)
	}
	return "@" + u.Username
}

// speaker is who wrote a message with face f: the name that a webhook chose for it, and its own.
func speaker(u client.User, f *client.Face) string {
	if f == nil || f.Name == "" {
		return called(u)
	}
	return plain(f.Name) + " (" + called(u) + ")"
}

// plain removes control characters, which could control the terminal, and indents further lines.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !obs.IsControl(r) {
			return r
		}
		return -1
	}, s)
	return strings.ReplaceAll(s, "\n", "\n    ")
}

func roomName(st client.RoomState) string {
	if st.Name != "" {
		return plain(st.Name)
	}
	var names []string
	for _, p := range st.Peers {
		names = append(names, "@"+p.Username)
	}
	if len(names) == 0 {
		return st.ID
	}
	return strings.Join(names, " ")
}
