package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

// keep saves a message for the user, or takes it off the saved ones. number is that of the message.
func (t *chatSession) keep(ctx context.Context, room, number string, save bool) error {
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return errors.New("give the number of a message, as in /saved 412")
	}
	do, done := t.c.Save, "saved"
	if !save {
		do, done = t.c.Unsave, "no longer saved"
	}
	err = t.await(func() error { return do(ctx, room, seq) })
	if err == nil {
		fmt.Fprintf(t.out, "* message %d is %s\n", seq, done)
	}
	return err
}

// listSaved lists the saved messages, those that were saved first first.
func (t *chatSession) listSaved(ctx context.Context) error {
	saved, next, err := t.c.Saved(ctx, "")
	if err != nil {
		return err
	}
	switch {
	case len(saved) == 0:
		fmt.Fprintln(t.out, "* you have saved nothing")
	case next != "":
		fmt.Fprintln(t.out, "* earlier ones are left out")
	}
	for _, s := range slices.Backward(saved) {
		m := s.Message
		name, err := t.nameOf(ctx, m.Room)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.out, "message %d in %s\n%s\n", m.Seq, name,
			describe(client.Event{Type: string(domain.MessageCreated), At: m.At, Actor: m.Sender, Message: &m}))
	}
	return nil
}
