package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// NewPoll is a question with choices, 2 to 10, for which members of a room vote. The zero ClosesAt leaves it open until
// somebody closes it. Thread is the number of the message whose thread it is asked in; 0: it is asked in the room.
type NewPoll struct {
	Room      string    `json:"-"`
	Key       string    `json:"key"` // empty: a fresh one is chosen
	Question  string    `json:"question"`
	Choices   []string  `json:"choices"`
	Multiple  bool      `json:"multiple,omitempty"`  // one may vote for several choices
	Anonymous bool      `json:"anonymous,omitempty"` // nobody is told who voted for what
	ClosesAt  time.Time `json:"closes_at,omitzero"`
	Thread    int64     `json:"thread,omitempty"`
}

// CreatePoll asks a room something. The same key gives the same message.
func (c *Client) CreatePoll(ctx context.Context, n NewPoll) (s Sent, err error) {
	if n.Key == "" {
		n.Key = newKey()
	}
	err = c.Do(ctx, http.MethodPost, roomPath(n.Room)+"/polls", n, &s)
	return s, err
}

// Vote votes in a poll, for choices that are counted from 1; none takes the vote back. It replaces the vote before. To
// vote the same again changes nothing: the answer then has no number. The error has the code CodePollClosed if nobody
// can vote any more.
func (c *Client) Vote(ctx context.Context, room string, seq int64, choices ...int) (p PollNow, err error) {
	if choices == nil {
		choices = []int{}
	}
	err = c.Do(ctx, http.MethodPut, pollPath(room, seq)+"/vote", map[string][]int{"choices": choices}, &p)
	return p, err
}

// ClosePoll closes a poll: one's own, or as a moderator that of somebody else. To close it again changes nothing.
func (c *Client) ClosePoll(ctx context.Context, room string, seq int64) (p PollNow, err error) {
	err = c.Do(ctx, http.MethodPut, pollPath(room, seq)+"/closed", nil, &p)
	return p, err
}

// Voters returns a page of who voted for a choice, counted from 1. The error has the code CodePollAnonymous if the poll
// is anonymous.
func (c *Client) Voters(
	ctx context.Context, room string, seq int64, choice int, cursor string,
) (p Page[Reactor], err error) {
	err = c.into(ctx, fmt.Sprint(pollPath(room, seq), "/choices/", choice, "/voters?", query("cursor", cursor)), &p)
	return p, err
}

func pollPath(room string, seq int64) string {
	return fmt.Sprint("/rooms/", url.PathEscape(room), "/messages/", seq, "/poll")
}
