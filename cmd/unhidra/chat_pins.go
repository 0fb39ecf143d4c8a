package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

// pin pins a message, whose number is rest, or takes it off the pinned ones. Without a number it lists these.
func (t *chatSession) pin(ctx context.Context, room, rest string, remove bool) error {
	if rest == "" && !remove {
		return t.pins(ctx, room)
	}
	seq, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return errors.New("give the number of a message, as in /pin 412")
	}
	do := t.c.Pin
	if remove {
		do = t.c.Unpin
	}
	var done client.PinChanged
	err = t.await(func() (err error) { done, err = do(ctx, room, seq); return err })
	if err == nil && done.Seq == 0 {
		fmt.Fprintln(t.out, "* nothing to change")
	}
	return err
}

// pins lists the pinned messages of a room, the one that was pinned first first.
func (t *chatSession) pins(ctx context.Context, room string) error {
	pins, err := t.c.Pins(ctx, room)
	if err != nil {
		return err
	}
	if len(pins) == 0 {
		fmt.Fprintln(t.out, "* nothing is pinned here")
	}
	for i := len(pins) - 1; i >= 0; i-- {
		m := pins[i].Message
		fmt.Fprintf(t.out, "message %d, pinned by %s\n%s\n", m.Seq, plain(pins[i].By.DisplayName),
			t.line(client.Event{Type: string(domain.MessageCreated), At: m.At, Actor: m.Sender, Message: &m}))
	}
	return nil
}
