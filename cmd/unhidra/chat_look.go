package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

// look gives a room what is written: one of the colours of rooms, and an emoji. Without either it shows what the room
// has.
func (t *chatSession) look(ctx context.Context, room, written string) error {
	var change client.LookChange
	for _, word := range strings.Fields(written) {
		if slices.Contains(domain.RoomColours, word) {
			change.Colour = &word
			continue
		}
		if _, err := domain.CheckEmoji("", word); err != nil {
			return fmt.Errorf("%q is neither an emoji nor a colour of rooms: %s", word, strings.Join(domain.RoomColours, ", "))
		}
		change.Emoji = &word
	}
	if change != (client.LookChange{}) {
		return t.await(func() error { _, err := t.c.ChangeLook(ctx, room, change); return err })
	}
	st, err := t.c.Room(ctx, room)
	if err != nil {
		return err
	}
	var has []string
	if l := st.Look; l != nil {
		for _, part := range []string{l.Colour, l.Emoji} {
			if part != "" {
				has = append(has, plain(part))
			}
		}
		if l.Avatar != "" {
			has = append(has, "a picture")
		}
	}
	if has == nil {
		has = []string{"no colour, emoji or picture"}
	}
	fmt.Fprintln(t.out, "* this room has "+strings.Join(has, ", "))
	return nil
}
