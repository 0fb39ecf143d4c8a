package messages

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
	"github.com/unhidra/unhidra/internal/trace"
)

// pendingMessage is a message that is to be appended, and the result.
type pendingMessage struct {
	actor       string
	draft       domain.Draft
	mentions    []string // usernames, and handles of user groups
	mentionRoom bool
	now         time.Time
	trace       string // traceparent of the request; empty: it is not traced

	item      *store.Item  // receives the error, or the event for the functions set by OnCommit
	event     domain.Event // the result
	room      *domain.Room // after the message
	root      roomlog.Root // of a reply: what its thread begins with
	view      domain.View  // what the actor sees of the room
	duplicate bool         // the event existed already
}

// pendingMessages returns the messages of a batch.
func pendingMessages(items []*store.Item) []*pendingMessage {
	as := make([]*pendingMessage, len(items))
	for i, item := range items {
		as[i] = item.Value.(*pendingMessage)
	}
	return as
}

// AppendMessage appends d to its room's log and returns its event after the commit. The same key
// from the same actor returns the first event again, with repeat true, whatever else d says.
// mentions are the names in the text: usernames, and handles of user groups. Those members whom they mean are
// notified; more than domain.MaxMentioned are refused. mentionRoom notifies all members, if the actor's role allows it.
//
// If AppendMessage returns an error of ctx, the message was not appended. After an unavailable
// error it may have been: call again with the same key.
func (repo *Repository) AppendMessage(
	ctx context.Context, actor string, d domain.Draft, mentions []string, mentionRoom bool, now time.Time,
) (e domain.Event, repeat bool, err error) {
	a := &pendingMessage{actor: actor, draft: d, mentions: mentions, mentionRoom: mentionRoom, now: store.Trim(now),
		trace: trace.Parent(ctx)}
	a.item = &store.Item{Value: a}
	if err := repo.db.WriteItem(ctx, repo, a.item); err != nil {
		return domain.Event{}, false, err
	}
	return a.view.Of(a.event), a.duplicate, nil
}

type memberKey struct{ room, user string }

type actorKey struct{ actor, key string }

func roomOf(a *pendingMessage) string { return a.draft.Room }

func memberOf(a *pendingMessage) memberKey { return memberKey{a.draft.Room, a.actor} }

func keyOf(a *pendingMessage) actorKey { return actorKey{a.actor, a.draft.Key} }

// roomState is what accepting messages depends on: their rooms, and the members who send them.
type roomState struct {
	rooms   map[string]*domain.Room
	members map[memberKey]domain.Member
}

func newRoomState() *roomState {
	return &roomState{rooms: make(map[string]*domain.Room), members: make(map[memberKey]domain.Member)}
}

// WriteBatch implements store.BatchWriter on SQLite. Most keys are new, so the first attempt does
// not look them up, and fails if one exists. A retry looks them up.
func (repo *Repository) WriteBatch(ctx context.Context, t *store.Tx, items []*store.Item, retry bool) error {
	as := pendingMessages(items)
	state, err := loadState(ctx, t, as)
	if err != nil {
		return err
	}
	fresh, err := acceptBatch(ctx, t, as, state, retry)
	if err != nil {
		return err
	}
	if err := insertMessages(ctx, t, fresh); err != nil {
		return err
	}
	return raiseHeads(ctx, t, fresh)
}

