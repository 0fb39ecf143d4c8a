package messages

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// PipelineBatch implements store.BatchWriter on PostgreSQL, in two round trips. The first begins a
// transaction, locks the rooms, and reads rooms and members. The second writes and commits. Columns
// are passed as arrays, so that the statements are the same for batches of every size.
func (repo *Repository) PipelineBatch(
	ctx context.Context, t *store.Tx, items []*store.Item, retry bool, written func(),
) error {
	as := pendingMessages(items)
	state, err := lockAndRead(ctx, t, as)
	if err != nil {
		return err
	}
	fresh, err := acceptBatch(ctx, t, as, state, retry)
	if err != nil {
		return err
	}
	return writeAndCommit(ctx, t, fresh, written)
}

// lockAndRead begins a transaction and locks the rooms of messages, in the order of their ids, so
// that two servers cannot deadlock. It reads the members after that, when no other transaction can
// change them.
func lockAndRead(ctx context.Context, t *store.Tx, as []*pendingMessage) (*roomState, error) {
	ids := distinct(as, roomOf)
	slices.Sort(ids)
	var in, who []string
	for _, p := range distinct(as, memberOf) {
		in, who = append(in, p.room), append(who, p.user)
	}
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	b.Queue(`SELECT `+rooms.Columns+` FROM rooms r WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`, ids)
	b.Queue(`SELECT `+rooms.MemberColumns+` FROM unnest($1::text[], $2::text[]) v (room_id, user_id)
		JOIN members m ON m.room_id = v.room_id AND m.user_id = v.user_id JOIN users u ON u.id = m.user_id`, in, who)
	state := newRoomState()
	err := t.Pipeline(ctx, b, func() {}, func(results pgx.BatchResults) error {
		if _, err := results.Exec(); err != nil {
			return err
		}
		return errors.Join(readEach(results, state.addRoom), readEach(results, state.addMember))
	})
	return state, err
}

