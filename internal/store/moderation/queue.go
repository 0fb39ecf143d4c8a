package moderation

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// grouped are messages with open reports, but for those of $1: room, number, time of the first report, and how many
// there are. $2 is a room, or empty for all. on adds who decides.
const grouped = `SELECT p.room_id, p.seq, MIN(p.at), COUNT(*) FROM message_reports p
	JOIN rooms r ON r.id = p.room_id AND r.kind <> 'gone'
	JOIN events e ON e.room_id = p.room_id AND e.seq = p.seq AND e.actor_id <> $1
	WHERE p.state = 'open' AND ($2 = '' OR p.room_id = $2)`

// on is the condition of a group on which the user of d decides, with its argument as $3. Moderators decide on what
// they see: what was reported from before they joined is for others, or in the end for administrators.
func on(d domain.ReportDesk) (having string, arg any) {
	if d.Admin {
		return ` HAVING MIN(p.admins_at) <= $3`, store.Millis(d.Now)
	}
	return ` HAVING MIN(p.admins_at - p.at) > $3 AND p.seq > COALESCE((SELECT m.since FROM members m
		WHERE m.room_id = p.room_id AND m.user_id = $1), 0)`, 0
}

// authorize fails unless the user of d may decide on reports of its room, of which it returns what they see. That
// administrators are such is known.
func authorize(ctx context.Context, q store.Queryer, d domain.ReportDesk) (domain.View, error) {
	if d.Admin {
		return domain.WholeLog(d.Room), nil
	}
	r, err := rooms.ByID(ctx, q, d.Room, "")
	if err != nil {
		return domain.View{}, err
	}
	m, err := rooms.MemberOf(ctx, q, d.Room, d.User)
	if err != nil {
		return domain.View{}, err
	}
	if err := domain.Allow(r, m, domain.ReadRoom, d.Now); err != nil {
		return domain.View{}, err
	}
	if !domain.Moderates(r, m) {
		return domain.View{}, domain.Forbidden.Errorf(domain.CodeRoleTooLow, "moderators of this room decide on reports")
	}
	return m.View(), nil
}

// Queue returns messages on whose reports the user of d decides, those that wait longest first.
func (repo *Repository) Queue(
	ctx context.Context, d domain.ReportDesk, c domain.ReportCursor, limit int,
) ([]domain.ReportedMessage, error) {
	v, err := authorize(ctx, repo.db, d)
	if err != nil {
		return nil, err
	}
	having, arg := on(d)
	rows, err := repo.db.QueryContext(ctx, grouped+` GROUP BY p.room_id, p.seq`+having+`
		AND (MIN(p.at), p.room_id, p.seq) > ($4, $5, $6) ORDER BY MIN(p.at), p.room_id, p.seq LIMIT $7`, d.User, d.Room, arg,
		c.At, c.Room, c.Seq, limit)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, scanGroup)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if err := fill(ctx, repo.db, v, &found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Waiting returns how many messages are in the queue of d.
func (repo *Repository) Waiting(ctx context.Context, d domain.ReportDesk) (n int, err error) {
	if _, err := authorize(ctx, repo.db, d); err != nil {
		return 0, err
	}
	having, arg := on(d)
	err = repo.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM (`+grouped+` GROUP BY p.room_id, p.seq`+having+`) AS waiting`,
		d.User, d.Room, arg).Scan(&n)
	return n, err
}

// Reported returns a message on whose reports the user of d decides.
func (repo *Repository) Reported(ctx context.Context, d domain.ReportDesk, seq int64) (domain.ReportedMessage, error) {
	return one(ctx, repo.db, d, seq)
}

func one(ctx context.Context, q store.Queryer, d domain.ReportDesk, seq int64) (m domain.ReportedMessage, err error) {
	v, err := authorize(ctx, q, d)
	if err != nil {
		return m, err
	}
	having, arg := on(d)
	rows, err := q.QueryContext(ctx, grouped+` AND p.seq = $4 GROUP BY p.room_id, p.seq`+having, d.User, d.Room, arg, seq)
	if err != nil {
		return m, err
	}
	found, err := store.Collect(rows, scanGroup)
	if err != nil {
		return m, err
	}
	if len(found) == 0 {
		return m, notOpen(ctx, q, d, seq)
	}
	return found[0], fill(ctx, q, v, &found[0])
}

// notOpen says why there is nothing to decide on a message: somebody has just done so, or there was nothing.
func notOpen(ctx context.Context, q store.Queryer, d domain.ReportDesk, seq int64) error {
	var by string
	err := q.QueryRowContext(ctx, `SELECT decided_by FROM message_reports WHERE room_id = $1 AND seq = $2
		AND state <> 'open' AND (admins_at > at) = $3 LIMIT 1`, d.Room, seq, !d.Admin).Scan(&by)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.NotFound.Errorf(domain.CodeNoReport, "there is no report of this message that you decide on")
	}
	if err != nil {
		return err
	}
	return domain.Conflict.Errorf(domain.CodeReportDecided, "somebody has decided on the reports of this message already")
}

func scanGroup(rows *sql.Rows) (m domain.ReportedMessage, err error) {
	var since int64
	err = rows.Scan(&m.Message.Room, &m.Message.Seq, &since, &m.Count)
	m.Since = store.Time(since)
	return m, err
}

// fill reads the message of m and its reports.
func fill(ctx context.Context, q store.Queryer, v domain.View, m *domain.ReportedMessage) error {
	room, seq := m.Message.Room, m.Message.Seq
	events, err := roomlog.Brief(ctx, q, v, `e.room_id = $1 AND e.seq = $2`, room, seq)
	if err != nil {
		return err
	}
	if len(events) > 0 && events[0].Message != nil { // or it was purged meanwhile
		m.Message = *events[0].Message
	}
	m.Reports, err = reportsWhere(ctx, q, `p.room_id = $1 AND p.seq = $2 AND p.state = 'open' ORDER BY p.at, p.id
		LIMIT $3`, room, seq, domain.MaxReportsShown)
	return err
}

// Context returns a reported message as Reported does, and the messages around it that whoever decides may see: in the
// main timeline or in the thread, wherever it was said. They quote nothing but one another.
func (repo *Repository) Context(
	ctx context.Context, d domain.ReportDesk, seq int64,
) (m domain.ReportedMessage, around []domain.Message, err error) {
	if m, err = repo.Reported(ctx, d, seq); err != nil {
		return m, nil, err
	}
	v, err := authorize(ctx, repo.db, d)
	if err != nil {
		return m, nil, err
	}
	v.Room = m.Message.Room // administrators name none
	if around, err = roomlog.MessagesAround(ctx, repo.db, v, m.Message, domain.ReportContext); err != nil {
		return m, nil, err
	}
	if quote := m.Message.ReplyTo; quote != nil &&
		!slices.ContainsFunc(around, func(a domain.Message) bool { return a.Seq == quote.Seq }) {
		m.Message.ReplyTo = nil
	}
	return m, around, nil
}