// acceptBatch checks messages and assigns their numbers. It returns those that are to be written.
// With keyed it looks up their keys in the log first.
func acceptBatch(
	ctx context.Context, t *store.Tx, as []*pendingMessage, state *roomState, keyed bool,
) (fresh []*pendingMessage, err error) {
	var earlier map[actorKey]roomlog.EventRef
	if keyed {
		if earlier, err = findDuplicates(ctx, t, as); err != nil {
			return nil, err
		}
	}
	var repeated, refused []*pendingMessage
	first := make(map[actorKey]*pendingMessage, len(as))
	for _, a := range as {
		k := keyOf(a)
		a.item.Err, a.item.Events, a.duplicate = nil, nil, false
		if at, ok := earlier[k]; ok {
			a.item.Err = answerDuplicate(ctx, t, a, at)
			continue
		}
		if first[k] != nil {
			repeated = append(repeated, a)
			continue
		}
		if a.item.Err = accept(ctx, t, a, state.rooms[a.draft.Room], state.members[memberOf(a)]); a.item.Err != nil {
			refused = append(refused, a)
			continue
		}
		first[k] = a
		fresh = append(fresh, a)
		a.item.Events = []domain.Event{a.event}
	}
	for _, a := range repeated {
		a.event, a.view, a.duplicate = first[keyOf(a)].event, first[keyOf(a)].view, true
	}
	if keyed || len(refused) == 0 {
		return fresh, nil
	}
	return fresh, answerDuplicates(ctx, t, refused)
}

// answerDuplicates looks up the keys of refused messages. Those that are in the log already get
// their event instead of the error.
func answerDuplicates(ctx context.Context, t *store.Tx, as []*pendingMessage) error {
	earlier, err := findDuplicates(ctx, t, as)
	if err != nil {
		return err
	}
	for _, a := range as {
		if at, ok := earlier[keyOf(a)]; ok {
			a.item.Err = answerDuplicate(ctx, t, a, at)
		}
	}
	return nil
}

// accept checks permissions for one message, and assigns its number.
func accept(ctx context.Context, t *store.Tx, a *pendingMessage, room *domain.Room, m domain.Member) error {
	if room == nil {
		return domain.ErrNoRoom()
	}
	if err := domain.Allow(*room, m, domain.SendMessage, a.now); err != nil {
		return err
	}
	a.view = m.View()
	msg := domain.Message{
		Room: room.ID, Sender: m.User, Key: a.draft.Key, ContentType: a.draft.ContentType, Text: a.draft.Text, At: a.now,
		Thread: a.draft.Thread, Broadcast: a.draft.Broadcast, Poll: a.draft.Poll, Forward: a.draft.Forward,
		Face: a.draft.Face,
	}
	if msg.ContentType == "" {
		msg.ContentType = domain.ContentMarkdown
	}
	if msg.Thread != 0 {
		if err := acceptReply(ctx, t, a); err != nil {
			return err
		}
	}
	if a.draft.ReplyTo != 0 {
		v := a.view
		if a.draft.ReplyTo == a.draft.Thread { // a thread may begin with what its sender does not see
			v = domain.WholeLog(room.ID)
		}
		quotes, err := roomlog.Quotes(ctx, t, v, []int64{a.draft.ReplyTo})
		if err != nil {
			return err
		}
		if msg.ReplyTo = quotes[a.draft.ReplyTo]; msg.ReplyTo == nil {
			return domain.InvalidField("/reply_to", "there is no message %d in this room", a.draft.ReplyTo)
		}
	}
	msg.MentionsRoom = a.mentionRoom && domain.Allow(*room, m, domain.MentionRoom, a.now) == nil
	ids, err := mentionedIDs(ctx, t, room.ID, m.User.ID, a.mentions)
	if err != nil {
		return err
	}
	msg.Mentions = ids
	if len(a.draft.Files) > 0 {
		if err := attach(ctx, t, a, *room, m, &msg); err != nil {
			return err
		}
	}
	room.Head++
	msg.Seq, a.room = room.Head, room
	if msg.Main() {
		room.LastAt = a.now
	}
	if msg.Thread != 0 {
		room.Replied = msg.Seq
	}
	a.event = domain.Event{Room: room.ID, Seq: msg.Seq, Type: domain.MessageCreated, Actor: m.User, At: a.now,
		Message: &msg, Trace: a.trace}
	return nil
}

// attach makes the files of a draft those of msg, which is the next in room.
func attach(
	ctx context.Context, t *store.Tx, a *pendingMessage, room domain.Room, m domain.Member, msg *domain.Message,
) (err error) {
	if err := domain.Allow(room, m, domain.UploadFile, a.now); err != nil {
		return err
	}
	msg.Files, err = files.Attach(ctx, t, a.actor, room.ID, room.Head+1, a.draft.Files)
	return err
}

