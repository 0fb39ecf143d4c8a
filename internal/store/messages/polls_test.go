package messages_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// ask makes a poll of user 0 in room.
func ask(t *testing.T, db *all.Store, room string, p domain.Poll, now time.Time) int64 {
	t.Helper()
	p.Question = "tea?"
	for i := range 3 {
		p.Choices = append(p.Choices, domain.PollChoice{Text: fmt.Sprint("choice ", i+1)})
	}
	p, err := domain.CheckPoll(p, now)
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(0), domain.Draft{Room: room,
		Key: fmt.Sprint(now.UnixNano()), Text: p.Text(), ContentType: domain.ContentPoll, Poll: &p}, nil, false, now)
	if err != nil {
		t.Fatal(err)
	}
	return e.Seq
}

// stands returns the votes for each choice of a poll, how many voted, and what user voted for.
func stands(t *testing.T, db *all.Store, user, room string, seq int64) (votes []int, voters int, mine []int) {
	t.Helper()
	m, err := db.Log.MessageAt(t.Context(), domain.WholeLog(room), seq)
	if err != nil || m.Poll == nil {
		t.Fatalf("poll %v, %v", m.Poll, err)
	}
	if err := db.Log.MarkMine(t.Context(), user, []*domain.Message{&m}); err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Poll.Choices {
		votes = append(votes, c.Votes)
	}
	return votes, m.Poll.Voters, m.Poll.Mine
}

// A later vote replaces the one before, and the same vote writes nothing. What the events say is what the poll has.
func TestVotes(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		seq := ask(t, db, room, domain.Poll{Multiple: true}, now)
		vote := func(user int, choices ...int) domain.Event {
			t.Helper()
			e, p, err := db.Messages.Vote(ctx, testkit.UserID(user), room, seq, choices, now)
			if err != nil || !slices.Equal(p.Mine, domain.VotedFor(bits(choices))) {
				t.Fatalf("vote for %v: %+v, %v", choices, p, err)
			}
			return e
		}
		vote(0, 1, 2)
		vote(1, 2)
		if e := vote(0, 3, 2); e.Type != domain.PollChanged || e.Actor.ID != testkit.UserID(0) ||
			!slices.Equal(e.Payload.(domain.PollChangedPayload).Poll.Votes, []int{0, 2, 1}) {
			t.Errorf("event %+v", e)
		}
		if e := vote(0, 2, 3, 3); e.Seq != 0 {
			t.Errorf("the same vote wrote event %d", e.Seq)
		}
		if votes, voters, mine := stands(t, db, testkit.UserID(0), room, seq); !slices.Equal(votes, []int{0, 2, 1}) ||
			voters != 2 || !slices.Equal(mine, []int{2, 3}) {
			t.Errorf("votes %v of %d, mine %v", votes, voters, mine)
		}
		who, err := db.Log.Voters(ctx, domain.WholeLog(room), seq, 2, "", 10)
		if err != nil || len(who) != 2 {
			t.Errorf("voters %v, %v", who, err)
		}
		vote(0)
		vote(1)
		if votes, voters, mine := stands(t, db, testkit.UserID(1), room, seq); !slices.Equal(votes, []int{0, 0, 0}) ||
			voters != 0 || len(mine) != 0 {
			t.Errorf("taken back: %v of %d, mine %v", votes, voters, mine)
		}
	})
}

func bits(choices []int) (b int64) {
	for _, n := range choices {
		b |= 1 << (n - 1)
	}
	return b
}

// refused fails unless err has the code.
func refused(t *testing.T, what string, err error, code domain.Code) {
	t.Helper()
	var e *domain.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: %v, not %s", what, err, code)
	}
}

// Nobody votes once a poll is closed, by somebody or by time; an anonymous one tells nobody who voted; and what is
// deleted leaves nothing.
func TestPollsEnd(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		author, other := testkit.UserID(0), testkit.UserID(1)
		seq := ask(t, db, room, domain.Poll{Anonymous: true, ClosesAt: now.Add(time.Hour)}, now)
		e, _, err := db.Messages.Vote(ctx, other, room, seq, []int{1}, now)
		if err != nil || e.Actor.ID != author {
			t.Errorf("an anonymous vote is of %s, %v", e.Actor.ID, err)
		}
		_, err = db.Log.Voters(ctx, domain.WholeLog(room), seq, 1, "", 10)
		refused(t, "voters of an anonymous poll", err, domain.CodePollAnonymous)
		_, _, err = db.Messages.Vote(ctx, other, room, seq, []int{1, 2}, now)
		refused(t, "two choices", err, domain.CodeInvalidField)
		_, _, err = db.Messages.Vote(ctx, other, room, seq, []int{4}, now)
		refused(t, "a choice that is not there", err, domain.CodeInvalidField)
		_, _, err = db.Messages.Vote(ctx, other, room, seq, []int{2}, now.Add(time.Hour))
		refused(t, "a vote after the end", err, domain.CodePollClosed)
		_, _, err = db.Messages.Vote(ctx, other, room, seq+1, []int{1}, now)
		refused(t, "a vote in an event", err, domain.CodeNoMessage)
		plain := testkit.Say(t, db, author, room, "plain", "no poll")
		_, _, err = db.Messages.Vote(ctx, other, room, plain.Seq, []int{1}, now)
		refused(t, "a vote in a message", err, domain.CodeNoPoll)
		_, _, err = db.Messages.ClosePoll(ctx, other, room, seq, now)
		if err == nil {
			t.Error("a member closed the poll of another")
		}
		for range 2 {
			if _, p, err := db.Messages.ClosePoll(ctx, author, room, seq, now); err != nil || p.ClosedAt.IsZero() {
				t.Errorf("closed: %+v, %v", p, err)
			}
		}
		_, _, err = db.Messages.Vote(ctx, other, room, seq, nil, now)
		refused(t, "a vote in a closed poll", err, domain.CodePollClosed)
		_, err = db.Messages.EditMessage(ctx, author, room, seq, "coffee?", nil, false, now)
		refused(t, "an edit", err, domain.CodePollFixed)
		if _, err := db.Messages.DeleteMessage(ctx, author, room, seq, now); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"polls", "poll_votes"} {
			var left int
			if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d rows of %s are left, %v", left, table, err)
			}
		}
	})
}
