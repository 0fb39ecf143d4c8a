package messages

import (
	"context"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// insertPoll writes the poll that a new message is.
const insertPoll = `INSERT INTO polls (room_id, seq, question, choices, multiple, anonymous, closes_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7)`

// pollArgs are the arguments of insertPoll.
func pollArgs(m *domain.Message) []any {
	p := m.Poll
	texts := make([]string, len(p.Choices))
	for i, c := range p.Choices {
		texts[i] = c.Text
	}
	choices, _ := json.Marshal(texts) // of texts that is always possible
	return []any{m.Room, m.Seq, p.Question, string(choices), p.Multiple, p.Anonymous, store.Millis(p.ClosesAt)}
}

// Vote makes choices the vote of actor in a poll; no choice takes it back. It returns the poll with that vote. If the
// vote is as asked for already, it writes nothing, and the event has no number.
func (repo *Repository) Vote(
	ctx context.Context, actor, room string, seq int64, choices []int, now time.Time,
) (e domain.Event, p domain.Poll, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.SendMessage, now)
		if err != nil {
			return err
		}
		msg, err := roomlog.Poll(ctx, t, m.View(), seq)
		if err != nil {
			return err
		}
		e, p = domain.Event{Room: room, Type: domain.PollChanged, Actor: m.User, At: now}, *msg.Poll
		if p.Anonymous {
			e.Actor = msg.Sender
		}
		bits, err := p.CheckVote(choices)
		if err != nil {
			return err
		}
		p.Mine = domain.VotedFor(bits)
		had, err := roomlog.VoteOf(ctx, t, room, seq, actor)
		if err != nil || had == bits {
			return err
		}
		if err := p.Open(now); err != nil {
			return err
		}
		if err := writeVote(ctx, t, room, seq, actor, bits, now); err != nil {
			return err
		}
		recount(&p, had, bits)
		return appendPoll(ctx, t, &e, seq, &p)
	})
	return e, p, err
}

func writeVote(ctx context.Context, t *store.Tx, room string, seq int64, user string, bits int64, now time.Time) error {
	if bits == 0 {
		_, err := t.ExecContext(ctx, `DELETE FROM poll_votes WHERE room_id = $1 AND seq = $2 AND user_id = $3`, room, seq,
			user)
		return err
	}
	_, err := t.ExecContext(ctx, `INSERT INTO poll_votes (room_id, seq, user_id, choices, at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (room_id, seq, user_id) DO UPDATE SET choices = excluded.choices, at = excluded.at`, room, seq, user,
		bits, store.Millis(now))
	return err
}

// recount counts a vote in p that was had before.
func recount(p *domain.Poll, had, bits int64) {
	for i := range p.Choices {
		p.Choices[i].Votes += int(bits>>i&1) - int(had>>i&1)
	}
	if had == 0 {
		p.Voters++
	}
	if bits == 0 {
		p.Voters--
	}
}

// ClosePoll closes a poll for actor, who wrote it or may delete messages of others. If somebody has closed it already,
// it writes nothing, and the event has no number.
func (repo *Repository) ClosePoll(
	ctx context.Context, actor, room string, seq int64, now time.Time,
) (e domain.Event, p domain.Poll, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ReadRoom, now)
		if err != nil {
			return err
		}
		msg, err := roomlog.Poll(ctx, t, m.View(), seq)
		if err != nil {
			return err
		}
		need := domain.DeleteAny
		if msg.Sender.ID == actor {
			need = domain.DeleteOwn
		}
		if err := domain.Allow(r, m, need, now); err != nil {
			return err
		}
		e, p = domain.Event{Room: room, Type: domain.PollChanged, Actor: m.User, At: now}, *msg.Poll
		mine, err := roomlog.VoteOf(ctx, t, room, seq, actor)
		if p.Mine = domain.VotedFor(mine); err != nil || !p.ClosedAt.IsZero() {
			return err
		}
		p.ClosedAt = now
		return appendPoll(ctx, t, &e, seq, &p)
	})
	return e, p, err
}

// appendPoll appends e, which says how p stands now.
func appendPoll(ctx context.Context, t *store.Tx, e *domain.Event, seq int64, p *domain.Poll) error {
	now := domain.PollVotes{Votes: make([]int, len(p.Choices)), Voters: p.Voters}
	for i, c := range p.Choices {
		now.Votes[i] = c.Votes
	}
	if !p.ClosedAt.IsZero() {
		now.ClosedAt = &p.ClosedAt
	}
	e.Payload = domain.PollChangedPayload{Of: seq, Poll: &now}
	if err := roomlog.Append(ctx, t, e, seq); err != nil {
		return err
	}
	p.Seq = e.Seq
	_, err := t.ExecContext(ctx, `UPDATE polls SET event = $3, closed_at = $4 WHERE room_id = $1 AND seq = $2`, e.Room,
		seq, e.Seq, store.Millis(p.ClosedAt))
	return err
}

// deletePoll deletes the poll that a message is, with its votes.
func deletePoll(ctx context.Context, t *store.Tx, room string, seq int64) error {
	for _, table := range []string{"polls", "poll_votes"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1 AND seq = $2`, room, seq); err != nil {
			return err
		}
	}
	return nil
}
