package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/client"
)

// report reports a message. rest is its number, a reason, and a note if wanted.
func (t *chatSession) report(ctx context.Context, room, rest string) error {
	number, rest, _ := strings.Cut(rest, " ")
	seq, err := strconv.ParseInt(number, 10, 64)
	reason, note, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if err != nil || reason == "" {
		return errors.New("give the number of a message and a reason: spam, harassment, dangerous or other, " +
			"as in /report 412 spam")
	}
	if _, err := t.c.Report(ctx, room, seq, reason, strings.TrimSpace(note)); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "* reported to those who moderate here")
	return nil
}

// reported says what became of a message that the user reported, and that one waits for their decision.
func (t *chatSession) reported(r client.ReportChanged) {
	switch {
	case r.As == "reporter" && r.State == "removed":
		fmt.Fprintln(t.out, "* a message that you reported was deleted")
	case r.As == "reporter":
		fmt.Fprintln(t.out, "* a message that you reported was looked at, and stays")
	case r.State == "open":
		fmt.Fprintf(t.out, "* message %d was reported; decide on it in the web client\n", r.Seq)
	}
}
