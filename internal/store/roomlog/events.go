package roomlog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/trace"
)

// Columns are read by Scan. e is the event, c the message that it
// creates, edits or deletes, a the actor, s the subject.
var Columns = eventColumns + `
	c.seq, c.at, c.key, c.content_type, c.text, c.reply_to, c.mentions, c.mention_room, c.edited_at, c.edits, c.deleted_at,
	c.reacted, c.attached, c.flagged, ` + threadOf("c") + `, c.face,
	w.id, w.kind, w.username, w.display_name, w.avatar`

// Tables are what Columns are columns of.
var Tables = ` FROM events e
	JOIN users a ON a.id = e.actor_id
	LEFT JOIN users s ON s.id = e.subject_id
	LEFT JOIN events c ON c.room_id = e.room_id AND c.seq = CASE WHEN ` + newMessages + ` THEN e.seq
		WHEN ` + changedMessages + ` THEN e.target END
	LEFT JOIN users w ON w.id = c.actor_id`

const eventColumns = `e.room_id, e.seq, e.type, e.at, e.detail, e.pos, e.trace,
	a.id, a.kind, a.username, a.display_name, a.avatar,
	s.id, s.kind, s.username, s.display_name, s.avatar,`

// lineColumns are Columns for a line of the timeline. Such an event is never an edit or a deletion,
// so the message is in the same row, and no join is needed.
var lineColumns = eventColumns + `
	CASE WHEN ` + newMessages +
	` THEN e.seq END, e.at, e.key, e.content_type, e.text, e.reply_to, e.mentions, e.mention_room,
		e.edited_at, e.edits, e.deleted_at, e.reacted, e.attached, e.flagged, ` + threadOf("e") + `, e.face,
	a.id, a.kind, a.username, a.display_name, a.avatar`

const lineTables = ` FROM events e
	JOIN users a ON a.id = e.actor_id
	LEFT JOIN users s ON s.id = e.subject_id`

// threadOf is one number for three columns, which is read faster: NULL for a message that has nothing to do with
// threads, 0 for one that has or had replies, and for a reply its thread, negative if it is a line of the room as well.
func threadOf(table string) string {
	return strings.ReplaceAll(`CASE WHEN m.thread IS NOT NULL THEN CASE WHEN m.broadcast THEN -m.thread ELSE m.thread END
		WHEN m.threaded THEN 0 END`, "m.", table+".")
}

// messageRow is a message as the log holds it; everything may be NULL.
type messageRow struct {
	seq, at, replyTo, editedAt, edits, deletedAt, reacted, attached, flagged, thread sql.NullInt64
	key, contentType, text, mentions, face                                           sql.NullString
	mentionRoom                                                                      sql.NullBool
}

func (r *messageRow) dest() []any {
	return []any{&r.seq, &r.at, &r.key, &r.contentType, &r.text, &r.replyTo, &r.mentions, &r.mentionRoom, &r.editedAt,
		&r.edits, &r.deletedAt, &r.reacted, &r.attached, &r.flagged, &r.thread, &r.face}
}

func (r *messageRow) message(room string, sender domain.UserRef) *domain.Message {
	m := &domain.Message{
		Room: room, Seq: r.seq.Int64, Sender: sender, Key: r.key.String, ContentType: r.contentType.String,
		Text:         r.text.String,
		MentionsRoom: r.mentionRoom.Bool, At: store.Time(r.at.Int64),
		EditedAt: store.Time(r.editedAt.Int64), Edits: int(r.edits.Int64), DeletedAt: store.Time(r.deletedAt.Int64),
	}
	if m.ContentType == "" {
		m.ContentType = domain.ContentMarkdown
	}
	if f := strings.Fields(r.mentions.String); len(f) > 0 {
		m.Mentions = f
	}
	if m.Thread = r.thread.Int64; m.Thread < 0 {
		m.Thread, m.Broadcast = -m.Thread, true
	}
	if m.DeletedAt.IsZero() {
		m.Face = faceOf(r.face)
		if r.flagged.Valid {
			m.Flag = unpackFlag(r.flagged.Int64)
		}
	}
	if r.replyTo.Valid {
		m.ReplyTo = &domain.Quote{Seq: r.replyTo.Int64}
	}
	return m
}

