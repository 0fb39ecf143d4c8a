package roomlog

import (
	"context"
	"database/sql"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A flag is one number in the log: its score, and what is added for the reason and for an appeal.
const (
	flagRough    = 1000
	flagScored   = 2000
	flagAppealed = 10_000
)

func packFlag(f *domain.Flag) (n sql.NullInt64) {
	if f == nil {
		return n
	}
	n = sql.NullInt64{Int64: int64(f.Score) + flagScored, Valid: true}
	if f.Reason == domain.ReportRough {
		n.Int64 += flagRough - flagScored
	}
	if f.Appealed {
		n.Int64 += flagAppealed
	}
	return n
}

func unpackFlag(n int64) *domain.Flag {
	f := &domain.Flag{Reason: domain.ReportScored, Appealed: n >= flagAppealed}
	if n %= flagAppealed; n < flagScored {
		f.Reason = domain.ReportRough
	}
	f.Score = int(n % flagRough)
	return f
}

// SetFlag puts f on the message m, or takes its flag off if f is nil, and appends the event that says so.
func SetFlag(
	ctx context.Context, t *store.Tx, m *domain.Message, f *domain.Flag, actor domain.UserRef, now time.Time,
) error {
	_, err := t.ExecContext(ctx, `UPDATE events SET flagged = $3 WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq,
		packFlag(f))
	if err != nil {
		return err
	}
	if m, err = Message(ctx, t, domain.WholeLog(m.Room), m.Seq); err != nil {
		return err
	}
	e := domain.Event{Room: m.Room, Type: domain.MessageFlagged, Actor: actor, At: now, Message: m}
	return Append(ctx, t, &e, m.Seq)
}
