package app_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Two people vote, and hear of each vote live with the counts that pages have. A retry is no event. Closing ends the
// voting, and an anonymous poll names no voter, neither in its events nor when it is asked.
func TestPeopleVote(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, testkit.SQLite(t)), t.Context()
	ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
	must(t, err)
	must(t, ann.Add(ctx, room.ID, id(t, bob)))
	ask := client.NewPoll{Room: room.ID, Key: "1", Question: "Tea?", Choices: []string{"yes", "no"}}
	asked, err := ann.CreatePoll(ctx, ask)
	must(t, err)
	if again, err := ann.CreatePoll(ctx, ask); err != nil || again.Seq != asked.Seq {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	secret, err := ann.CreatePoll(ctx, client.NewPoll{Room: room.ID, Question: "Cake?", Choices: []string{"yes", "no"},
		Anonymous: true, Multiple: true})
	must(t, err)
	_, events := hears(t, bob)
	for _, do := range []struct {
		change func() (client.PollNow, error)
		actor  *client.Client
		of     int64
		votes  []int
	}{
		{func() (client.PollNow, error) { return ann.Vote(ctx, room.ID, asked.Seq, 1) }, ann, asked.Seq, []int{1, 0}},
		{func() (client.PollNow, error) { return bob.Vote(ctx, room.ID, asked.Seq, 1) }, bob, asked.Seq, []int{2, 0}},
		{func() (client.PollNow, error) { return bob.Vote(ctx, room.ID, asked.Seq, 2) }, bob, asked.Seq, []int{1, 1}},
		{func() (client.PollNow, error) { return ann.Vote(ctx, room.ID, asked.Seq) }, ann, asked.Seq, []int{0, 1}},
		{func() (client.PollNow, error) { return bob.Vote(ctx, room.ID, secret.Seq, 1, 2) }, ann, secret.Seq, []int{1, 1}},
		{func() (client.PollNow, error) { return ann.ClosePoll(ctx, room.ID, asked.Seq) }, ann, asked.Seq, []int{0, 1}},
	} {
		now, err := do.change()
		must(t, err)
		e := next(t, events)
		if e.Type != "poll.changed" || e.Seq != now.Seq || e.Actor.ID != id(t, do.actor) || e.Detail.Of != do.of ||
			!slices.Equal(e.Detail.Poll.Votes, do.votes) || e.Detail.Poll.Voters != now.Poll.Voters {
			t.Errorf("the answer is %+v, the event is %+v", now, e)
		}
		if again, err := do.change(); err != nil || again.Seq != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
	shown, err := bob.Message(ctx, room.ID, asked.Seq)
	must(t, err)
	if p := shown.Poll; p == nil || p.ClosedAt == nil || p.Choices[1].Votes != 1 || !slices.Equal(*p.Mine, []int{2}) {
		t.Errorf("the message has the poll %+v", p)
	}
	refusedVotes(t, room.ID, asked.Seq, secret.Seq, ann, bob, eve)
}

func refusedVotes(t *testing.T, room string, closed, secret int64, ann, bob, eve *client.Client) {
	t.Helper()
	ctx := t.Context()
	said, err := ann.Send(ctx, client.Draft{Room: room, Text: "no poll"})
	must(t, err)
	vote := func(c *client.Client, seq int64, choices ...int) error {
		_, err := c.Vote(ctx, room, seq, choices...)
		return err
	}
	ask := func(p client.NewPoll) error {
		p.Room, p.Question = room, "Tea?"
		_, err := ann.CreatePoll(ctx, p)
		return err
	}
	_, notOwn := bob.ClosePoll(ctx, room, secret)
	_, voters := ann.Voters(ctx, room, secret, 1, "")
	_, forged := ann.Send(ctx, client.Draft{Room: room, Text: "Tea?", ContentType: "text/vnd.unhidra.poll"})
	two := []string{"yes", "no"}
	for what, c := range map[string]struct {
		err  error
		code client.Code
	}{
		"a vote in a closed poll":    {vote(ann, closed, 1), client.CodePollClosed},
		"a vote for no choice of it": {vote(ann, secret, 3), client.CodeInvalidField},
		"a vote in a message":        {vote(ann, said.Seq, 1), client.CodeNoPoll},
		"an outsider votes":          {vote(eve, secret, 1), client.CodeNoRoom},
		"a member closes it":         {notOwn, client.CodeRoleTooLow},
		"who voted in secret":        {voters, client.CodePollAnonymous},
		"a forged poll":              {forged, client.CodeInvalidField},
		"one choice":                 {ask(client.NewPoll{Choices: two[:1]}), client.CodeInvalidField},
		"the same choice twice":      {ask(client.NewPoll{Choices: []string{"yes", "Yes "}}), client.CodeInvalidField},
		"a time that is over": {ask(client.NewPoll{Choices: two, ClosesAt: time.Now().Add(-time.Hour)}),
			client.CodeInvalidField},
	} {
		var e *client.Error
		if !errors.As(c.err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
}
