package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unhidra/unhidra/internal/domain"
)

// lane carries lots of messages into PostgreSQL, each in two round trips: one
// that opens a transaction and reads all that decides on the lot, with the rooms
// locked, and one that writes and commits. Columns go as arrays, so that a lot
// of any size is the same few statements.
type lane struct {
	db     *DB
	number int
	conn   *sql.Conn // kept, with its statements; nil: none yet, or lost
}

// lanes is how many there are: one gathers the next lot while the other waits for
// its commit.
const lanes = 2

// append carries out jobs, and calls written once only the commit is left to
// wait for. A connection that had been idle and turns out to be dead is replaced:
// nothing was written by it, and were it so, the keys would tell. They are looked
// for the second time.
func (l *lane) append(ctx context.Context, jobs []*job, written func()) error {
	ctx, cancel := context.WithTimeout(ctx, statementPatience) // whoever sends waits for its end
	defer cancel()
	had := l.conn != nil
	err := l.try(ctx, jobs, false, written)
	repeated, _ := postgresConflict(err)
	if repeated || had && l.conn == nil {
		err = l.try(ctx, jobs, true, written)
	}
	if ctx.Err() != nil {
		return unavailable(err) // written or not: the keys will tell
	}
	return err
}

// try loses the connection if it cannot be used again.
func (l *lane) try(ctx context.Context, jobs []*job, keyed bool, written func()) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	known, err := l.begin(ctx, jobs)
	if err == nil {
		t := &tx{querier: l.conn, d: l.db.dialect}
		jobs, err = t.placeAll(ctx, jobs, known, keyed)
	}
	if err == nil {
		err = l.end(ctx, jobs, written)
	}
	if err == nil {
		return nil
	}
	if _, failed := l.conn.ExecContext(ctx, "ROLLBACK"); failed != nil {
		l.close(driver.ErrBadConn)
	}
	return err
}

func (l *lane) connect(ctx context.Context) (err error) {
	if l.conn != nil {
		return nil
	}
	if l.conn, err = l.db.write1.Conn(ctx); err != nil {
		return err
	}
	// A plan for lots of this very size is no better, and costs as much as a small
	// lot does.
	if _, err = l.conn.ExecContext(ctx, `SET plan_cache_mode = force_generic_plan`); err != nil {
		l.close(driver.ErrBadConn)
	}
	return err
}

// close gives the connection back, or with an error ends it.
func (l *lane) close(bad error) {
	if l.conn == nil {
		return
	}
	if bad != nil {
		_ = l.conn.Raw(func(any) error { return bad })
	}
	_ = l.conn.Close()
	l.conn = nil
}

// pipeline sends statements at once and reads their answers in order; sent is
// called in between.
func (l *lane) pipeline(ctx context.Context, b *pgx.Batch, sent func(), read func(pgx.BatchResults) error) error {
	return l.conn.Raw(func(c any) error {
		results := pgxConn(c).SendBatch(ctx, b)
		sent()
		return errors.Join(read(results), results.Close())
	})
}

// begin opens a transaction, locks the rooms of jobs in the order of their ids, so
// that two servers never wait for each other in a circle, and reads what the places
// were once nobody else could change them.
func (l *lane) begin(ctx context.Context, jobs []*job) (known, error) {
	rooms := distinct(jobs, roomOf)
	slices.Sort(rooms)
	var in, who []string
	for _, p := range distinct(jobs, placeOf) {
		in, who = append(in, p.room), append(who, p.user)
	}
	b := &pgx.Batch{}
	b.Queue(`BEGIN`)
	b.Queue(`SELECT `+roomColumns+` FROM rooms r WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`, rooms)
	b.Queue(`SELECT `+memberColumns+` FROM unnest($1::text[], $2::text[]) v (room_id, user_id)
		JOIN members m ON m.room_id = v.room_id AND m.user_id = v.user_id JOIN users u ON u.id = m.user_id`, in, who)
	k := known{rooms: make(map[string]*domain.Room), places: make(map[place]domain.Member)}
	err := l.pipeline(ctx, b, func() {}, func(results pgx.BatchResults) error {
		if _, err := results.Exec(); err != nil {
			return err
		}
		return errors.Join(each(results, k.addRoom), each(results, k.addPlace))
	})
	return k, err
}

