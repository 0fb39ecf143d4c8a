package moderation

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Screens reports whether there is a room whose messages are screened.
func (repo *Repository) Screens(ctx context.Context) (yes bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM rooms WHERE screen_rough + screen_spam > 0
		AND kind <> 'gone')`).Scan(&yes)
	return yes, err
}

// Screening returns what a room has flagged, and since when somebody who may have written there is known to the server.
func (repo *Repository) Screening(
	ctx context.Context, room, author string,
) (s domain.Screening, since time.Time, err error) {
	var at int64
	err = repo.db.QueryRowContext(ctx, `SELECT r.screen_rough, r.screen_spam, COALESCE((SELECT u.created_at FROM users u
		WHERE u.id = $2), 0) FROM rooms r WHERE r.id = $1 AND r.kind <> 'gone'`, room, author).Scan(&s.Rough, &s.Spam, &at)
	return s, store.Time(at), err
}

// Flag puts a flag on the message m, as it was read, and reports it to who moderates; note says why. It does nothing,
// and flagged is false, if the room does not ask for that or its moderators decide on nothing, if who wrote the message
// moderates the room, if it was changed, deleted or flagged meanwhile, or if somebody has decided on the same text.
func (repo *Repository) Flag(
	ctx context.Context, m *domain.Message, f domain.Flag, note string, now time.Time,
) (flagged bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		flagged = false
		room, err := rooms.ByID(ctx, t, m.Room, t.ForUpdate())
		if err != nil || room.Kind == domain.DirectRoom || room.Archived || !room.Screening.Flags(f) {
			return unlessGone(err)
		}
		author, err := rooms.MemberOf(ctx, t, m.Room, m.Sender.ID)
		if err != nil || domain.Moderates(room, author) {
			return err
		}
		current, err := roomlog.Message(ctx, t, domain.WholeLog(m.Room), m.Seq)
		if err != nil || !current.DeletedAt.IsZero() || current.Flag != nil || current.Text != m.Text {
			return unlessGone(err)
		}
		had, err := reportsWhere(ctx, t, `p.room_id = $1 AND p.seq = $2 AND p.user_id = '' AND p.reason = $3 AND p.text = $4`,
			m.Room, m.Seq, f.Reason, m.Text)
		if err != nil || len(had) > 0 {
			return err
		}
		r := domain.MessageReport{ID: domain.NewID(domain.ReportPrefix), Room: m.Room, Seq: m.Seq, Reason: f.Reason,
			Note: note, Text: m.Text, At: now, State: domain.ReportOpen}
		if err := insert(ctx, t, r, now.Add(domain.ReportPatience)); err != nil {
			return err
		}
		flagged = true
		return roomlog.SetFlag(ctx, t, current, &f, current.Sender, now)
	})
	return flagged, err
}

// unlessGone is nil if err says that what was to be flagged is no longer there.
func unlessGone(err error) error {
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	return err
}

// Appeal notes that user, who wrote a flagged message, asks for a decision. Repeating it changes nothing, and first is
// false.
func (repo *Repository) Appeal(
	ctx context.Context, user, room string, seq int64, now time.Time,
) (first bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		first = false
		_, m, err := rooms.LockAndAuthorize(ctx, t, room, user, domain.ReadRoom, now)
		if err != nil {
			return err
		}
		msg, err := roomlog.Message(ctx, t, m.View(), seq)
		switch {
		case err != nil:
			return err
		case msg.Sender.ID != user:
			return domain.Forbidden.Errorf(domain.CodeNotYours, "only who wrote a message appeals for it")
		case msg.Flag == nil:
			return domain.Conflict.Errorf(domain.CodeNotFlagged,
				"this message is not flagged: there is nothing to appeal against")
		case msg.Flag.Appealed:
			return nil
		}
		first, msg.Flag.Appealed = true, true
		return roomlog.SetFlag(ctx, t, msg, msg.Flag, msg.Sender, now)
	})
	return first, err
}