// readEach calls add for each row of the next result.
func readEach(results pgx.BatchResults, add func(pgx.Rows) error) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := add(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (state *roomState) addRoom(rows pgx.Rows) error {
	var row rooms.Row
	err := rows.Scan(row.Dest()...)
	r := row.Value()
	state.rooms[r.ID] = &r
	return err
}

func (state *roomState) addMember(rows pgx.Rows) error {
	m, err := rooms.ScanMember(rows)
	state.members[memberKey{m.Room, m.User.ID}] = m
	return err
}

// writeAndCommit writes messages and commits.
func writeAndCommit(ctx context.Context, t *store.Tx, as []*pendingMessage, written func()) error {
	b := &pgx.Batch{}
	if len(as) > 0 {
		queueMessages(b, as)
		queueMentions(b, as)
		queueAttached(b, as)
		queuePolls(b, as)
		queueForwards(b, as)
		queueFollowers(b, as)
		queueHeads(b, as)
	}
	b.Queue(`COMMIT`)
	return t.Pipeline(ctx, b, written, func(results pgx.BatchResults) error {
		var tag pgconn.CommandTag
		for range b.Len() {
			var err error
			if tag, err = results.Exec(); err != nil {
				return fmt.Errorf("append messages: %w", err)
			}
		}
		if tag.String() != "COMMIT" {
			return fmt.Errorf("append messages: the database answered %q to a commit", tag)
		}
		return nil
	})
}

// queueMessages writes the messages, and that they are to be indexed.
func queueMessages(b *pgx.Batch, as []*pendingMessage) {
	n := len(as)
	rooms, actors, keys, texts, mentions := make([]string, n), make([]string, n), make([]string, n), make([]string, n),
		make([]string, n)
	seqs, ats, mentionRoom := make([]int64, n), make([]int64, n), make([]bool, n)
	types, replies, traces := make([]*string, n), make([]*int64, n), make([]*string, n)
	threads, broadcasts, faces := make([]*int64, n), make([]bool, n), make([]*string, n)
	for i, a := range as {
		m := a.event.Message
		rooms[i], seqs[i], actors[i], ats[i], keys[i], texts[i] = m.Room, m.Seq, m.Sender.ID, store.Millis(m.At), m.Key,
			m.Text
		mentions[i], mentionRoom[i] = strings.Join(m.Mentions, " "), m.MentionsRoom
		if m.ContentType != domain.ContentMarkdown {
			types[i] = &m.ContentType
		}
		if m.ReplyTo != nil {
			replies[i] = &m.ReplyTo.Seq
		}
		if a.trace != "" {
			traces[i] = &a.trace
		}
		if broadcasts[i] = m.Broadcast; m.Thread != 0 {
			threads[i] = &m.Thread
		}
		faces[i] = roomlog.StoredFace(m.Face)
	}
	b.Queue(`WITH e AS (INSERT INTO events (room_id, seq, type, actor_id, at, key, content_type, text, reply_to, mentions,
		mention_room, trace, thread, broadcast, face)
			SELECT room_id, seq, '`+string(domain.MessageCreated)+
		`', actor_id, at, key, content_type, text, reply_to, mentions, mention_room, trace, thread, broadcast,
			face
			FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[],
			$9::text[], $10::boolean[], $11::text[], $12::bigint[], $13::boolean[],
			$14::text[])
				AS v (room_id, seq, actor_id, at, key, content_type, text, reply_to, mentions, mention_room, trace, thread,
				broadcast, face)
			RETURNING pos)
		INSERT INTO unindexed (pos) SELECT array_agg(pos) FROM e`,
		rooms, seqs, actors, ats, keys, types, texts, replies, mentions, mentionRoom, traces,
		threads, broadcasts, faces)
}

func queueMentions(b *pgx.Batch, as []*pendingMessage) {
	var users, rooms []string
	var seqs []int64
	var threads []*int64
	for _, a := range as {
		m := a.event.Message
		for _, user := range m.Mentions {
			users, rooms, seqs = append(users, user), append(rooms, m.Room), append(seqs, m.Seq)
			if m.Main() {
				threads = append(threads, nil)
			} else {
				threads = append(threads, &m.Thread)
			}
		}
	}
	if len(users) > 0 {
		b.Queue(`INSERT INTO mentions (user_id, room_id, seq, thread)
			SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) ON CONFLICT DO NOTHING`, users, rooms, seqs,
			threads)
	}
}

// queueAttached says of messages with files how many they have.
func queueAttached(b *pgx.Batch, as []*pendingMessage) {
	for _, a := range as {
		if m := a.event.Message; len(m.Files) > 0 {
			b.Queue(files.MarkAttached, m.Room, m.Seq, len(m.Files))
		}
	}
}

// queuePolls writes the polls that messages are.
func queuePolls(b *pgx.Batch, as []*pendingMessage) {
	for _, a := range as {
		if m := a.event.Message; m.Poll != nil {
			b.Queue(insertPoll, pollArgs(m)...)
		}
	}
}

// queueForwards writes what messages forward.
func queueForwards(b *pgx.Batch, as []*pendingMessage) {
	for _, a := range as {
		if m := a.event.Message; m.Forward != nil {
			b.Queue(insertForward, forwardArgs(m)...)
		}
	}
}

func queueHeads(b *pgx.Batch, as []*pendingMessage) {
	heads := headsOf(as)
	var seqs, ats, replied []int64
	rooms := slices.Sorted(maps.Keys(heads))
	for _, room := range rooms {
		r := heads[room]
		seqs, ats, replied = append(seqs, r.Head), append(ats, store.Millis(r.LastAt)), append(replied, r.Replied)
	}
	b.Queue(`UPDATE rooms SET head = v.head, last_at = v.last_at, replied = v.replied
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) v (id, head, last_at, replied)
		WHERE rooms.id = v.id`, rooms, seqs, ats, replied)
}
