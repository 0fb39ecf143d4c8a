package domain

import (
	"fmt"
	"strings"
	"time"
)

// Limits of polls.
const (
	MaxQuestion = 300 // characters
	MinChoices  = 2
	MaxChoices  = 10
	MaxChoice   = 100 // characters
)

// ContentPoll is the content type of a message that is a poll. Its text, in Markdown, is the question and the choices.
const ContentPoll = "text/vnd.unhidra.poll"

// Poll is a question with choices, for which members of a room vote. It belongs to a message.
type Poll struct {
	Question  string
	Choices   []PollChoice
	Multiple  bool      // one may vote for several choices
	Anonymous bool      // nobody is told who voted for what
	ClosesAt  time.Time // zero: not by itself
	ClosedAt  time.Time // when somebody closed it; zero: nobody has
	Voters    int
	Seq       int64 // number of the last event that changed it; 0: none has
	Mine      []int // choices that whoever asks has voted for, from 1; nil: not asked for
}

// PollChoice is a choice of a poll.
type PollChoice struct {
	Text  string
	Votes int
}

// PollVotes is how a poll stands.
type PollVotes struct {
	Votes    []int      `json:"votes"` // for each choice
	Voters   int        `json:"voters"`
	ClosedAt *time.Time `json:"closed_at,omitempty"` // nil: nobody has closed it
}

// Open returns an error if nobody can vote in p any more.
func (p *Poll) Open(now time.Time) error {
	if !p.ClosedAt.IsZero() || !p.ClosesAt.IsZero() && !now.Before(p.ClosesAt) {
		return Conflict.Errorf(CodePollClosed, "this poll is closed: its votes stay as they are")
	}
	return nil
}

// CheckPoll returns p in the form in which it is stored, or says what is wrong with it.
func CheckPoll(p Poll, now time.Time) (_ Poll, err error) {
	if p.Question, err = CheckLine("/question", p.Question, MaxQuestion, true); err != nil {
		return p, err
	}
	if n := len(p.Choices); n < MinChoices || n > MaxChoices {
		return p, InvalidField("/choices", "a poll has %d to %d choices, this has %d", MinChoices, MaxChoices, n)
	}
	seen := make(map[string]bool, len(p.Choices))
	for i := range p.Choices {
		c := &p.Choices[i]
		at := fmt.Sprintf("/choices/%d", i)
		if c.Text, err = CheckLine(at, c.Text, MaxChoice, true); err != nil {
			return p, err
		}
		folded := strings.ToLower(c.Text)
		if seen[folded] {
			return p, InvalidField(at, "there is another choice %q", c.Text)
		}
		seen[folded] = true
	}
	if !p.ClosesAt.IsZero() {
		err = CheckAhead("/closes_at", p.ClosesAt, now)
	}
	return p, err
}

// Text is what a message says that is the poll, to whoever does not show polls.
func (p *Poll) Text() string {
	var b strings.Builder
	b.WriteString(p.Question + "\n")
	for i, c := range p.Choices {
		fmt.Fprintf(&b, "\n%d. %s", i+1, c.Text)
	}
	return b.String()
}

// CheckVote returns the choices of a vote in p as bits, the lowest of which is the first choice. Choices count from 1;
// no choice takes the vote back.
func (p *Poll) CheckVote(choices []int) (bits int64, err error) {
	for _, n := range choices {
		if n < 1 || n > len(p.Choices) {
			return 0, InvalidField("/choices", "this poll has the choices 1 to %d", len(p.Choices))
		}
		bits |= 1 << (n - 1)
	}
	if !p.Multiple && len(choices) > 1 {
		return 0, InvalidField("/choices", "this poll takes one choice")
	}
	return bits, nil
}

// VotedFor returns the choices of a vote, counted from 1. It is the inverse of CheckVote.
func VotedFor(bits int64) []int {
	choices := []int{}
	for n := 1; n <= MaxChoices; n++ {
		if bits&(1<<(n-1)) != 0 {
			choices = append(choices, n)
		}
	}
	return choices
}

// ErrNoPoll says that a message is no poll.
func ErrNoPoll(seq int64) error {
	return NotFound.Errorf(CodeNoPoll, "message %d of this room is no poll", seq)
}

// Voter is a user who voted for a choice of a poll.
type Voter struct {
	User UserRef
	At   time.Time
}

// VoteBy is a vote of a user.
type VoteBy struct {
	Room    string
	Seq     int64 // of the poll
	Choices []int // from 1
	At      time.Time
}
