package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// appending is one message on its way into the log.
type appending struct {
	actor       string
	draft       domain.Draft
	mentions    []string // usernames
	mentionRoom bool
	now         time.Time

	event  domain.Event // the answer
	repeat bool         // the event was there before
}

// AppendMessage gives d the next place in its room's log, and returns its event
// once it is durable. The same key from the same actor returns the first event
// again, with repeat true, whatever else the draft says. mentions are usernames
// that the text names: those who are members are notified. mentionRoom notifies
// everybody, if the actor's role allows it, and nobody otherwise.
//
// An error of ctx means that the message was not kept, on this server; one of the
// database may leave it open, and asking again with the same key tells.
func (db *DB) AppendMessage(ctx context.Context, actor string, d domain.Draft, mentions []string, mentionRoom bool, now time.Time) (e domain.Event, repeat bool, err error) {
	a := &appending{actor: actor, draft: d, mentions: mentions, mentionRoom: mentionRoom, now: trim(now)}
	if err := db.writer.do(ctx, &job{append: a}); err != nil {
		return domain.Event{}, false, err
	}
	return a.event, a.repeat, nil
}

type place struct{ room, user string }

type actorKey struct{ actor, key string }

func roomOf(a *appending) string  { return a.draft.Room }
func placeOf(a *appending) place  { return place{a.draft.Room, a.actor} }
func keyOf(a *appending) actorKey { return actorKey{a.actor, a.draft.Key} }

// known is what the database says about a lot of messages before it is appended.
type known struct {
	rooms  map[string]*domain.Room
	places map[place]domain.Member
}

// appendAll appends the messages of jobs in one go. A message that is refused
// fails alone: it is refused before anything of it is written. An error means
// that the whole lot is to be undone. Keys are new but for a few: without keyed they
// are not looked for, and one that is not new is such an error.
func (t *tx) appendAll(ctx context.Context, jobs []*job, keyed bool) error {
	k, err := t.know(ctx, jobs)
	if err != nil {
		return err
	}
	fresh, err := t.placeAll(ctx, jobs, k, keyed)
	if err != nil {
		return err
	}
	if err := t.insertMessages(ctx, fresh); err != nil {
		return err
	}
	return t.raiseHeads(ctx, fresh)
}

// placeAll decides on the messages of jobs, and returns those that are to be
// written.
func (t *tx) placeAll(ctx context.Context, jobs []*job, known known, keyed bool) (fresh []*job, err error) {
	var earlier map[actorKey]roomSeq
	if keyed {
		if earlier, err = t.earlier(ctx, jobs); err != nil {
			return nil, err
		}
	}
	var again, refused []*job
	first := make(map[actorKey]*job, len(jobs))
	for _, j := range jobs {
		a := j.append
		k := keyOf(a)
		j.err, j.events, a.repeat = nil, nil, false
		if at, ok := earlier[k]; ok {
			j.err = t.found(ctx, a, at)
			continue
		}
		if first[k] != nil {
			again = append(again, j)
			continue
		}
		if j.err = t.place(ctx, a, known.rooms[a.draft.Room], known.places[placeOf(a)]); j.err != nil {
			refused = append(refused, j)
			continue
		}
		first[k] = j
		fresh = append(fresh, j)
		j.events = []domain.Event{a.event}
	}
	for _, j := range again {
		winner := first[keyOf(j.append)]
		j.append.event, j.append.repeat = winner.append.event, true
	}
	if keyed || len(refused) == 0 {
		return fresh, nil
	}
	return fresh, t.recall(ctx, refused)
}

// recall answers those of jobs that were refused and yet are in the log already.
func (t *tx) recall(ctx context.Context, jobs []*job) error {
	earlier, err := t.earlier(ctx, jobs)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if at, ok := earlier[keyOf(j.append)]; ok {
			j.err = t.found(ctx, j.append, at)
		}
	}
	return nil
}

// place decides on one message, and gives it its number.
func (t *tx) place(ctx context.Context, a *appending, room *domain.Room, m domain.Member) error {
	if room == nil {
		return domain.ErrNoRoom()
	}
	if err := domain.Allow(*room, m, domain.SendMessage, a.now); err != nil {
		return err
	}
	msg := domain.Message{
		Room: room.ID, Sender: m.User, Key: a.draft.Key, ContentType: a.draft.ContentType, Text: a.draft.Text, At: a.now,
	}
	if msg.ContentType == "" {
		msg.ContentType = domain.ContentMarkdown
	}
	if a.draft.ReplyTo != 0 {
		quotes, err := quotes(ctx, t, room.ID, []int64{a.draft.ReplyTo})
		if err != nil {
			return err
		}
		if msg.ReplyTo = quotes[a.draft.ReplyTo]; msg.ReplyTo == nil {
			return domain.InvalidField("/reply_to", "there is no message %d in this room", a.draft.ReplyTo)
		}
	}
	msg.MentionsRoom = a.mentionRoom && domain.Allow(*room, m, domain.MentionRoom, a.now) == nil
	ids, err := t.mentioned(ctx, room.ID, a.mentions)
	if err != nil {
		return err
	}
	msg.Mentions = ids
	room.Head++
	room.LastAt = a.now
	msg.Seq = room.Head
	a.event = domain.Event{Room: room.ID, Seq: msg.Seq, Type: domain.MessageCreated, Actor: m.User, At: a.now, Message: &msg}
	return nil
}

