package chat

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// PollStore stores votes in polls.
type PollStore interface {
	Vote(
		ctx context.Context, actor, room string, seq int64, choices []int, now time.Time,
	) (domain.Event, domain.Poll, error)
	ClosePoll(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Event, domain.Poll, error)
}

func (s *Service) pollRoutes(api huma.API) {
	httpx.Register(api, status(op("create-poll", "POST", "/rooms/{room}/polls", "messages",
		"Ask the room something, with choices to vote for; the same key gives the same message"), 201), s.postPoll)
	httpx.Register(api, op("vote", "PUT", "/rooms/{room}/messages/{seq}/poll/vote", "messages",
		"Vote in a poll; a later vote replaces the one before, and repeating it changes nothing"), s.putVote)
	httpx.Register(api, op("close-poll", "PUT", "/rooms/{room}/messages/{seq}/poll/closed", "messages",
		"Close your poll, or as a moderator that of somebody else; repeating it changes nothing"), s.closePoll)
}

func (s *Service) postPoll(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Key       string    `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
		Question  string    `json:"question" doc:"at most 300 characters" example:"Tea or coffee?"`
		Choices   []string  `json:"choices" maxItems:"10" doc:"2 to 10 different ones, each of at most 100 characters"`
		Multiple  bool      `json:"multiple,omitempty" doc:"one may vote for several"`
		Anonymous bool      `json:"anonymous,omitempty" doc:"nobody is told who voted for what"`
		ClosesAt  time.Time `json:"closes_at,omitempty" doc:"within a year; absent: when somebody closes it"`
		Thread    int64     `json:"thread,omitempty" doc:"seq of the message whose thread it is a reply in"`
	}
}) (*body[wire.Sent], error) {
	b := in.Body
	p := domain.Poll{Question: b.Question, Multiple: b.Multiple, Anonymous: b.Anonymous, ClosesAt: b.ClosesAt}
	for _, text := range b.Choices {
		p.Choices = append(p.Choices, domain.PollChoice{Text: text})
	}
	p, err := domain.CheckPoll(p, s.Now())
	if err != nil {
		return nil, err
	}
	e, err := s.Send(ctx, httpx.Principal(ctx), domain.Draft{Room: in.Room, Key: b.Key, Text: p.Text(),
		ContentType: domain.ContentPoll, Thread: b.Thread, Poll: &p})
	return answer(e, err, sent)
}

func (s *Service) putVote(ctx context.Context, in *struct {
	InMessage
	Body struct {
		Choices []int `json:"choices" maxItems:"10" nullable:"false" doc:"counted from 1; none takes your vote back"`
	}
}) (*body[wire.PollNow], error) {
	if err := s.checkVoter(ctx, in.Room); err != nil {
		return nil, err
	}
	e, p, err := s.Store.Vote(ctx, httpx.Principal(ctx).ID, in.Room, in.Seq, in.Body.Choices, s.Now())
	return answer(e, err, pollNow(p))
}

func (s *Service) closePoll(ctx context.Context, in *InMessage) (*body[wire.PollNow], error) {
	if err := s.checkVoter(ctx, in.Room); err != nil {
		return nil, err
	}
	e, p, err := s.Store.ClosePoll(ctx, httpx.Principal(ctx).ID, in.Room, in.Seq, s.Now())
	return answer(e, err, pollNow(p))
}

// checkVoter refuses devices, bots and webhooks: polls are of people.
func (s *Service) checkVoter(ctx context.Context, room string) error {
	if httpx.Principal(ctx).Kind != domain.KindUser {
		return domain.Forbidden.Errorf(domain.CodePeopleOnly, "only people vote in polls and close them")
	}
	if err := domain.CheckRoomID(room); err != nil {
		return err
	}
	return s.checkDisk()
}

func pollNow(p domain.Poll) func(domain.Event) wire.PollNow {
	return func(e domain.Event) wire.PollNow { return wire.PollNow{Seq: e.Seq, Poll: *wire.FromPoll(&p)} }
}