// A Row is an event with its position in the log of all rooms.
type Row struct {
	domain.Event
	Pos      int64
	reacted  int64 // number of the last event that changed the reactions to the message
	attached int64 // how many files the message has
	threaded bool  // there are or were replies to the message in a thread
}

// Scan reads a row of Columns.
func Scan(rows *sql.Rows) (Row, error) {
	var e Row
	var when int64
	var detail, trace sql.NullString
	var actor, subject, sender accounts.RefRow
	var m messageRow
	dest := []any{&e.Room, &e.Seq, &e.Type, &when, &detail, &e.Pos, &trace}
	dest = append(dest, actor.Dest()...)
	dest = append(dest, subject.Dest()...)
	dest = append(dest, m.dest()...)
	dest = append(dest, sender.Dest()...)
	if err := rows.Scan(dest...); err != nil {
		return e, err
	}
	e.At, e.Actor, e.Trace = store.Time(when), actor.Ref(), trace.String
	if subject.Valid() {
		s := subject.Ref()
		e.Subject = &s
	}
	if m.seq.Valid {
		e.Message = m.message(e.Room, sender.Ref())
		e.reacted, e.attached, e.threaded = m.reacted.Int64, m.attached.Int64, m.thread.Valid && m.thread.Int64 == 0
	}
	if detail.Valid {
		p, err := payloadOf(e.Type, detail.String)
		if err != nil {
			return e, fmt.Errorf("event %d of %s: %w", e.Seq, e.Room, err)
		}
		e.Payload = p
	}
	return e, nil
}

// Where reads events with their messages, and those with their quotes, reactions, replies, polls,
// previews of links and what they forward.
// rest is what follows WHERE. What they tell of lines that v does not show is hidden; v.Room is not looked at.
func Where(ctx context.Context, q store.Queryer, v domain.View, rest string, args ...any) ([]domain.Event, error) {
	return readEvents(ctx, q, v, `SELECT `+Columns+Tables+` WHERE `+rest, args)
}

// Brief is Where without reactions, replies, polls, previews and what messages forward.
func Brief(ctx context.Context, q store.Queryer, v domain.View, rest string, args ...any) ([]domain.Event, error) {
	rows, err := readRows(ctx, q, `SELECT `+Columns+Tables+` WHERE `+rest, args)
	events := eventsOf(rows)
	v.HideAll(events)
	return events, err
}

// ByPositions returns the events at positions of the log, for nobody in particular. Those that were deleted are left
// out.
func ByPositions(ctx context.Context, q store.Queryer, positions []int64) (map[int64]domain.Event, error) {
	events := make(map[int64]domain.Event, len(positions))
	for part := range store.Chunks(positions) {
		found, err := readRows(ctx, q, `SELECT `+Columns+Tables+` WHERE e.pos IN (`+store.Placeholders(1, len(part))+`)`,
			store.Args(part))
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			events[e.Pos] = e.Event
		}
	}
	return events, nil
}

// BySeq returns the event of a room with a sequence number, and false if it was deleted or v does not show it.
func BySeq(ctx context.Context, q store.Queryer, v domain.View, seq int64) (e domain.Event, ok bool, err error) {
	events, err := Where(ctx, q, v, `e.room_id = $1 AND e.seq = $2`, v.Room, seq)
	if err != nil || len(events) == 0 || !v.Sees(seq) {
		return e, false, err
	}
	return events[0], true, nil
}

// MainLines is the condition of SQL that an event is a line of the main timeline of its room. An index has it.
const MainLines = `target IS NULL AND (thread IS NULL OR broadcast)`

// lines is the condition of SQL that an event is a line of the timeline, or of the main timeline.
func lines(main bool) string {
	if main {
		return MainLines
	}
	return `target IS NULL`
}