// found answers a repeated key with the event that it led to.
func (t *tx) found(ctx context.Context, a *appending, p roomSeq) error {
	events, err := t.eventsWhere(ctx, `e.room_id = $1 AND e.seq = $2`, p.room, p.seq)
	if err != nil {
		return err
	}
	a.event, a.repeat = events[0], true
	return nil
}

// roomsOf adds the rooms of ids that there are.
func (t *tx) roomsOf(ctx context.Context, ids []string, to map[string]*domain.Room) error {
	ids = padded(ids)
	rows, err := t.QueryContext(ctx, `SELECT `+roomColumns+` FROM rooms r WHERE id IN (`+holders(1, len(ids))+`)`, anys(ids)...)
	if err != nil {
		return err
	}
	rooms, err := collect(rows, scanRoom)
	for i := range rooms {
		to[rooms[i].ID] = &rooms[i]
	}
	return err
}

// placesOf adds the places that somebody has.
func (t *tx) placesOf(ctx context.Context, ps []place, to map[place]domain.Member) error {
	ps = padded(ps)
	args := make([]any, 0, 2*len(ps))
	for _, p := range ps {
		args = append(args, p.room, p.user)
	}
	rows, err := t.QueryContext(ctx, `WITH v (room_id, user_id) AS (VALUES `+t.d.rowsOf(len(ps), 2)+`)
		SELECT `+memberColumns+` FROM v CROSS JOIN members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = v.room_id AND m.user_id = v.user_id`, args...)
	if err != nil {
		return err
	}
	members, err := collect(rows, scanMember)
	for _, m := range members {
		to[place{m.Room, m.User.ID}] = m
	}
	return err
}

type roomSeq struct {
	room string
	seq  int64
}

// earlier finds the keys of jobs that are in the log already.
func (t *tx) earlier(ctx context.Context, jobs []*job) (map[actorKey]roomSeq, error) {
	keys := padded(distinct(jobs, keyOf))
	args := make([]any, 0, 2*len(keys))
	for _, k := range keys {
		args = append(args, k.actor, k.key)
	}
	// So that both databases look each key up, instead of reading all that the actors
	// ever wrote; the index holds only rows with a key.
	rows, err := t.QueryContext(ctx, `WITH v (actor_id, key) AS (VALUES `+t.d.rowsOf(len(keys), 2)+`)
		SELECT e.actor_id, e.key, e.room_id, e.seq FROM v JOIN events e ON e.pos =
			(SELECT pos FROM events WHERE actor_id = v.actor_id AND key = v.key AND key IS NOT NULL LIMIT 1)`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := make(map[actorKey]roomSeq)
	for rows.Next() {
		var k actorKey
		var p roomSeq
		if err := rows.Scan(&k.actor, &k.key, &p.room, &p.seq); err != nil {
			return nil, err
		}
		found[k] = p
	}
	return found, rows.Err()
}

// mentioned returns the ids of those members of room whom names name.
func (t *tx) mentioned(ctx context.Context, room string, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := t.QueryContext(ctx, `SELECT u.id FROM users u JOIN members m ON m.user_id = u.id AND m.room_id = $1
		WHERE u.username IN (`+holders(2, len(names))+`) ORDER BY u.id`, append([]any{room}, anys(names)...)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanString)
}

const insertWidth = 12

// insertMessages writes new messages, many rows to a statement.
func (t *tx) insertMessages(ctx context.Context, jobs []*job) error {
	for part := range lots(jobs) {
		args := make([]any, 0, insertWidth*len(part))
		for _, j := range part {
			m := j.append.event.Message
			args = append(args, m.Room, m.Seq, domain.MessageCreated, m.Sender.ID, ms(m.At), m.Key,
				orNull(m.ContentType, domain.ContentMarkdown), m.Text, replyTo(m), strings.Join(m.Mentions, " "), m.MentionsRoom, 0)
		}
		_, err := t.ExecContext(ctx, `INSERT INTO events
			(room_id, seq, type, actor_id, at, key, content_type, text, reply_to, mentions, mention_room, edits)
			VALUES `+t.d.rowsOf(len(part), insertWidth), args...)
		if err != nil {
			return fmt.Errorf("append messages: %w", err)
		}
	}
	for _, j := range jobs {
		if err := t.insertMentions(ctx, j.append.event.Message); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) insertMentions(ctx context.Context, m *domain.Message) error {
	for _, user := range m.Mentions {
		_, err := t.ExecContext(ctx, `INSERT INTO mentions (user_id, room_id, seq) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, user, m.Room, m.Seq)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) raiseHeads(ctx context.Context, jobs []*job) error {
	for room, e := range headsOf(jobs) {
		if _, err := t.ExecContext(ctx, raiseHead, room, e.Seq, ms(e.At)); err != nil {
			return err
		}
	}
	return nil
}

// headsOf returns the last event of each room.
func headsOf(jobs []*job) map[string]domain.Event {
	heads := make(map[string]domain.Event)
	for _, j := range jobs {
		heads[j.append.event.Room] = j.append.event
	}
	return heads
}

func orNull(v, def string) any {
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

func distinct[K comparable](jobs []*job, key func(*appending) K) []K {
	seen := make(map[K]bool, len(jobs))
	var keys []K
	for _, j := range jobs {
		if k := key(j.append); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	return keys
}
