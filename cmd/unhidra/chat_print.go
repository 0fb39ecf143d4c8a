package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/obs"
)

// event prints an event of the open room, or of any with --follow.
func (t *talk) event(ev client.Event) {
	if ev.Message != nil && ev.Actor.ID == t.me && ev.Type == "message.created" {
		t.mine[ev.Room] = ev.Seq
	}
	if ev.Room != t.open && !t.follow {
		return
	}
	prefix := ""
	if t.follow {
		prefix = "[" + roomName(t.rooms[ev.Room]) + "] "
	}
	if line := describe(ev); line != "" {
		fmt.Fprintln(t.out, prefix+line)
	}
}

// describe is an event as a line of text.
func describe(ev client.Event) string {
	at := ev.At.Local().Format(time.TimeOnly)
	who, about := "@"+ev.Actor.Username, ""
	if ev.Subject != nil {
		about = "@" + ev.Subject.Username
	}
	switch ev.Type {
	case "message.created":
		if ev.Message.DeletedAt != nil {
			return at + " " + who + ": (deleted)"
		}
		quote := ""
		if q := ev.Message.ReplyTo; q != nil {
			quote = "(to @" + q.Sender.Username + ") "
		}
		return at + " " + who + ": " + quote + plain(ev.Message.Text)
	case "message.edited":
		return at + " " + who + " changed: " + plain(ev.Message.Text)
	case "message.deleted":
		return at + " " + who + " deleted a message of @" + ev.Message.Sender.Username
	case "member.joined":
		return at + " * " + about + " is here"
	case "member.left":
		return at + " * " + about + " left"
	case "member.kicked", "member.banned", "member.unbanned", "member.muted", "member.role":
		return at + " * " + about + ": " + strings.TrimPrefix(ev.Type, "member.") + " by " + who
	case "room.created", "room.updated":
		return at + " * the room was " + strings.TrimPrefix(ev.Type, "room.") + " by " + who
	}
	return ""
}

// plain keeps a message from steering the terminal, and shows its further lines
// indented.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !obs.Steers(r) {
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
