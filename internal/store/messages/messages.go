package messages

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/store/personal"
	"github.com/unhidra/unhidra/internal/store/previews"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
	"github.com/unhidra/unhidra/internal/store/search"
)

// messageFor locks the room of a message and returns the room, the membership of actor, and the
// message, which actor sees. What it quotes they may not see.
func messageFor(
	ctx context.Context, t *store.Tx, actor, room string, seq int64, now time.Time,
) (domain.Room, domain.Member, *domain.Message, error) {
	r, m, err := rooms.LockAndAuthorize(ctx, t, room, actor, domain.ReadRoom, now)
	if err != nil {
		return r, m, nil, err
	}
	if err := m.View().Require(seq); err != nil {
		return r, m, nil, err
	}
	msg, err := roomlog.Message(ctx, t, domain.WholeLog(room), seq)
	return r, m, msg, err
}

// EditMessage gives actor's own message a new text. The earlier text is stored as a version.
func (repo *Repository) EditMessage(
	ctx context.Context, actor, room string, seq int64, text string, mentions []string, mentionRoom bool, now time.Time,
) (e domain.Event, err error) {
	return repo.rewrite(ctx, actor, room, seq, now, func(*domain.Message) (revision, error) {
		return revision{text: text, mentions: mentions, mentionRoom: mentionRoom}, nil
	})
}

// GrowMessage gives actor's own answer a text that begins with the one it has, and names nobody. The text before is not
// kept, and the message does not count as edited.
func (repo *Repository) GrowMessage(
	ctx context.Context, actor, room string, seq int64, text string, now time.Time,
) (domain.Event, error) {
	return repo.rewrite(ctx, actor, room, seq, now, func(m *domain.Message) (revision, error) {
		if m.ContentType != domain.ContentAnswer || !strings.HasPrefix(text, m.Text) {
			return revision{}, domain.Forbidden.Errorf(domain.CodeNotYours, "only an answer grows, by text at its end")
		}
		return revision{text: text, same: text == m.Text, grown: true}, nil
	})
}

// Tick marks a task of actor's own message as done or not, in the text that it has at that moment: so
// that ticks of two devices at once both stay. If it is so already, it writes nothing, and the event has no number.
func (repo *Repository) Tick(
	ctx context.Context, actor, room string, seq int64, t domain.Ticking, now time.Time,
) (domain.Event, error) {
	return repo.rewrite(ctx, actor, room, seq, now, func(m *domain.Message) (r revision, err error) {
		if r.text, err = domain.Tick(m.Text, t); err != nil {
			return r, err
		}
		r.mentions, r.mentionRoom = domain.Mentions(r.text)
		r.same = r.text == m.Text
		return r, nil
	})
}

// revision is a new text of a message, and whom it names.
type revision struct {
	text        string
	mentions    []string
	mentionRoom bool
	same        bool // nothing is to be written
	grown       bool // it begins with the earlier one, which is not to be kept
}

// rewrite gives actor's own message the text that change makes of it.
func (repo *Repository) rewrite(
	ctx context.Context, actor, room string, seq int64, now time.Time, change func(*domain.Message) (revision, error),
) (e domain.Event, err error) {
	now = store.Trim(now)
	var v domain.View
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, msg, err := messageFor(ctx, t, actor, room, seq, now)
		if err != nil {
			return err
		}
		v = m.View()
		if msg.Sender.ID != actor {
			return domain.Forbidden.Errorf(domain.CodeNotYours, "you can only edit your own messages")
		}
		if err := domain.Allow(r, m, domain.EditOwn, now); err != nil {
			return err
		}
		if !msg.DeletedAt.IsZero() {
			return domain.Conflict.Errorf(domain.CodeMessageDeleted, "this message was deleted")
		}
		if msg.ContentType == domain.ContentPoll {
			return domain.Conflict.Errorf(domain.CodePollFixed, "a poll cannot be edited; delete it and make another one")
		}
		if msg.ContentType == domain.ContentForward {
			return domain.Conflict.Errorf(domain.CodeForwardFixed,
				"a forwarded message cannot be edited; delete it and forward it again")
		}
		next, err := change(msg)
		if err != nil {
			return err
		}
		if next.text == "" && len(msg.Files) == 0 {
			return domain.ErrNoText()
		}
		if next.same {
			e = domain.Event{Message: msg}
			return nil
		}
		e = domain.Event{Room: room, Type: domain.MessageEdited, Actor: m.User, At: now, Message: msg}
		return replaceText(ctx, t, &e, next, domain.Allow(r, m, domain.MentionRoom, now) == nil)
	})
	return v.Of(e), err
}

// replaceText gives the message of e a new text, and stores the earlier one.
func replaceText(ctx context.Context, t *store.Tx, e *domain.Event, next revision, mayNameAll bool) (err error) {
	msg := e.Message
	if !next.grown {
		if err := keepText(ctx, t, msg); err != nil {
			return err
		}
		msg.EditedAt = e.At
	}
	msg.Text, msg.Edits = next.text, msg.Edits+1
	msg.MentionsRoom = next.mentionRoom && mayNameAll
	if err := keepPreviews(ctx, t, msg, e.At); err != nil {
		return err
	}
	if msg.Mentions, err = mentionedIDs(ctx, t, msg.Room, msg.Sender.ID, next.mentions); err != nil {
		return err
	}
	return updateMessage(ctx, t, e)
}

// keepText stores the text of a message as an earlier one.
func keepText(ctx context.Context, t *store.Tx, m *domain.Message) error {
	written := m.At
	if !m.EditedAt.IsZero() {
		written = m.EditedAt
	}
	_, err := t.ExecContext(ctx, `INSERT INTO versions (room_id, seq, version, text, at) VALUES ($1, $2, $3, $4, $5)`,
		m.Room, m.Seq, m.Edits, m.Text, store.Millis(written))
	return err
}

