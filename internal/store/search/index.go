package search

import (
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// A message is indexed a moment after its commit, in larger batches than commits have:
// a full-text index costs more than the row does, and less the more rows share a
// batch. On SQLite an indexer follows the log. On PostgreSQL, where places in the log
// can commit out of order, each commit leaves a row that says what it appended, and
// the indexers of all servers take those.

const (
	indexBatch = 1000
	indexWait  = time.Second // how old a message may get before its batch begins
	lookEvery  = 5           // ticks
)

// indexFormat says how entries are made. Whoever changes that, here or in package
// fulltext, raises it: then all messages are indexed anew, beside what else is to do.
const indexFormat = 3

// A term is what the index holds: the number of the message's room, a sign, and what
// stands behind it. So a search reads what its own rooms have of a word, and neither
// its time nor its order says anything about other rooms.
const (
	termWord   = "_"     // and a word, as package fulltext makes it
	termSender = "@"     // and the sender's id
	termLink   = "#link" // the message has a link
	termAny    = "#"     // every message has it
)

// term is the beginning of all terms of a room.
func term(room int64) string { return strconv.FormatInt(room, 36) }

// eachTerm calls add with what the index holds of a message, each term in two parts:
// its words in their order, and then what else it is found by.
func eachTerm(room int64, sender, text string, add func(kind, value string)) {
	n := term(room)
	word := n + termWord
	for _, t := range fulltext.Tokens(text) {
		add(word, t.Word)
	}
	add(n+termSender, sender)
	add(n+termAny, "")
	if fulltext.HasLink(text) {
		add(n+termLink, "")
	}
}

// terms are those of a message, as FTS5 takes them.
func terms(room int64, sender, text string) string {
	b := make([]byte, 0, 2*len(text)+64)
	eachTerm(room, sender, text, func(kind, value string) { b = append(append(append(b, kind...), value...), ' ') })
	return string(b)
}

// tsVector is the literal of a message's tsvector. PostgreSQL keeps positions up
// to 16383 and 256 of each word.
func tsVector(room int64, sender, text string) string {
	b := make([]byte, 0, 3*len(text)+128)
	at := 0
	eachTerm(room, sender, text, func(kind, value string) {
		at++
		b = append(append(append(b, '\''), kind...), value...)
		b = append(strconv.AppendInt(append(b, "':"...), int64(min(at, 16383)), 10), ' ')
	})
	return string(b)
}

// Update replaces what the index holds of a changed message; of a deleted one
// nothing stays.
func Update(ctx context.Context, t *store.Tx, m *domain.Message) error {
	var pos int64
	if err := t.QueryRowContext(ctx, `SELECT pos FROM events WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq).Scan(&pos); err != nil {
		return err
	}
	if t.Name() == postgres {
		if _, err := t.ExecContext(ctx, `DELETE FROM search WHERE pos = $1`, pos); err != nil || !m.DeletedAt.IsZero() {
			return err
		}
		return indexPlaces(ctx, t, []int64{pos})
	}
	var head, todo int64
	if err := t.QueryRowContext(ctx, `SELECT head, todo FROM search_build`).Scan(&head, &todo); err != nil || pos > head || pos <= todo {
		return err // the indexer comes by, and takes it as it is then
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM search_words WHERE rowid = $1`, pos); err != nil || !m.DeletedAt.IsZero() {
		return err
	}
	e, err := entryAt(ctx, t, pos)
	if err != nil {
		return err
	}
	return indexOne(ctx, t, e)
}

func indexOne(ctx context.Context, t *store.Tx, e entry) error {
	_, err := t.ExecContext(ctx, `INSERT INTO search_words (rowid, words) VALUES ($1, $2)`, e.pos, e.words)
	return err
}

// Forget forgets a room's messages up to a number. On PostgreSQL they go with
// their events.
func Forget(ctx context.Context, t *store.Tx, room string, to int64) error {
	if t.Name() == postgres {
		return nil
	}
	_, err := t.ExecContext(ctx, `DELETE FROM search_words WHERE rowid IN (SELECT pos FROM events WHERE room_id = $1 AND seq <= $2 AND type = 'message.created' AND deleted_at = 0
		AND pos <= (SELECT head FROM search_build))`, room, to)
	return err
}

// LowerHead keeps the indexer from passing over messages: SQLite gives the
// places of the newest rows again once those are deleted.
func LowerHead(ctx context.Context, t *store.Tx) error {
	if t.Name() == postgres {
		return nil
	}
	_, err := t.ExecContext(ctx, `WITH last AS (SELECT COALESCE(max(pos), 0) AS pos FROM events)
		UPDATE search_build SET head = min(head, last.pos), todo = min(todo, last.pos) FROM last WHERE head > last.pos`)
	return err
}

// indexer brings the search index up to the log.
type indexer struct {
	repo     *Repository
	log      *slog.Logger
	appended atomic.Bool // there may be something to do
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// Start starts the indexer, which the commits of the database tell of what they append.
// It runs until Stop. A command beside a server needs none: the server's takes what it
// writes.
func (repo *Repository) Start(ctx context.Context, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := repo.beginRebuild(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &indexer{repo: repo, log: log, cancel: cancel}
	repo.db.OnCommit(func([]domain.Event) { x.appended.Store(true) })
	repo.indexer = x
	x.running.Go(func() { x.run(ctx) })
	x.running.Go(func() { x.rebuild(ctx) })
	x.running.Go(func() { naming.Keep(ctx, repo.db, log, lookEvery*indexWait) })
	return nil
}

// Stop ends the indexer, if it was started.
func (repo *Repository) Stop() {
	if repo.indexer != nil {
		repo.indexer.stop()
	}
}

// Unindexed counts the events that the index does not have yet, and the messages that
// it is to have anew.
func (repo *Repository) Unindexed(ctx context.Context) (n int64, err error) {
	query := `SELECT max(0, (SELECT COALESCE(max(pos), 0) FROM events) - head) + todo FROM search_build`
	if repo.db.Name() == postgres {
		query = `SELECT (SELECT COALESCE(sum(cardinality(pos)), 0) FROM unindexed) + (SELECT count(*) FROM search_outdated) + (SELECT todo FROM search_build)`
	}
	err = repo.db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

func (x *indexer) stop() {
	x.cancel()
	x.running.Wait()
}

// run indexes what this server appends, and at every so many ticks whatever there
// is: what a server left that is gone.
func (x *indexer) run(ctx context.Context) {
	tick := time.NewTicker(indexWait)
	defer tick.Stop()
	for n := 0; ; n++ {
		if x.appended.Swap(false) || n%lookEvery == 0 {
			x.catchUp(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (x *indexer) catchUp(ctx context.Context) {
	next := x.repo.indexBatch
	if x.repo.db.Name() == postgres {
		next = x.repo.indexCommits
	}
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = next(ctx); err != nil && ctx.Err() == nil {
			x.log.Error("index messages for search", "err", err)
			return
		}
	}
}

// entry is what the index is to hold of one message, as it was at some edit.
type entry struct {
	pos   int64
	at    roomlog.Position
	edits int64
	words string
}

const entryColumns = `pos, room_id, seq, edits, (SELECT number FROM search_rooms s WHERE s.room_id = events.room_id), actor_id, text`

// live is true of messages that are there to be found.
const live = `type = 'message.created' AND deleted_at = 0`

func scanEntry(rows *sql.Rows) (e entry, err error) {
	var room int64
	var sender, text string
	if err := rows.Scan(&e.pos, &e.at.Room, &e.at.Seq, &e.edits, &room, &sender, &text); err != nil {
		return e, err
	}
	e.words = terms(room, sender, text)
	return e, nil
}

// batch is a piece of the log that is not indexed yet.
type batch struct {
	entries []entry
	last    int64 // place of its last event
	events  int
}

// indexBatch indexes the next messages of the log, and reports whether there may
// be more. It reads them, and finds their words, before it writes: what the
// writer does for the index, it does not do for those who wait for their commit.
func (repo *Repository) indexBatch(ctx context.Context) (more bool, err error) {
	b, err := repo.nextBatch(ctx)
	if err != nil || b.events == 0 {
		return false, err
	}
	return b.events == indexBatch, repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return index(ctx, t, b) })
}

func (repo *Repository) nextBatch(ctx context.Context) (b batch, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT count(*), COALESCE(max(pos), 0)
		FROM (SELECT pos FROM events WHERE pos > (SELECT head FROM search_build) ORDER BY pos LIMIT $1)`, indexBatch).Scan(&b.events, &b.last)
	if err != nil || b.events == 0 {
		return b, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+entryColumns+` FROM events WHERE pos > (SELECT head FROM search_build) AND pos <= $1 AND `+live+` ORDER BY pos`, b.last)
	if err != nil {
		return b, err
	}
	b.entries, err = store.Collect(rows, scanEntry)
	return b, err
}

// index brings the index up to the end of b, which was read before, and counts as
// far as it is still true: a message may have been edited or deleted since, and
// its place given to another.
func index(ctx context.Context, t *store.Tx, b batch) error {
	rows, err := t.QueryContext(ctx, `SELECT pos, room_id, seq, edits FROM events WHERE pos > (SELECT head FROM search_build) AND pos <= $1 AND `+live+` ORDER BY pos`, b.last)
	if err != nil {
		return err
	}
	if err := indexRows(ctx, t, rows, b); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE search_build SET head = min($1, (SELECT COALESCE(max(pos), 0) FROM events))`, b.last)
	return err
}

// indexRows indexes the messages of rows by what b has of them.
func indexRows(ctx context.Context, t *store.Tx, rows *sql.Rows, b batch) error {
	ready := make(map[int64]entry, len(b.entries))
	for _, e := range b.entries {
		ready[e.pos] = e
	}
	now, err := store.Collect(rows, func(rows *sql.Rows) (e entry, err error) {
		err = rows.Scan(&e.pos, &e.at.Room, &e.at.Seq, &e.edits)
		return e, err
	})
	if err != nil {
		return err
	}
	for _, e := range now {
		if was, ok := ready[e.pos]; ok && was.at == e.at && was.edits == e.edits {
			e = was
		} else if e, err = entryAt(ctx, t, e.pos); err != nil {
			return err
		}
		// One at a time: FTS5 writes out what it has gathered at the end of a
		// statement of many rows.
		if err := indexOne(ctx, t, e); err != nil {
			return err
		}
	}
	return nil
}

func entryAt(ctx context.Context, t *store.Tx, pos int64) (entry, error) {
	rows, err := t.QueryContext(ctx, `SELECT `+entryColumns+` FROM events WHERE pos = $1`, pos)
	if err != nil {
		return entry{}, err
	}
	found, err := store.Collect(rows, scanEntry)
	if err != nil {
		return entry{}, err
	}
	return found[0], nil
}
