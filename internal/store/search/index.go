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
	indexBatch    = 1000
	indexInterval = time.Second // how old a message may get before its batch begins
	pollEvery     = 5           // ticks
)

// indexFormat says how entries are made. Whoever changes that, here or in package
// fulltext, raises it: then all messages are indexed anew, beside what else is to do.
const indexFormat = 3

// indexable is true of messages that are there to be found.
var indexable = roomlog.OfTypes(`type`, func(s domain.EventSpec) bool { return s.Indexed }) + ` AND deleted_at = 0`

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

// Update replaces what the index holds of a changed message; of a deleted one
// nothing stays.
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

// LowerHead keeps the indexer from passing over messages, after events were deleted.
func LowerHead(ctx context.Context, t *store.Tx) error { return backendOf(t.Name()).lowerHead(ctx, t) }

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

// Unindexed counts the events that the index does not have yet, and the messages that
// it is to have anew.
func (repo *Repository) Unindexed(ctx context.Context) (n int64, err error) {
	err = repo.db.QueryRowContext(ctx, repo.backend.unindexed()).Scan(&n)
	return n, err
}

func (x *indexer) stop() {
	x.cancel()
	x.running.Wait()
}

// run indexes what this server appends, and at every so many ticks whatever there
// is: what a server left that is gone.
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
			x.log.Error("index messages for search", "err", err)
			return
		}
	}
}
