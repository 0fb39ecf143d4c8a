// Package feed delivers the entries of a log to named consumers: each entry at least once, in the
// order of the log, from a cursor in the store. A consumer that is behind catches up in batches.
// After a crash entries come again, so handling an entry must be idempotent.
//
// One node at a time runs a consumer, by a lease.
//
// An entry that fails repeatedly becomes a dead letter, and the feed goes on with the next one. A
// consumer whose destination is unavailable returns an error of kind domain.Unavailable: then the
// feed waits, and no dead letters are made.
package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// An Entry is one entry of a log.
type Entry[T any] struct {
	// Pos is the position in the log. Entries that were committed together may share it.
	Pos int64
	// Key identifies the entry for as long as it exists, also as a dead letter.
	Key   string
	Time  time.Time
	Trace string // traceparent of the request that it is from; empty: it is not traced
	Value T
}

// A Page is a piece of a log.
type Page[T any] struct {
	Entries []Entry[T]
	// Last is the position to continue from. It may advance even if there are no entries.
	Last int64
	// Version is the version of the positions. It changes when the log reuses positions of
	// deleted entries. A cursor of another version must not be compared with this page.
	Version int64
}

// A Source is a log that is read forward.
type Source[T any] interface {
	// Next returns the entries after a position, in order: about limit of them, but always all
	// that share a position.
	Next(ctx context.Context, after int64, limit int) (Page[T], error)
}

// A Cursor is the position of a consumer, with the lease of its owner.
type Cursor struct {
	Pos     int64
	Version int64 // of the positions in the log
	// Until is the end of the lease. It is later if no other node could take the lease.
	Until time.Time
}

// From says where a consumer without a cursor begins.
type From int

// A new consumer begins with what is committed from now on, or with the oldest entry.
const (
	Now From = iota
	Beginning
)

// Cursors stores the cursors of consumers.
type Cursors interface {
	// ClaimCursor gives owner the lease of a consumer until a time. ok is false if another owner
	// has it.
	ClaimCursor(ctx context.Context, name, owner string, from From, until, now time.Time) (c Cursor, ok bool, err error)
	// AdvanceCursor stores the position of a cursor, renews the lease and returns its end. ok is
	// false if owner has lost the lease, or if the version of c is outdated.
	AdvanceCursor(ctx context.Context, name, owner string, c Cursor, now time.Time) (until time.Time, ok bool, err error)
	// ReleaseCursor ends the lease, so that another node can take it at once.
	ReleaseCursor(ctx context.Context, name, owner string) error
}

// DeadLetters stores entries that a consumer could not handle.
type DeadLetters[T any] interface {
	// AddDeadLetter stores a dead letter. If it exists already, its cause is replaced.
	AddDeadLetter(ctx context.Context, a DeadLetter) error
	// DeadLettersToRetry returns at most limit dead letters that an operator wants retried.
	DeadLettersToRetry(ctx context.Context, consumer string, limit int) ([]DeadLetter, error)
	// DeleteDeadLetter deletes a dead letter whose entry was handled or no longer exists.
	DeleteDeadLetter(ctx context.Context, consumer, key string) error
	// Get returns the entry with a key, and false if it is gone.
	Get(ctx context.Context, key string) (Entry[T], bool, error)
}

// A DeadLetter is an entry that its consumer could not handle.
type DeadLetter struct {
	Consumer string
	Key      string
	Cause    string // what the consumer said
	At       time.Time
}

// A Consumer handles entries.
type Consumer[T any] struct {
	// Name of its cursor. A new name starts with a new cursor.
	Name string
	From From
	// Batch is about how many entries Handle gets at once; 0 means 256.
	Batch int
	// Timeout is how long one call of Handle may take; 0 means 30 s, which is the most.
	Timeout time.Duration
	// Handle handles entries. If it returns nil they are done; after an error they come again.
	// If an entry is from a request that is traced, the call is a part of its trace, as ctx is.
	Handle func(ctx context.Context, entries []Entry[T]) error
}

// An Observer counts what consumers do. Calls for one consumer come from one goroutine.
type Observer interface {
	// Handled is called after entries were handled or became dead letters.
	Handled(consumer string, entries int)
	// Failed is called before the consumer is tried again.
	Failed(consumer string)
}

// Deps are what a Runner needs.
type Deps[T any] struct {
	Source  Source[T]
	Cursors Cursors
	// DeadLetters may be nil: then a failing entry is retried until it succeeds.
	DeadLetters DeadLetters[T]
	Observer    Observer
	Log         *slog.Logger
	Trace       *trace.Tracer    // nil: off
	Now         func() time.Time // nil: time.Now
}

const (
	batchLength   = 256
	handleTimeout = 30 * time.Second // the longest, too
	lease         = 2 * time.Minute
	pollEvery     = time.Second     // for entries that other nodes committed
	advanceEvery  = time.Second     // entries since then are handled again after a crash
	claimRetry    = 5 * time.Second // while another node has the lease
	awaitEvery    = 2 * time.Second // whether a consumer has something to do by now
	minBackoff    = time.Second
	maxBackoff    = time.Minute
	batchTries    = 3 // of a batch, before its entries are handled one by one
	entryTries    = 2 // of one entry, before it becomes a dead letter
)

// IsUnavailable reports whether err means that the consumer cannot work at the moment, regardless
// of the entry.
func IsUnavailable(err error) bool { return domain.KindOf(err) == domain.Unavailable }