// keepPreviews deletes the previews of links that an edited message no longer has.
func keepPreviews(ctx context.Context, t *store.Tx, m *domain.Message, at time.Time) error {
	links := domain.Links(m.Text, domain.MaxPreviews)
	if err := previews.KeepOnly(ctx, t, m.Room, m.Seq, links, at); err != nil {
		return err
	}
	m.Previews = slices.DeleteFunc(m.Previews, func(p domain.LinkPreview) bool { return !slices.Contains(links, p.URL) })
	return nil
}

// DeleteMessage turns a message into a tombstone. The same commit deletes its text, its earlier
// versions and its search entry. If the room is under a legal hold, the texts are preserved where
// no member can see them.
func (repo *Repository) DeleteMessage(
	ctx context.Context, actor, room string, seq int64, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	var v domain.View
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, msg, err := messageFor(ctx, t, actor, room, seq, now)
		if err != nil {
			return err
		}
		v = m.View()
		need := domain.DeleteAny
		if msg.Sender.ID == actor {
			need = domain.DeleteOwn
		}
		if err := domain.Allow(r, m, need, now); err != nil {
			return err
		}
		if !msg.DeletedAt.IsZero() {
			return domain.Conflict.Errorf(domain.CodeMessageDeleted, "this message was already deleted")
		}
		e, err = Delete(ctx, t, r, m.User, msg, now)
		return err
	})
	return v.Of(e), err
}

// Delete does what DeleteMessage does for an actor who may, in a transaction that has locked r. msg becomes the
// tombstone.
func Delete(
	ctx context.Context, t *store.Tx, r domain.Room, actor domain.UserRef, msg *domain.Message, now time.Time,
) (e domain.Event, err error) {
	room, seq, heldBy := msg.Room, msg.Seq, ""
	if !r.HeldAt.IsZero() {
		heldBy = actor.ID
		if err := preserveTexts(ctx, t, msg, heldBy, now); err != nil {
			return e, err
		}
	}
	if len(msg.Files) > 0 {
		if err := files.Detach(ctx, t, room, seq, heldBy, now); err != nil {
			return e, err
		}
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM versions WHERE room_id = $1 AND seq = $2`, room, seq); err != nil {
		return e, err
	}
	if err := deleteReactions(ctx, t, room, seq); err != nil {
		return e, err
	}
	if err := deletePoll(ctx, t, room, seq); err != nil {
		return e, err
	}
	if err := deleteForward(ctx, t, room, seq); err != nil {
		return e, err
	}
	if msg.Face != nil {
		if _, err := t.ExecContext(ctx, `UPDATE events SET face = NULL WHERE room_id = $1 AND seq = $2`, room,
			seq); err != nil {
			return e, err
		}
	}
	if _, err := deletePin(ctx, t, room, seq); err != nil {
		return e, err
	}
	if err := previews.Drop(ctx, t, room, seq, now); err != nil {
		return e, err
	}
	if err := personal.DropMessage(ctx, t, room, seq); err != nil {
		return e, err
	}
	*msg = domain.Message{
		Room: room, Seq: seq, Sender: msg.Sender, Key: msg.Key, ContentType: msg.ContentType, ReplyTo: msg.ReplyTo,
		At: msg.At, EditedAt: msg.EditedAt, Edits: msg.Edits, DeletedAt: now, Thread: msg.Thread,
		Broadcast: msg.Broadcast, Replies: msg.Replies,
	}
	e = domain.Event{Room: room, Type: domain.MessageDeleted, Actor: actor, At: now, Message: msg}
	return e, updateMessage(ctx, t, &e)
}

// updateMessage updates the row of the message in e, and appends e.
func updateMessage(ctx context.Context, t *store.Tx, e *domain.Event) error {
	m := e.Message
	var text any
	if m.DeletedAt.IsZero() {
		text = m.Text
	}
	_, err := t.ExecContext(ctx,
		`UPDATE events SET text = $3, mentions = $4, mention_room = $5, edited_at = $6, edits = $7, deleted_at = $8
		WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq, text, joinMentions(m.Mentions), m.MentionsRoom,
		store.Millis(m.EditedAt), m.Edits, store.Millis(m.DeletedAt))
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM mentions WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq); err != nil {
		return err
	}
	if err := insertMentions(ctx, t, m); err != nil {
		return err
	}
	if err := followMentioned(ctx, t, m); err != nil {
		return err
	}
	if err := search.Update(ctx, t, m); err != nil {
		return err
	}
	return roomlog.Append(ctx, t, e, m.Seq)
}

// joinMentions returns mentions in their stored form.
func joinMentions(ids []string) string { return strings.Join(ids, " ") }

// preserveTexts copies the texts of a message to held_texts, before it is deleted.
func preserveTexts(ctx context.Context, t *store.Tx, m *domain.Message, by string, now time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO held_texts (room_id, seq, version, text, at, by_id, deleted_at)
		SELECT room_id, seq, version, text, at, $3, $4 FROM versions WHERE room_id = $1
		AND seq = $2`, m.Room, m.Seq, by, store.Millis(now))
	if err != nil {
		return err
	}
	written := m.At
	if !m.EditedAt.IsZero() {
		written = m.EditedAt
	}
	_, err = t.ExecContext(ctx,
		`INSERT INTO held_texts (room_id, seq, version, text, at, by_id, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		m.Room, m.Seq, m.Edits, m.Text, store.Millis(written), by, store.Millis(now))
	return err
}