// each reads the rows of the next answer.
func each(results pgx.BatchResults, add func(pgx.Rows) error) error {
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

func (k *known) addRoom(rows pgx.Rows) error {
	var row roomRow
	err := rows.Scan(row.dest()...)
	r := row.room()
	k.rooms[r.ID] = &r
	return err
}

func (k *known) addPlace(rows pgx.Rows) error {
	m, err := scanMember(rows)
	k.places[place{m.Room, m.User.ID}] = m
	return err
}

// end writes the messages of jobs and commits.
func (l *lane) end(ctx context.Context, jobs []*job, written func()) error {
	b := &pgx.Batch{}
	if len(jobs) > 0 {
		queueMessages(b, jobs)
		queueMentions(b, jobs)
		queueHeads(b, jobs)
	}
	b.Queue(`COMMIT`)
	return l.pipeline(ctx, b, written, func(results pgx.BatchResults) error {
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
func queueMessages(b *pgx.Batch, jobs []*job) {
	n := len(jobs)
	rooms, actors, keys, texts, mentions := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	seqs, ats, mentionRoom := make([]int64, n), make([]int64, n), make([]bool, n)
	types, replies := make([]*string, n), make([]*int64, n)
	for i, j := range jobs {
		m := j.append.event.Message
		rooms[i], seqs[i], actors[i], ats[i], keys[i], texts[i] = m.Room, m.Seq, m.Sender.ID, ms(m.At), m.Key, m.Text
		mentions[i], mentionRoom[i] = strings.Join(m.Mentions, " "), m.MentionsRoom
		if m.ContentType != domain.ContentMarkdown {
			types[i] = &m.ContentType
		}
		if m.ReplyTo != nil {
			replies[i] = &m.ReplyTo.Seq
		}
	}
	b.Queue(`WITH e AS (INSERT INTO events (room_id, seq, type, actor_id, at, key, content_type, text, reply_to, mentions, mention_room)
			SELECT room_id, seq, '`+string(domain.MessageCreated)+`', actor_id, at, key, content_type, text, reply_to, mentions, mention_room
			FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::boolean[])
				AS v (room_id, seq, actor_id, at, key, content_type, text, reply_to, mentions, mention_room)
			RETURNING pos)
		INSERT INTO unindexed (pos) SELECT array_agg(pos) FROM e`,
		rooms, seqs, actors, ats, keys, types, texts, replies, mentions, mentionRoom)
}

func queueMentions(b *pgx.Batch, jobs []*job) {
	var users, rooms []string
	var seqs []int64
	for _, j := range jobs {
		m := j.append.event.Message
		for _, user := range m.Mentions {
			users, rooms, seqs = append(users, user), append(rooms, m.Room), append(seqs, m.Seq)
		}
	}
	if len(users) > 0 {
		b.Queue(`INSERT INTO mentions (user_id, room_id, seq) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING`, users, rooms, seqs)
	}
}

func queueHeads(b *pgx.Batch, jobs []*job) {
	heads := headsOf(jobs)
	var seqs, ats []int64
	rooms := slices.Sorted(maps.Keys(heads))
	for _, room := range rooms {
		seqs, ats = append(seqs, heads[room].Seq), append(ats, ms(heads[room].At))
	}
	b.Queue(`UPDATE rooms SET head = v.head, last_at = v.last_at FROM unnest($1::text[], $2::bigint[], $3::bigint[]) v (id, head, last_at) WHERE rooms.id = v.id`, rooms, seqs, ats)
}