// linesWhere is Where for lines of the timeline that v shows, or of the main timeline. $1 is the room. rest bounds the
// numbers also by what v shows: SQLite takes only one lower bound from its index, and here it is kept (by +) from
// taking it from this check.
func linesWhere(
	ctx context.Context, q store.Queryer, v domain.View, main bool, rest string, args ...any,
) ([]domain.Event, error) {
	args = append([]any{v.Room}, args...)
	condition := `e.room_id = $1 AND e.target IS NULL AND `
	if main {
		condition += `(e.thread IS NULL OR e.broadcast) AND `
	}
	if v.Since > 0 {
		args = append(args, v.Since)
		condition += `+e.seq > ` + store.Placeholders(len(args), 1) + ` AND `
	}
	return readEvents(ctx, q, v, `SELECT `+lineColumns+lineTables+` WHERE `+condition+rest, args)
}

func readEvents(ctx context.Context, q store.Queryer, v domain.View, query string, args []any) ([]domain.Event, error) {
	rows, err := readRows(ctx, q, query, args)
	if err != nil {
		return nil, err
	}
	if err := fillReactions(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := fillPreviews(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := fillPolls(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := fillForwards(ctx, q, rows); err != nil {
		return nil, err
	}
	if err := fillReplies(ctx, q, rows); err != nil {
		return nil, err
	}
	events := eventsOf(rows)
	v.HideAll(events)
	return events, nil
}

// byRoom returns the messages of rows that are wanted, by their rooms and numbers. An edit has the message as well, so
// a number may have several.
func byRoom(rows []Row, wanted func(Row, *domain.Message) bool) map[string]map[int64][]*domain.Message {
	var rooms map[string]map[int64][]*domain.Message // nil for most pages
	for _, r := range rows {
		m := r.Message
		if m == nil || !wanted(r, m) {
			continue
		}
		if rooms == nil {
			rooms = make(map[string]map[int64][]*domain.Message)
		}
		if rooms[m.Room] == nil {
			rooms[m.Room] = make(map[int64][]*domain.Message)
		}
		rooms[m.Room][m.Seq] = append(rooms[m.Room][m.Seq], m)
	}
	return rooms
}

// seqsOf are the numbers of messages, as arguments of a query.
func seqsOf(messages map[int64][]*domain.Message) []any {
	args := make([]any, 0, len(messages))
	for seq := range messages {
		args = append(args, seq)
	}
	return args
}

func eventsOf(rows []Row) []domain.Event {
	events := make([]domain.Event, len(rows))
	for i, r := range rows {
		events[i] = r.Event
	}
	return events
}

// readRows reads rows of Columns, with the quotes and files of their messages.
func readRows(ctx context.Context, q store.Queryer, query string, args []any) ([]Row, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, Scan)
	if err != nil {
		return nil, err
	}
	byRoom := make(map[string][]*domain.Message)
	for _, r := range found {
		if m := r.Message; m != nil && m.ReplyTo != nil {
			byRoom[m.Room] = append(byRoom[m.Room], m)
		}
	}
	for room, messages := range byRoom {
		if err := fillQuotes(ctx, q, room, messages); err != nil {
			return nil, err
		}
	}
	return found, FillFiles(ctx, q, found)
}

func fillQuotes(ctx context.Context, q store.Queryer, room string, messages []*domain.Message) error {
	var seqs []int64
	for _, m := range messages {
		seqs = append(seqs, m.ReplyTo.Seq)
	}
	found, err := Quotes(ctx, q, domain.WholeLog(room), seqs) // whoever reads the messages hides them
	if err != nil {
		return err
	}
	for _, m := range messages {
		if quote := found[m.ReplyTo.Seq]; quote != nil {
			m.ReplyTo = quote
		} else {
			m.ReplyTo = &domain.Quote{Seq: m.ReplyTo.Seq, Deleted: true}
		}
	}
	return nil
}

const excerptLength = 200

// Quotes reads the messages that replies answer, without those that v does not show.
func Quotes(ctx context.Context, q store.Queryer, v domain.View, seqs []int64) (map[int64]*domain.Quote, error) {
	seqs = slices.DeleteFunc(slices.Clone(seqs), func(seq int64) bool { return !v.Sees(seq) })
	if len(seqs) == 0 {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx,
		`SELECT e.seq, e.text, e.deleted_at, e.face, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM events e JOIN users u ON u.id = e.actor_id
		WHERE e.room_id = $1 AND `+newMessages+` AND e.seq IN (`+store.Placeholders(2, len(seqs))+`)`,
		append([]any{v.Room}, store.Args(seqs)...)...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, scanQuote)
	if err != nil {
		return nil, err
	}
	bySeq := make(map[int64]*domain.Quote, len(found))
	for i := range found {
		bySeq[found[i].Seq] = &found[i]
	}
	return bySeq, nil
}

func scanQuote(rows *sql.Rows) (q domain.Quote, err error) {
	var text, face sql.NullString
	var deleted int64
	var sender accounts.RefRow
	err = rows.Scan(append([]any{&q.Seq, &text, &deleted, &face}, sender.Dest()...)...)
	q.Sender, q.Deleted = sender.Ref(), deleted != 0
	if q.Excerpt = Excerpt(text.String); !q.Deleted {
		q.Face = faceOf(face)
	}
	return q, err
}

// Excerpt is the beginning of a message's text.
func Excerpt(text string) string { return domain.Excerpt(text, excerptLength) }

// Append gives e the next number of its room and writes it, with its
// target if it has one. The room must exist. Its place among the rooms stays: messages
// alone move it.
func Append(ctx context.Context, t *store.Tx, e *domain.Event, target any) error {
	return appendEvent(ctx, t, e, target, "")
}

// AppendOnce appends e, a line that is no message, unless its actor has given the key before: then e
// becomes what was written then, and repeat is true. Messages have keys of their own. If the same key
// comes in two rooms at once, the error is one of store.IsUnique: the caller tries again.
func AppendOnce(ctx context.Context, t *store.Tx, e *domain.Event, key string) (repeat bool, err error) {
	key = "line " + key // keys of messages have no spaces
	found, err := Where(ctx, t, domain.WholeLog(e.Room), `e.actor_id = $1 AND e.key = $2`, e.Actor.ID, key)
	if err != nil {
		return false, err
	}
	if len(found) > 0 {
		*e = found[0]
		return true, nil
	}
	return false, appendEvent(ctx, t, e, nil, key)
}

func appendEvent(ctx context.Context, t *store.Tx, e *domain.Event, target any, key string) error {
	if err := validate(e, target); err != nil {
		return err
	}
	detail, err := stored(e)
	if err != nil {
		return err
	}
	t.Invalidate()
	err = t.QueryRowContext(ctx, `UPDATE rooms SET head = head + 1 WHERE id = $1 RETURNING head`, e.Room).Scan(&e.Seq)
	if err != nil {
		return err
	}
	var subject any
	if e.Subject != nil {
		subject = e.Subject.ID
	}
	if e.Trace == "" { // else it belongs to what began earlier
		e.Trace = trace.Parent(ctx)
	}
	_, err = t.ExecContext(ctx, `INSERT INTO events (room_id, seq, type, actor_id, at, subject_id, target, detail, trace,
		key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULLIF($9, ''), NULLIF($10, ''))`, e.Room, e.Seq, e.Type, e.Actor.ID,
		store.Millis(e.At), subject, target, detail, e.Trace, key)
	if err != nil {
		return fmt.Errorf("append %s: %w", e.Type, err)
	}
	t.AddEvent(*e)
	return nil
}

// Restate replaces the payload of an event, whose type is that of e, by that of e: a replay of
// its number gives the line as it is now. It does nothing if the event was purged.
func Restate(ctx context.Context, t *store.Tx, e *domain.Event) error {
	detail, err := stored(e)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE events SET detail = $4 WHERE room_id = $1 AND seq = $2 AND type = $3`, e.Room,
		e.Seq,
		e.Type, detail)
	return err
}

// validate holds that e is what the catalogue says of its type.
func validate(e *domain.Event, target any) error {
	spec, known := e.Type.Spec()
	switch {
	case !known || spec.Audience != domain.ForMembers:
		return domain.Internal.Errorf("", "append %s: the catalogue has no such type for a log", e.Type)
	case spec.Timeline != (target == nil):
		return domain.Internal.Errorf("", "append %s: an event is a line of the timeline, or has a target", e.Type)
	case spec.Subject != (e.Subject != nil):
		return domain.Internal.Errorf("", "append %s: whom the event is about does not fit its type", e.Type)
	}
	return nil
}
