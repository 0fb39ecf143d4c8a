package notifications

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// Remind has pushes about r, which comes now, sent to the subscriptions of its user.
func Remind(ctx context.Context, t *store.Tx, r domain.Reminder, now time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO reminder_pushes (subscription_id, reminder_id, seq, since, due_at)
		SELECT p.id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($3 AS BIGINT), CAST($3 AS BIGINT)
			FROM push_subscriptions p JOIN sessions s ON s.id = p.session_id WHERE p.user_id = $1 AND `+live("$3")+`
		ON CONFLICT (subscription_id, reminder_id) DO UPDATE SET seq = excluded.seq`, r.User, r.ID, store.Millis(now))
	return err
}

// reminderState tells what a push about a reminder is about. It is empty if the reminder is done, or put off, or its
// message is gone or of somebody whom the user has blocked, or the session has ended.
func (repo *Repository) reminderState(
	ctx context.Context, p domain.Push, now time.Time,
) (st domain.PushState, err error) {
	var settings string
	r := domain.Reminder{ID: p.Reminder, User: p.Subscription.User}
	err = repo.db.QueryRowContext(ctx, `SELECT COALESCE(n.settings, ''), COALESCE(n.version, 0), u.status_mode,
			COALESCE(m.room_id, ''), COALESCE(m.seq, 0), m.text
		FROM reminders m JOIN users u ON u.id = m.user_id AND NOT u.disabled
		JOIN sessions s ON s.id = $3 AND `+live("$4")+`
		LEFT JOIN notify_settings n ON n.user_id = m.user_id
		WHERE m.id = $1 AND m.user_id = $2 AND m.fired_at > 0`, r.ID, r.User, p.Subscription.Session, store.Millis(now)).
		Scan(&settings, &st.Version, &st.Mode, &r.Room, &r.Seq, &r.Text)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.PushState{}, nil
	}
	if err != nil {
		return st, err
	}
	if st.Settings, err = parse(settings, r.User); err != nil {
		return st, err
	}
	st.Reminder, st.Reason = &r, domain.NotifiedRemind
	if r.Room == "" {
		st.Count = 1
		return st, nil
	}
	v := domain.View{Room: r.Room}
	err = repo.db.QueryRowContext(ctx, `SELECT r.name, r.kind = 'direct', m.since FROM members m JOIN rooms r ON r.id = m.room_id
		JOIN events e ON e.room_id = r.id AND e.seq = $3 AND e.deleted_at = 0
		WHERE m.user_id = $1 AND m.room_id = $2 AND m.since < $3
		AND `+roomlog.NotBlocked("m.user_id", "e.actor_id"), r.User, r.Room, r.Seq).Scan(&st.Name, &st.Direct,
		&v.Since)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.PushState{}, nil
	}
	if err != nil {
		return st, err
	}
	st.Count = 1
	st.Last, _, err = roomlog.BySeq(ctx, repo.db, v, r.Seq)
	return st, err
}