// answerDuplicate sets the result of a to the event that has its key.
func answerDuplicate(ctx context.Context, t *store.Tx, a *pendingMessage, p roomlog.EventRef) error {
	events, err := roomlog.Where(ctx, t, domain.WholeLog(p.Room), `e.room_id = $1 AND e.seq = $2`, p.Room, p.Seq)
	if err != nil {
		return err
	}
	m, err := rooms.MemberOf(ctx, t, p.Room, a.actor)
	if err != nil {
		return err
	}
	a.view = domain.View{Room: p.Room, Since: m.Since}
	a.event, a.duplicate = events[0], true
	return nil
}

// loadRooms reads the rooms with ids into `to`. Rooms that do not exist are left out.
func loadRooms(ctx context.Context, t *store.Tx, ids []string, to map[string]*domain.Room) error {
	ids = store.PadToPowerOfTwo(ids)
	rows, err := t.QueryContext(ctx, `SELECT `+rooms.Columns+` FROM rooms r WHERE id IN (`+store.Placeholders(1,
		len(ids))+`)`, store.Args(ids)...)
	if err != nil {
		return err
	}
	rooms, err := store.Collect(rows, rooms.Scan)
	for i := range rooms {
		to[rooms[i].ID] = &rooms[i]
	}
	return err
}

// loadMembers reads members into `to`. Non-members are left out.
func loadMembers(ctx context.Context, t *store.Tx, ps []memberKey, to map[memberKey]domain.Member) error {
	ps = store.PadToPowerOfTwo(ps)
	args := make([]any, 0, 2*len(ps))
	for _, p := range ps {
		args = append(args, p.room, p.user)
	}
	rows, err := t.QueryContext(ctx, `WITH v (room_id, user_id) AS (VALUES `+t.ValuesList(len(ps), 2)+`)
		SELECT `+rooms.MemberColumns+` FROM v CROSS JOIN members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = v.room_id AND m.user_id = v.user_id`, args...)
	if err != nil {
		return err
	}
	members, err := store.Collect(rows, rooms.ScanMember)
	for _, m := range members {
		to[memberKey{m.Room, m.User.ID}] = m
	}
	return err
}

