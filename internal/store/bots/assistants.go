package bots

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// Assistants stores which bots are assistants, and what they are asked.
type Assistants struct{ db *store.DB }

// NewAssistants returns the repository on db.
func NewAssistants(db *store.DB) *Assistants { return &Assistants{db} }

const (
	maxOpen     = 256       // questions that wait, in all rooms; what is asked beyond is not answered
	countedFor  = time.Hour // questions are counted
	answerState = `room_id = $1 AND seq = $2 AND bot_id = $3 AND state = 'running' AND due_at = $4`

	assistantColumns = `u.id, u.kind, u.username, u.display_name, u.avatar, b.owner_id, s.instructions, s.created_at`
)

func scanAssistant(rows *sql.Rows, more ...any) (a domain.Assistant, err error) {
	var u accounts.RefRow
	var created int64
	err = rows.Scan(append(append(u.Dest(), &a.Owner, &a.Instructions, &created), more...)...)
	a.Bot, a.CreatedAt = u.Ref(), store.Time(created)
	return a, err
}

// SetAssistant makes a bot of owner an assistant, or gives it other instructions.
func (repo *Assistants) SetAssistant(ctx context.Context, owner, bot, instructions string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := Own(ctx, t, owner, bot); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO assistants (bot_id, instructions, created_at) VALUES ($1, $2, $3)
			ON CONFLICT (bot_id) DO UPDATE SET instructions = excluded.instructions`, bot, instructions, store.Millis(now))
		return err
	})
}

// EndAssistant has a bot of owner be no assistant any more, and stops its answers.
func (repo *Assistants) EndAssistant(ctx context.Context, owner, bot string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := Own(ctx, t, owner, bot); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM assistants WHERE bot_id = $1`, bot); err != nil {
			return err
		}
		return stop(ctx, t, `bot_id = $1`, bot)
	})
}

// stop has answers not be begun, or end.
func stop(ctx context.Context, t *store.Tx, which string, args ...any) error {
	_, err := t.ExecContext(ctx, `UPDATE assistant_answers SET state = 'done', due_at = 0 WHERE state = 'waiting' AND `+
		which, args...)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE assistant_answers SET stopped = TRUE WHERE state = 'running' AND `+which, args...)
	return err
}

// Assistants returns the assistants of owner, in the order in which the bots were made.
func (repo *Assistants) Assistants(ctx context.Context, owner string) ([]domain.Assistant, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+assistantColumns+` FROM assistants s JOIN bots b ON b.id = s.bot_id
		JOIN users u ON u.id = b.id WHERE b.owner_id = $1 ORDER BY b.id`, owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.Assistant, error) { return scanAssistant(rows) })
}

// AssistantsIn returns the assistants that are in a room, and whether the room is a direct one of two. Those that are
// disabled, or whose owner is, are left out.
func (repo *Assistants) AssistantsIn(ctx context.Context, room string) (all []domain.Assistant, pair bool, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+assistantColumns+`,
			r.kind = 'direct' AND (SELECT count(*) FROM members x WHERE x.room_id = r.id) = 2
		FROM assistants s JOIN members m ON m.user_id = s.bot_id AND m.room_id = $1
		JOIN rooms r ON r.id = m.room_id AND r.kind <> 'gone' JOIN bots b ON b.id = s.bot_id `+able+` ORDER BY b.id`, room)
	if err != nil {
		return nil, false, err
	}
	all, err = store.Collect(rows, func(rows *sql.Rows) (domain.Assistant, error) { return scanAssistant(rows, &pair) })
	return all, pair, err
}

// WroteIn reports whether a bot wrote something in a thread, or what it begins with.
func (repo *Assistants) WroteIn(ctx context.Context, room string, thread int64, bot string) (is bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE room_id = $1 AND thread = $2
		AND thread IS NOT NULL AND deleted_at = 0 AND actor_id = $3) OR EXISTS (SELECT 1 FROM events
		WHERE room_id = $1 AND seq = $2 AND actor_id = $3 AND deleted_at = 0)`, room, thread, bot).Scan(&is)
	return is, err
}

// Ask stores a question that is to be answered, and reports whether it did: not a second time, not what is too much,
// and of the questions that are one too many by l the first alone, as refused.
func (repo *Assistants) Ask(
	ctx context.Context, q domain.Question, l domain.QuestionLimits, now time.Time,
) (stored bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		stored = false
		var byAsker, inRoom, open int
		since := store.Millis(now.Add(-countedFor))
		err := t.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM assistant_answers WHERE asker_id = $1 AND asked_at > $3),
			(SELECT count(*) FROM assistant_answers WHERE room_id = $2 AND asked_at > $3),
			(SELECT count(*) FROM assistant_answers WHERE due_at > 0)`, q.Asker, q.Room, since).Scan(&byAsker, &inRoom, &open)
		if err != nil || byAsker > l.Person || inRoom > l.Room || open >= maxOpen {
			return err
		}
		refused := byAsker == l.Person || inRoom == l.Room
		res, err := t.ExecContext(ctx, `INSERT INTO assistant_answers
			(room_id, seq, bot_id, asker_id, thread, asked_at, state, refused, due_at)
			VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $6) ON CONFLICT (room_id, seq, bot_id) DO NOTHING`,
			q.Room, q.Seq, q.Bot, q.Asker, q.Thread, store.Millis(now), refused)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		stored = n == 1
		return err
	})
	return stored, err
}

// Stop ends the answers to a message, or that which it is.
func (repo *Assistants) Stop(ctx context.Context, room string, seq int64) error {
	const which = `room_id = $1 AND (seq = $2 OR answer = $2)`
	var is bool
	// Usually there is none. Then this avoids a write.
	err := repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM assistant_answers WHERE due_at > 0 AND `+which+`)`,
		room, seq).Scan(&is)
	if err != nil || !is {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return stop(ctx, t, which, room, seq) })
}

