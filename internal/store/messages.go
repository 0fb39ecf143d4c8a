package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// messageFor reads a message inside a write, with its room locked, and the
// place of the one who wants to change it.
func (t *tx) messageFor(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Room, domain.Member, *domain.Message, error) {
	r, m, err := t.placeFor(ctx, room, actor, domain.ReadRoom, now)
	if err != nil {
		return r, m, nil, err
	}
	msg, err := messageAt(ctx, t, room, seq)
	return r, m, msg, err
}

func messageAt(ctx context.Context, q querier, room string, seq int64) (*domain.Message, error) {
	events, err := eventsWhere(ctx, q, `e.room_id = $1 AND e.seq = $2 AND e.type = 'message.created'`, room, seq)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, domain.NotFound.Errorf("no_message", "there is no message %d in this room", seq)
	}
	return events[0].Message, nil
}

// EditMessage gives actor's own message a new text; the earlier one is kept as
// a version. The same text again changes nothing and returns the last event.
func (db *DB) EditMessage(ctx context.Context, actor, room string, seq int64, text string, mentions []string, mentionRoom bool, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, m, msg, err := t.messageFor(ctx, actor, room, seq, now)
		if err != nil {
			return err
		}
		if msg.Sender.ID != actor {
			return domain.Forbidden.Errorf("not_yours", "you can only edit your own messages")
		}
		if err := domain.Allow(r, m, domain.EditOwn, now); err != nil {
			return err
		}
		if !msg.DeletedAt.IsZero() {
			return domain.Conflict.Errorf("message_deleted", "this message was deleted")
		}
		written := msg.At
		if !msg.EditedAt.IsZero() {
			written = msg.EditedAt
		}
		_, err = t.ExecContext(ctx, `INSERT INTO versions (room_id, seq, version, text, at) VALUES ($1, $2, $3, $4, $5)`, room, seq, msg.Edits, msg.Text, ms(written))
		if err != nil {
			return err
		}
		msg.Text, msg.EditedAt, msg.Edits = text, now, msg.Edits+1
		msg.MentionsRoom = mentionRoom && domain.Allow(r, m, domain.MentionRoom, now) == nil
		if msg.Mentions, err = t.mentioned(ctx, room, mentions); err != nil {
			return err
		}
		e = domain.Event{Room: room, Type: domain.MessageEdited, Actor: m.User, At: now, Message: msg}
		return t.change(ctx, &e)
	})
	return e, err
}

// DeleteMessage leaves a tombstone in place of a message: its text, its earlier
// versions and its place in the search index are gone with the same commit. Of a
// room under a legal hold they are kept for the record, where nobody sees them.
func (db *DB) DeleteMessage(ctx context.Context, actor, room string, seq int64, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, m, msg, err := t.messageFor(ctx, actor, room, seq, now)
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
		if !msg.DeletedAt.IsZero() {
			return domain.Conflict.Errorf("message_deleted", "this message was deleted already")
		}
		if !r.HeldAt.IsZero() {
			if err := t.hold(ctx, msg, actor, now); err != nil {
				return err
			}
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM versions WHERE room_id = $1 AND seq = $2`, room, seq); err != nil {
			return err
		}
		*msg = domain.Message{
			Room: room, Seq: seq, Sender: msg.Sender, Key: msg.Key, ContentType: msg.ContentType, ReplyTo: msg.ReplyTo,
			At: msg.At, EditedAt: msg.EditedAt, Edits: msg.Edits, DeletedAt: now,
		}
		e = domain.Event{Room: room, Type: domain.MessageDeleted, Actor: m.User, At: now, Message: msg}
		return t.change(ctx, &e)
	})
	return e, err
}

// change writes a message as e has it, and appends e.
func (t *tx) change(ctx context.Context, e *domain.Event) error {
	m := e.Message
	var text any
	if m.DeletedAt.IsZero() {
		text = m.Text
	}
	_, err := t.ExecContext(ctx, `UPDATE events SET text = $3, mentions = $4, mention_room = $5, edited_at = $6, edits = $7, deleted_at = $8
		WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq, text, joined(m.Mentions), m.MentionsRoom, ms(m.EditedAt), m.Edits, ms(m.DeletedAt))
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM mentions WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq); err != nil {
		return err
	}
	if err := t.insertMentions(ctx, m); err != nil {
		return err
	}
	if err := t.reindex(ctx, m); err != nil {
		return err
	}
	return t.appendEvent(ctx, e, m.Seq)
}

// MarkRead moves user's read mark forward to seq, at most to the room's head. A
// mark never moves back.
func (db *DB) MarkRead(ctx context.Context, user, room string, seq int64, now time.Time) (mark domain.ReadMark, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, err := roomByID(ctx, t, room, "")
		if err != nil {
			return err
		}
		m, err := memberOf(ctx, t, room, user)
		if err != nil {
			return err
		}
		if err := domain.Allow(r, m, domain.ReadRoom, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, raiseRead, room, user, min(seq, r.Head))
		if err != nil {
			return err
		}
		mark = domain.ReadMark{Room: room}
		err = t.QueryRowContext(ctx, `SELECT read_seq FROM members WHERE room_id = $1 AND user_id = $2`, room, user).Scan(&mark.Seq)
		if err != nil {
			return err
		}
		mark.Unread, mark.Mentions, err = unread(ctx, t, user, room, mark.Seq)
		return err
	})
	return mark, err
}

// unread counts what others said in room after read, at most domain.UnreadCap,
// and how much of it is addressed to user.
func unread(ctx context.Context, q querier, user, room string, read int64) (messages, mentions int, err error) {
	err = q.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM (SELECT 1 FROM events WHERE room_id = $1 AND seq > $2 AND target IS NULL AND type = 'message.created'
			AND deleted_at = 0 AND actor_id <> $3 LIMIT $4) AS capped),
		(SELECT count(*) FROM (
			SELECT seq FROM mentions WHERE user_id = $3 AND room_id = $1 AND seq > $2
			UNION SELECT seq FROM events WHERE room_id = $1 AND seq > $2 AND mention_room AND actor_id <> $3) AS named)`,
		room, read, user, domain.UnreadCap).Scan(&messages, &mentions)
	return messages, mentions, err
}

// Versions returns the earlier texts of a message, the oldest first.
func (db *DB) Versions(ctx context.Context, room string, seq int64) ([]domain.Version, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT text, at FROM versions WHERE room_id = $1 AND seq = $2 ORDER BY version`, room, seq)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (v domain.Version, err error) {
		var when int64
		err = rows.Scan(&v.Text, &when)
		v.At = at(when)
		return v, err
	})
}

// MessageAt returns a message as it is now.
func (db *DB) MessageAt(ctx context.Context, room string, seq int64) (domain.Message, error) {
	m, err := messageAt(ctx, db.read, room, seq)
	if err != nil {
		return domain.Message{}, err
	}
	return *m, nil
}

// joined is how a message's mentions are kept.
func joined(ids []string) string { return strings.Join(ids, " ") }