// findDuplicates returns the events of keys that are in the log already.
func findDuplicates(ctx context.Context, t *store.Tx, as []*pendingMessage) (map[actorKey]roomlog.EventRef, error) {
	keys := store.PadToPowerOfTwo(distinct(as, keyOf))
	args := make([]any, 0, 2*len(keys))
	for _, k := range keys {
		args = append(args, k.actor, k.key)
	}
	// This form makes both databases look up each key in the index, which holds only rows with a
	// key, instead of reading all events of the actors.
	rows, err := t.QueryContext(ctx, `WITH v (actor_id, key) AS (VALUES `+t.ValuesList(len(keys), 2)+`)
		SELECT e.actor_id, e.key, e.room_id, e.seq FROM v JOIN events e ON e.pos =
			(SELECT pos FROM events WHERE actor_id = v.actor_id AND key = v.key AND key IS NOT NULL LIMIT 1)`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := make(map[actorKey]roomlog.EventRef)
	for rows.Next() {
		var k actorKey
		var p roomlog.EventRef
		if err := rows.Scan(&k.actor, &k.key, &p.Room, &p.Seq); err != nil {
			return nil, err
		}
		found[k] = p
	}
	return found, rows.Err()
}

// mentionedIDs returns the ids of the members of room whom a message of sender mentions by names: those who have one of
// them for a username, and those in a user group that has one for its handle, but for the sender.
func mentionedIDs(ctx context.Context, t *store.Tx, room, sender string, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	in := ` IN (` + store.Placeholders(3, len(names)) + `)`
	rows, err := t.QueryContext(ctx, `SELECT u.id FROM users u JOIN members m ON m.user_id = u.id AND m.room_id = $1
			WHERE u.username`+in+`
		UNION SELECT p.user_id FROM user_groups g JOIN user_group_members p ON p.group_id = g.id
			JOIN members m ON m.user_id = p.user_id AND m.room_id = $1
			WHERE g.handle`+in+` AND p.user_id <> $2
		ORDER BY 1`, append([]any{room, sender}, store.Args(names)...)...)
	if err != nil {
		return nil, err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err == nil && len(ids) > domain.MaxMentioned {
		err = domain.ErrTooManyMentioned(len(ids))
	}
	return ids, err
}

const insertWidth = 16

// insertMessages writes new messages, many rows to a statement.
func insertMessages(ctx context.Context, t *store.Tx, as []*pendingMessage) error {
	for part := range store.Chunks(as) {
		args := make([]any, 0, insertWidth*len(part))
		for _, a := range part {
			m := a.event.Message
			args = append(args, m.Room, m.Seq, domain.MessageCreated, m.Sender.ID, store.Millis(m.At), m.Key,
				nullIf(m.ContentType, domain.ContentMarkdown), m.Text, replyTo(m), strings.Join(m.Mentions, " "), m.MentionsRoom, 0,
				nullIf(a.trace, ""), nullIf(m.Thread, 0), m.Broadcast, roomlog.StoredFace(m.Face))
		}
		_, err := t.ExecContext(ctx, `INSERT INTO events
			(room_id, seq, type, actor_id, at, key, content_type, text, reply_to, mentions, mention_room, edits, trace,
			thread, broadcast, face)
			VALUES `+t.ValuesList(len(part), insertWidth), args...)
		if err != nil {
			return fmt.Errorf("append messages: %w", err)
		}
	}
	for _, a := range as {
		m := a.event.Message
		if err := insertMentions(ctx, t, m); err != nil {
			return err
		}
		if m.Poll != nil {
			if _, err := t.ExecContext(ctx, insertPoll, pollArgs(m)...); err != nil {
				return err
			}
		}
		if m.Forward != nil {
			if _, err := t.ExecContext(ctx, insertForward, forwardArgs(m)...); err != nil {
				return err
			}
		}
		if len(m.Files) == 0 {
			continue
		}
		if _, err := t.ExecContext(ctx, files.MarkAttached, m.Room, m.Seq, len(m.Files)); err != nil {
			return err
		}
	}
	return writeFollowers(ctx, t, as)
}

func insertMentions(ctx context.Context, t *store.Tx, m *domain.Message) error {
	if len(m.Mentions) == 0 {
		return nil
	}
	users := store.PadToPowerOfTwo(m.Mentions)
	args := make([]any, 0, 4*len(users))
	for _, user := range users {
		args = append(args, user, m.Room, m.Seq, mentionThread(m))
	}
	_, err := t.ExecContext(ctx, `INSERT INTO mentions (user_id, room_id, seq, thread) VALUES `+
		t.ValuesList(len(users), 4)+` ON CONFLICT DO NOTHING`, args...)
	return err
}

func raiseHeads(ctx context.Context, t *store.Tx, as []*pendingMessage) error {
	for id, r := range headsOf(as) {
		if _, err := t.ExecContext(ctx, raiseHead, id, r.Head, store.Millis(r.LastAt), r.Replied); err != nil {
			return err
		}
	}
	return nil
}

// headsOf returns each room as it is after the messages.
func headsOf(as []*pendingMessage) map[string]*domain.Room {
	heads := make(map[string]*domain.Room)
	for _, a := range as {
		heads[a.event.Room] = a.room
	}
	return heads
}

// mentionThread is the thread that a mention in m is found in; NULL for a line of the room.
func mentionThread(m *domain.Message) any {
	if m.Main() {
		return nil
	}
	return m.Thread
}

func nullIf[T comparable](v, def T) any {
	if v == def {
		return nil
	}
	return v
}

func replyTo(m *domain.Message) any {
	if m.ReplyTo == nil {
		return nil
	}
	return m.ReplyTo.Seq
}

func distinct[K comparable](as []*pendingMessage, key func(*pendingMessage) K) []K {
	seen := make(map[K]bool, len(as))
	var keys []K
	for _, a := range as {
		if k := key(a); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}
