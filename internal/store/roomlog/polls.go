package roomlog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// fillPolls reads the polls that messages are, with two queries for each room.
func fillPolls(ctx context.Context, q store.Queryer, rows []Row) error {
	wanted := func(_ Row, m *domain.Message) bool {
		return m.ContentType == domain.ContentPoll && m.DeletedAt.IsZero()
	}
	for room, messages := range byRoom(rows, wanted) {
		polls, err := pollsOf(ctx, q, room, messages)
		if err != nil {
			return err
		}
		for seq, p := range polls {
			for _, m := range messages[seq] {
				m.Poll = p
			}
		}
	}
	return nil
}

// pollsOf reads the polls of a room that messages are, with the count of their votes.
func pollsOf(
	ctx context.Context, q store.Queryer, room string, messages map[int64][]*domain.Message,
) (map[int64]*domain.Poll, error) {
	polls := make(map[int64]*domain.Poll, len(messages))
	these := ` WHERE room_id = $1 AND seq IN (` + store.Placeholders(2, len(messages)) + `)`
	args := append([]any{room}, seqsOf(messages)...)
	rows, err := q.QueryContext(ctx, `SELECT seq, question, choices, multiple, anonymous, closes_at, closed_at, event
		FROM polls`+these, args...)
	if err != nil {
		return nil, err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (p *domain.Poll, err error) {
		p = &domain.Poll{}
		var seq, closes, closed int64
		var choices string
		err = rows.Scan(&seq, &p.Question, &choices, &p.Multiple, &p.Anonymous, &closes, &closed, &p.Seq)
		if err != nil {
			return nil, err
		}
		var texts []string
		if err := json.Unmarshal([]byte(choices), &texts); err != nil {
			return nil, fmt.Errorf("choices of poll %d of %s: %w", seq, room, err)
		}
		for _, text := range texts {
			p.Choices = append(p.Choices, domain.PollChoice{Text: text})
		}
		p.ClosesAt, p.ClosedAt, polls[seq] = store.Time(closes), store.Time(closed), p
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return polls, countVotes(ctx, q, these, args, polls)
}

func countVotes(
	ctx context.Context, q store.Queryer, these string, args []any, polls map[int64]*domain.Poll,
) error {
	rows, err := q.QueryContext(ctx, `SELECT seq, choices, COUNT(*) FROM poll_votes`+these+` GROUP BY seq, choices`,
		args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq, bits int64
		var votes int
		if err := rows.Scan(&seq, &bits, &votes); err != nil {
			return err
		}
		p := polls[seq]
		if p == nil {
			continue
		}
		p.Voters += votes
		for i := range p.Choices {
			p.Choices[i].Votes += votes * int(bits>>i&1)
		}
	}
	return rows.Err()
}

// VoteOf returns the vote of user in a poll, as domain.Poll.CheckVote does; 0 is none.
func VoteOf(ctx context.Context, q store.Queryer, room string, seq int64, user string) (bits int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT choices FROM poll_votes WHERE room_id = $1 AND seq = $2 AND user_id = $3`, room,
		seq, user).Scan(&bits)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return bits, err
}

// markVotes says of polls for which choices user has voted.
func markVotes(ctx context.Context, q store.Queryer, user string, messages []*domain.Message) error {
	for _, m := range messages {
		if m.Poll == nil {
			continue
		}
		bits, err := VoteOf(ctx, q, m.Room, m.Seq, user)
		if err != nil {
			return err
		}
		m.Poll.Mine = domain.VotedFor(bits)
	}
	return nil
}

// Poll reads a message of v that is a poll.
func Poll(ctx context.Context, q store.Queryer, v domain.View, seq int64) (*domain.Message, error) {
	if err := RequireMessage(ctx, q, v, seq); err != nil {
		return nil, err
	}
	e, _, err := BySeq(ctx, q, v, seq)
	if err == nil && (e.Message == nil || e.Message.Poll == nil) {
		err = domain.ErrNoPoll(seq)
	}
	return e.Message, err
}

// Voters returns up to limit users who voted for a choice of a poll, from 1, by their ids, after one. Of an anonymous
// poll it returns an error.
func (repo *Repository) Voters(
	ctx context.Context, in domain.View, seq int64, choice int, after string, limit int,
) ([]domain.Voter, error) {
	m, err := Poll(ctx, repo.db, in, seq)
	if err != nil {
		return nil, err
	}
	if m.Poll.Anonymous {
		return nil, domain.Forbidden.Errorf(domain.CodePollAnonymous, "this poll is anonymous: nobody is told who voted")
	}
	bits, err := m.Poll.CheckVote([]int{choice})
	if err != nil {
		return nil, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT v.at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM poll_votes v JOIN users u ON u.id = v.user_id
		WHERE v.room_id = $1 AND v.seq = $2 AND v.choices & $3 <> 0 AND v.user_id > $4
		ORDER BY v.user_id LIMIT $5`, in.Room, seq, bits, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (v domain.Voter, err error) {
		var at int64
		var user accounts.RefRow
		err = rows.Scan(append([]any{&at}, user.Dest()...)...)
		v.At, v.User = store.Time(at), user.Ref()
		return v, err
	})
}

// EachVoteBy calls do for each vote of user that is still there, and returns how many there are.
func (repo *Repository) EachVoteBy(
	ctx context.Context, user string, do func(domain.VoteBy) error,
) (count int, err error) {
	for after, more := (domain.VoteBy{}), true; more; {
		rows, err := repo.db.QueryContext(ctx, `SELECT room_id, seq, choices, at FROM poll_votes WHERE user_id = $1
			AND (room_id, seq) > ($2, $3) ORDER BY room_id, seq LIMIT $4`, user, after.Room, after.Seq, exportBatch)
		if err != nil {
			return count, err
		}
		page, err := store.Collect(rows, func(rows *sql.Rows) (v domain.VoteBy, err error) {
			var at, bits int64
			err = rows.Scan(&v.Room, &v.Seq, &bits, &at)
			v.At, v.Choices = store.Time(at), domain.VotedFor(bits)
			return v, err
		})
		if err != nil {
			return count, err
		}
		for _, v := range page {
			if err := do(v); err != nil {
				return count, err
			}
			after = v
		}
		count += len(page)
		more = len(page) == exportBatch
	}
	return count, nil
}
