package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

// forward forwards a message of a room. rest is its number, and the name or id of the room that it goes to.
func (t *chatSession) forward(ctx context.Context, room, rest string) error {
	number, name, _ := strings.Cut(rest, " ")
	seq, err := strconv.ParseInt(number, 10, 64)
	if name = strings.TrimSpace(name); err != nil || name == "" {
		return errors.New("give the number of a message, and the room that it goes to: /forward 412 Kitchen")
	}
	to, err := t.ownRoom(ctx, name)
	if err != nil {
		return err
	}
	var sent client.Sent
	err = t.await(func() (err error) {
		sent, err = t.c.Forward(ctx, client.NewForward{Room: to.ID, From: room, Seq: seq})
		return err
	})
	if err != nil {
		return err
	}
	if to.ID == t.open && t.piped {
		t.echo(ctx, to.ID, sent.Seq)
	} else if to.ID != t.open {
		fmt.Fprintf(t.out, "* message %d is in %s now\n", seq, roomName(to))
	}
	return nil
}

// forwarded returns what a message says, and below it what it forwards, with whose it is.
func forwarded(f *client.Forward) string {
	return plain(fmt.Sprintf("%s\n[forwarded from %s, %s]\n%s", domain.PlainText(f.Note), called(f.Sender),
		f.At.Local().Format("2006-01-02 15:04"), domain.PlainText(f.Text)))
}

// foldForward returns an event without what it forwards of somebody whom the user has blocked.
func (t *chatSession) foldForward(ev client.Event) client.Event {
	m := ev.Message
	if m == nil || m.Forward == nil || !t.blocked[m.Forward.Sender.ID] {
		return ev
	}
	folded, f := *m, *m.Forward
	f.Text = fmt.Sprintf("(from a blocked person; /text %d shows it)", m.Seq)
	folded.Forward, ev.Message = &f, &folded
	return ev
}
