package messages

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Pin pins a message for actor. If it is pinned already, it writes nothing, and the event has no number.
func (repo *Repository) Pin(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Event, error) {
	return repo.changePin(ctx, actor, room, seq, now, func(
		ctx context.Context, t *store.Tx, v domain.View, e *domain.Event,
	) error {
		if err := roomlog.RequireMessage(ctx, t, v, seq); err != nil {
			return err
		}
		var pinned, all int
		err := t.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN seq = $2 THEN 1 ELSE 0 END), 0)
			FROM pins WHERE room_id = $1`, room, seq).Scan(&all, &pinned)
		if err != nil || pinned > 0 {
			return err
		}
		if all >= domain.MaxPins {
			return domain.Conflict.Errorf(domain.CodeTooManyPins,
				"this room has %d pinned messages, as many as it can have; unpin one first", all)
		}
		e.Type, e.Payload = domain.MessagePinned, domain.MessagePinnedPayload{Of: seq}
		if err := roomlog.Append(ctx, t, e, seq); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO pins (room_id, seq, user_id, at, event) VALUES ($1, $2, $3, $4, $5)`,
			room, seq, e.Actor.ID, store.Millis(e.At), e.Seq)
		return err
	})
}

// Unpin takes a message off the pinned ones for actor. If it is not pinned, it writes nothing, and the event has
// no number.
func (repo *Repository) Unpin(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Event, error) {
	return repo.changePin(ctx, actor, room, seq, now, func(
		ctx context.Context, t *store.Tx, v domain.View, e *domain.Event,
	) error {
		if err := v.Require(seq); err != nil {
			return err
		}
		if there, err := deletePin(ctx, t, room, seq); err != nil || !there {
			return err
		}
		e.Type, e.Payload = domain.MessageUnpinned, domain.MessageUnpinnedPayload{Of: seq}
		return roomlog.Append(ctx, t, e, seq)
	})
}

// changePin has change write an event of actor, who must be allowed to pin messages of room.
func (repo *Repository) changePin(
	ctx context.Context, actor, room string, seq int64, now time.Time,
	change func(context.Context, *store.Tx, domain.View, *domain.Event) error,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.PinMessage, now)
		if err != nil {
			return err
		}
		e = domain.Event{Room: room, Actor: m.User, At: now}
		return change(ctx, t, m.View(), &e)
	})
	return e, err
}

// deletePin reports whether the message was pinned.
func deletePin(ctx context.Context, t *store.Tx, room string, seq int64) (bool, error) {
	done, err := t.ExecContext(ctx, `DELETE FROM pins WHERE room_id = $1 AND seq = $2`, room, seq)
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}
