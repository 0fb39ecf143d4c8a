package alarms

import (
	"cmp"
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Escalate posts alarms that nobody has acknowledged, and whose time has come, as their rules say, and those that
// were held until the end of maintenance: at most limit of them. It returns those with which it did something. Each is
// posted once, by however many nodes.
func (repo *Repository) Escalate(ctx context.Context, now time.Time, limit int) (done []domain.Alarm, err error) {
	now = store.Trim(now)
	due, err := where(ctx, repo.db, `a.due_at <> 0 AND a.due_at <= $1 ORDER BY a.due_at LIMIT $2`, store.Millis(now),
		limit)
	if err != nil {
		return nil, err
	}
	for _, a := range due {
		err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return repo.escalate(ctx, t, &a, now) })
		if err != nil {
			return done, err
		}
		done = append(done, a)
	}
	return done, nil
}

func (repo *Repository) escalate(ctx context.Context, t *store.Tx, a *domain.Alarm, now time.Time) error {
	r, err := oneRule(ctx, t, a.Device, a.Rule, t.ForUpdate())
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return err
	}
	if *a, err = one(ctx, t, `a.id = $1`, a.ID); err != nil {
		return err
	}
	if a.Due.IsZero() || a.Due.After(now) {
		return nil // another node was first, or somebody has acknowledged it
	}
	a.Due = time.Time{}
	switch {
	case r.ID == "" || !a.ClearedAt.IsZero():
	case !a.HeldUntil.IsZero():
		err = release(ctx, t, a, r, now)
	case r.Escalation.After > 0:
		err = postEscalated(ctx, t, a, r, now)
	}
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx,
		`UPDATE alarms SET due_at = $2, escalated_at = $3, escalated_room = $4, escalated_line = $5,
		held_until = $6, room_id = $7, line = $8 WHERE id = $1`, a.ID, store.Millis(a.Due), store.Millis(a.EscalatedAt),
		a.EscalatedTo, a.EscalatedSeq, store.Millis(a.HeldUntil), a.Room, a.Seq)
	return err
}

// release posts an alarm that was held, unless maintenance lasts longer, or again.
func release(ctx context.Context, t *store.Tx, a *domain.Alarm, r domain.AlarmRule, now time.Time) (err error) {
	_, until, err := maintained(ctx, t, a.Device, now)
	if err != nil {
		return err
	}
	if a.HeldUntil, a.Due = until, until; !until.IsZero() {
		return nil
	}
	a.Room, a.Seq, err = announce(ctx, t, r, *a, now)
	a.Due = escalates(r, now)
	return err
}

// postEscalated writes the alarm into the room that it escalates to. Who is mentioned there counts it as unread
// and as a mention.
func postEscalated(ctx context.Context, t *store.Tx, a *domain.Alarm, r domain.AlarmRule, now time.Time) error {
	a.EscalatedAt = now
	user := r.Escalation.User
	p := place{room: cmp.Or(r.Escalation.Room, r.Room), first: domain.AlarmEscalated}
	if user != "" {
		m, err := rooms.MemberOf(ctx, t, p.room, user)
		if err != nil {
			return err
		}
		if m.Role == domain.NonMember {
			user = ""
		}
	}
	seq, err := post(ctx, t, *a, p, p.first, p.payload(*a, user), a.Device, now)
	if err != nil || seq == 0 {
		return err
	}
	a.EscalatedTo, a.EscalatedSeq = p.room, seq
	if user != "" {
		_, err = t.ExecContext(ctx, `INSERT INTO mentions (user_id, room_id, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			user, p.room, seq)
	}
	return err
}
