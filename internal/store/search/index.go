package search

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/language"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// Messages are indexed a moment after their commit, in batches larger than commits: indexing costs
// more than inserting the row, and larger batches make it cheaper. On SQLite the indexer follows the
// log by position. On PostgreSQL positions can commit out of order, so each commit writes a row that
// lists what it appended, and the indexers of all servers take those rows.

const (
	indexBatch    = 1000
	indexInterval = time.Second // how old a message may get before its batch begins
	pollEvery     = 5           // ticks
)

// indexFormat is the version of the entries' format. It must be incremented when the format changes,
// here or in package fulltext. All messages are then indexed again in the background.
const indexFormat = 5

// indexable is the SQL condition that an event is a message that search may find.
var indexable = roomlog.OfTypes(`type`, func(s domain.EventSpec) bool { return s.Indexed }) + ` AND deleted_at = 0`

// A term of the index is the number of the message's room, a kind, and a value. So a search reads
// only entries of the user's own rooms, and neither its duration nor its order reveals anything about
// other rooms.
const (
	termWord   = "_"     // and a word, as package fulltext makes it
	termSender = "@"     // and the sender's id
	termLink   = "#link" // the message has a link
	termFile   = "#file" // it has files
	termPoll   = "#poll" // it is a poll
	termLang   = "#lang" // and the language of the message, or language.Unknown
	termAny    = "#"     // every message has it
)

// term returns the prefix of all terms of a room.
func term(room int64) string { return strconv.FormatInt(room, 36) }

// indexed is what the index is to know of a message.
type indexed struct {
	room         int64 // its number
	sender, text string
	files, poll  bool
}

// indexedColumns are the columns of an event for indexed.scan, but for the number of the room, which is before them.
const indexedColumns = `actor_id, text, attached > 0, EXISTS (SELECT 1 FROM polls p
	WHERE p.room_id = events.room_id AND p.seq = events.seq)`

// places are where a row that has the number of the room and indexedColumns is scanned to.
func (m *indexed) places() []any { return []any{&m.room, &m.sender, &m.text, &m.files, &m.poll} }

// eachTerm calls add for each term of a message: first its words, in their order, then the others.
func eachTerm(m indexed, add func(kind, value string)) {
	n := term(m.room)
	word := n + termWord
	for _, t := range fulltext.Tokens(m.text) {
		add(word, t.Word)
	}
	add(n+termSender, m.sender)
	add(n+termAny, "")
	if domain.HasLink(m.text) {
		add(n+termLink, "")
	}
	if m.files {
		add(n+termFile, "")
	}
	if m.poll {
		add(n+termPoll, "")
	}
	add(n+termLang, language.Of(m.text))
}

// Update replaces the index entry of a changed message, and deletes that of a deleted one.
func Update(ctx context.Context, t *store.Tx, m *domain.Message) error {
	var pos int64
	err := t.QueryRowContext(ctx, `SELECT pos FROM events WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq).Scan(&pos)
	if err != nil {
		return err
	}
	return backendOf(t.Name()).update(ctx, t, pos, !m.DeletedAt.IsZero())
}

// DeleteUpTo forgets a room's messages up to a number, before their events are deleted.
func DeleteUpTo(ctx context.Context, t *store.Tx, room string, to int64) error {
	return backendOf(t.Name()).deleteUpTo(ctx, t, room, to)
}

// LowerHead adjusts the indexer's position. It must be called after events were deleted.
func LowerHead(ctx context.Context, t *store.Tx) error { return backendOf(t.Name()).lowerHead(ctx, t) }

// indexer indexes what is appended to the log.
type indexer struct {
	repo     *Repository
	log      *slog.Logger
	appended atomic.Bool // there may be something to do
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// Start starts the indexer, which runs until Stop. Commands beside a server need not start it: the
// server's indexer finds what they append.
func (repo *Repository) Start(ctx context.Context, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := repo.db.Write(ctx, repo.backend.beginRebuild); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	x := &indexer{repo: repo, log: log, cancel: cancel}
	repo.db.OnCommit(func([]domain.Event) { x.appended.Store(true) })
	repo.indexer = x
	x.running.Go(func() { x.run(ctx) })
	x.running.Go(func() { x.rebuild(ctx) })
	x.running.Go(func() { naming.Backfill(ctx, repo.db, log, pollEvery*indexInterval) })
	return nil
}

// Stop ends the indexer, if it was started.
func (repo *Repository) Stop() {
	if repo.indexer != nil {
		repo.indexer.stop()
	}
}

// Unindexed counts the events that are not indexed yet, and the messages that a rebuild has not
// reached.
func (repo *Repository) Unindexed(ctx context.Context) (n int64, err error) {
	err = repo.db.QueryRowContext(ctx, repo.backend.unindexed()).Scan(&n)
	return n, err
}

func (x *indexer) stop() {
	x.cancel()
	x.running.Wait()
}

// run indexes after commits of this server, and every pollEvery ticks also what other servers left.
func (x *indexer) run(ctx context.Context) {
	tick := time.NewTicker(indexInterval)
	defer tick.Stop()
	for n := 0; ; n++ {
		if x.appended.Swap(false) || n%pollEvery == 0 {
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
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = x.repo.backend.next(ctx, x.repo.db); err != nil && ctx.Err() == nil {
			x.log.ErrorContext(ctx, "index messages for search", "err", err)
			return
		}
	}
}