// answersDue are the questions to be answered next: none of a room in which an answer runs, but that whose node is
// gone.
const answersDue = ` FROM assistant_answers a WHERE a.due_at > 0 AND a.due_at <= $1
	AND (a.state = 'running' OR NOT EXISTS (SELECT 1 FROM assistant_answers o WHERE o.room_id = a.room_id
		AND o.state = 'running'))`

// ClaimAnswer leases a question that is to be answered: nobody else, on any node, gets it before until, nor another one
// of its room. ok is false if there is none.
func (repo *Assistants) ClaimAnswer(
	ctx context.Context, until, now time.Time,
) (a domain.Answering, ok bool, err error) {
	var due bool
	// Usually none is due. Then this avoids a write.
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1`+answersDue+`)`, store.Millis(now)).Scan(&due)
	if err != nil || !due {
		return a, false, err
	}
	a.Lease = store.Trim(until)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		ok = false
		err := t.QueryRowContext(ctx, `SELECT a.room_id, a.seq, a.bot_id`+answersDue+` ORDER BY a.due_at, a.room_id, a.seq
			LIMIT 1`+t.SkipLocked(), store.Millis(now)).Scan(&a.Room, &a.Seq, &a.Bot)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE assistant_answers SET state = 'running', due_at = $4
			WHERE room_id = $1 AND seq = $2 AND bot_id = $3`, a.Room, a.Seq, a.Bot, store.Millis(a.Lease))
		if err != nil {
			return err
		}
		ok = true
		return fillAnswering(ctx, t, &a)
	})
	if store.IsUnique(err) { // another node has just begun with one of the room
		return a, false, nil
	}
	return a, ok && err == nil, err
}

func fillAnswering(ctx context.Context, t *store.Tx, a *domain.Answering) error {
	rows, err := t.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar, b.owner_id,
			COALESCE(s.instructions, ''), COALESCE(s.created_at, 0), x.asker_id, x.thread, x.asked_at, x.answer, x.tries,
			x.refused
		FROM assistant_answers x JOIN bots b ON b.id = x.bot_id JOIN users u ON u.id = b.id
		LEFT JOIN assistants s ON s.bot_id = b.id WHERE x.room_id = $1 AND x.seq = $2 AND x.bot_id = $3`,
		a.Room, a.Seq, a.Bot)
	if err != nil {
		return err
	}
	var asked int64
	found, err := store.Collect(rows, func(rows *sql.Rows) (domain.Assistant, error) {
		return scanAssistant(rows, &a.Asker, &a.Thread, &asked, &a.Message, &a.Tries, &a.Refused)
	})
	if err == nil && len(found) == 0 {
		err = errNoBot()
	}
	if err == nil {
		a.Assistant, a.At = found[0], store.Time(asked)
	}
	return err
}

// RenewAnswer prolongs the lease of a, and stores its Message. stopped says that the answer is to end. ok is false if
// the lease was lost, or the question is gone.
func (repo *Assistants) RenewAnswer(
	ctx context.Context, a *domain.Answering, until time.Time,
) (stopped, ok bool, err error) {
	until = store.Trim(until)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		err := t.QueryRowContext(ctx, `UPDATE assistant_answers SET due_at = $5, answer = $6 WHERE `+answerState+`
			RETURNING stopped`, a.Room, a.Seq, a.Bot, store.Millis(a.Lease), store.Millis(until), a.Message).Scan(&stopped)
		if ok = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if ok && err == nil {
		a.Lease = until
	}
	return stopped, ok, err
}

// FinishAnswer ends a for good. If its lease was lost, nothing changes here and below.
func (repo *Assistants) FinishAnswer(ctx context.Context, a domain.Answering) error {
	return repo.settle(ctx, a, `state = 'done', due_at = 0, answer = $5`, a.Message)
}

// RetryAnswer has a be tried again at a time.
func (repo *Assistants) RetryAnswer(ctx context.Context, a domain.Answering, at time.Time) error {
	return repo.settle(ctx, a, `state = CASE WHEN stopped THEN 'done' ELSE 'waiting' END, tries = tries + 1,
		due_at = CASE WHEN stopped THEN 0 ELSE CAST($5 AS BIGINT) END`, store.Millis(at))
}

func (repo *Assistants) settle(ctx context.Context, a domain.Answering, change string, value int64) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE assistant_answers SET `+change+` WHERE `+answerState, a.Room, a.Seq, a.Bot,
			store.Millis(a.Lease), value)
		return err
	})
}

// PruneAnswers forgets questions that count no longer.
func (repo *Assistants) PruneAnswers(ctx context.Context, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM assistant_answers WHERE asked_at < $1 AND state <> 'running'`,
			store.Millis(now.Add(-countedFor)))
		return err
	})
}
