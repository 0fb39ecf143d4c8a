package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/client"
)

// poll asks the open room what rest says: a question and its choices, with | between them.
func (t *chatSession) poll(ctx context.Context, rest string) error {
	parts := strings.Split(rest, "|")
	if len(parts) < 3 {
		return errors.New("give a question and at least two choices: /poll Tea or coffee? | tea | coffee")
	}
	var sent client.Sent
	err := t.await(func() (err error) {
		sent, err = t.c.CreatePoll(ctx, client.NewPoll{Room: t.open, Question: parts[0], Choices: parts[1:]})
		return err
	})
	if err == nil && t.piped {
		t.echo(ctx, t.open, sent.Seq)
	}
	return err
}

// vote votes in a poll. rest is the number of its message, and the choices, counted from 1.
func (t *chatSession) vote(ctx context.Context, room, rest string) error {
	words := strings.Fields(rest)
	numbers := make([]int, len(words))
	for i, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil {
			return fmt.Errorf("%q is no number: /vote 412 1 votes for the first choice of the poll 412", w)
		}
		numbers[i] = n
	}
	if len(numbers) == 0 {
		return errors.New("give the number of the poll and your choices: /vote 412 1")
	}
	var now client.PollNow
	err := t.await(func() (err error) {
		now, err = t.c.Vote(ctx, room, int64(numbers[0]), numbers[1:]...)
		return err
	})
	if err == nil && now.Seq == 0 {
		fmt.Fprintln(t.out, "* nothing to change")
	}
	return err
}

// poll returns how a poll stands as lines: 1. tea: 3; and how one votes.
func poll(m *client.Message) string {
	p := m.Poll
	if p == nil {
		return ""
	}
	lines := ""
	for i, c := range p.Choices {
		lines += fmt.Sprintf("\n%d. %s: %d", i+1, c.Text, c.Votes)
	}
	if p.ClosedAt != nil || p.ClosesAt != nil && !time.Now().Before(*p.ClosesAt) {
		return plain(lines + "\n(closed)")
	}
	return plain(lines + fmt.Sprintf("\n(/vote %d and the number of a choice)", m.Seq))
}

// votes returns how a poll stands after an event: poll 412: 3, 1.
func votes(d *client.Detail) string {
	if d == nil || d.Poll == nil {
		return "a poll has changed"
	}
	counts := make([]string, len(d.Poll.Votes))
	for i, n := range d.Poll.Votes {
		counts[i] = strconv.Itoa(n)
	}
	line := fmt.Sprintf("poll %d: %s", d.Of, strings.Join(counts, ", "))
	if d.Poll.ClosedAt != nil {
		line += " (closed)"
	}
	return line
}
