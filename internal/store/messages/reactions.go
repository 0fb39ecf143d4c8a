package messages

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/emojis"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// React adds actor's reaction to a message, or takes it away. If the reactions are already as asked for, it
// writes nothing, and changed is false.
func (repo *Repository) React(
	ctx context.Context, actor string, r domain.Reacting, now time.Time,
) (e domain.Event, changed bool, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		e, changed = domain.Event{}, false
		_, m, err := rooms.LockAndAuthorize(ctx, t, r.Room, actor, domain.React, now)
		if err != nil {
			return err
		}
		if err := roomlog.RequireMessage(ctx, t, m.View(), r.Seq); err != nil {
			return err
		}
		given, err := reactionsTo(ctx, t, r, actor)
		if err != nil || given.mine != r.Remove { // it is as asked for
			return err
		}
		changed = true
		e = domain.Event{Room: r.Room, Actor: m.User, At: now}
		if r.Remove {
			return removeReaction(ctx, t, r, &e)
		}
		return addReaction(ctx, t, r, &e, given)
	})
	return e, changed, err
}

// given is what a new reaction depends on.
type given struct {
	emoji int   // different ones on the message
	ofOne int   // of them, those of the user
	since int64 // number of the event by which this emoji came to the message; 0: it is not there
	mine  bool  // the user has given this emoji
}

func reactionsTo(ctx context.Context, t *store.Tx, r domain.Reacting, user string) (g given, err error) {
	rows, err := t.QueryContext(ctx, `SELECT emoji, MIN(since), MAX(CASE WHEN user_id = $3 THEN 1 ELSE 0 END)
		FROM reactions WHERE room_id = $1 AND seq = $2 GROUP BY emoji`, r.Room, r.Seq, user)
	if err != nil {
		return g, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var emoji string
		var since int64
		var mine int
		if err := rows.Scan(&emoji, &since, &mine); err != nil {
			return g, err
		}
		g.emoji++
		g.ofOne += mine
		if emoji == r.Emoji {
			g.since, g.mine = since, mine == 1
		}
	}
	return g, rows.Err()
}

func addReaction(ctx context.Context, t *store.Tx, r domain.Reacting, e *domain.Event, g given) error {
	switch {
	case g.since == 0 && g.emoji >= domain.MaxReactions:
		return domain.Conflict.Errorf(domain.CodeTooManyReactions,
			"this message has %d different reactions, as many as it can have; use one of them", g.emoji)
	case g.ofOne >= domain.MaxReactionsOfUser:
		return domain.Conflict.Errorf(domain.CodeTooManyReactions,
			"you gave this message %d reactions, as many as one person may; take one away first", g.ofOne)
	}
	if err := emojis.Require(ctx, t, r.Emoji); err != nil {
		return err
	}
	e.Type, e.Payload = domain.ReactionAdded, domain.ReactionAddedPayload{Of: r.Seq, Emoji: r.Emoji}
	if err := appendReaction(ctx, t, r, e); err != nil {
		return err
	}
	if g.since == 0 {
		g.since = e.Seq
	}
	_, err := t.ExecContext(ctx, `INSERT INTO reactions (room_id, seq, emoji, user_id, at, event, since)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.Room, r.Seq, r.Emoji, e.Actor.ID, store.Millis(e.At), e.Seq, g.since)
	return err
}

func removeReaction(ctx context.Context, t *store.Tx, r domain.Reacting, e *domain.Event) error {
	_, err := t.ExecContext(ctx, `DELETE FROM reactions WHERE room_id = $1 AND seq = $2 AND emoji = $3 AND user_id = $4`,
		r.Room, r.Seq, r.Emoji, e.Actor.ID)
	if err != nil {
		return err
	}
	e.Type, e.Payload = domain.ReactionRemoved, domain.ReactionRemovedPayload{Of: r.Seq, Emoji: r.Emoji}
	return appendReaction(ctx, t, r, e)
}

// appendReaction appends e, and notes at the message that it is the last event about its reactions.
func appendReaction(ctx context.Context, t *store.Tx, r domain.Reacting, e *domain.Event) error {
	if err := roomlog.Append(ctx, t, e, r.Seq); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `UPDATE events SET reacted = $3 WHERE room_id = $1 AND seq = $2`, r.Room, r.Seq, e.Seq)
	return err
}

// deleteReactions deletes all reactions to a message.
func deleteReactions(ctx context.Context, t *store.Tx, room string, seq int64) error {
	_, err := t.ExecContext(ctx, `DELETE FROM reactions WHERE room_id = $1 AND seq = $2`, room, seq)
	return err
}
