// Package feed hands the entries of a log to named consumers: each entry at least
// once, in the order of the log, from a cursor that the store keeps. A consumer that
// is late catches up in bounded steps. It hears of an entry again after a crash, and
// so must do the same thing twice without harm.
//
// Of the nodes that share a store, one at a time runs a consumer, by a lease.
//
// An entry that its consumer cannot handle is set aside after some tries and told of,
// so that those behind it do not wait for ever. A consumer that cannot work at all,
// since what it writes to is away, says so by an error of kind domain.Unavailable:
// then nothing is set aside, and the feed waits.
package feed

import (
	"context"
	"log/slog"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// An Entry is one entry of a log.
type Entry[T any] struct {
	// Pos is the place in the log. Entries that were committed together may share it.
	Pos int64
	// Key names the entry for as long as it exists, also once it was set aside.
	Key   string
	Time  time.Time
	Value T
}

// A Page is a piece of a log.
type Page[T any] struct {
	Entries []Entry[T]
	// Last is where to go on from. It may be further than where the page began though
	// there are no entries.
	Last int64
	// Version is that of the places. It changes when the log gives places again, whose
	// entries were deleted: a cursor of another version says nothing about this page.
	Version int64
}

// A Source is a log that is read forward.
type Source[T any] interface {
	// Next returns the entries behind a place, in order: about limit of them, and all
	// that share a place.
	Next(ctx context.Context, after int64, limit int) (Page[T], error)
}

// A Cursor says how far a consumer has come, and for how long its owner may run it.
type Cursor struct {
	Pos     int64
	Version int64 // of the places in the log
	// Until is the end of the lease. It is further away where nobody else could take it.
	Until time.Time
}

// From is where a consumer begins that has no cursor yet.
type From int

// A new consumer begins with what is committed from now on, or with the oldest entry.
const (
	Now From = iota
	Beginning
)

// Cursors keep how far consumers have come.
type Cursors interface {
	// ClaimCursor makes owner the one that runs the consumer called name, until a
	// time. ok is false if another owner has it.
	ClaimCursor(ctx context.Context, name, owner string, from From, until, now time.Time) (c Cursor, ok bool, err error)
	// AdvanceCursor moves a cursor that owner has, and renews its lease, of which it
	// returns the end. ok is false if another owner has it by now, or c is of a version
	// that has passed.
	AdvanceCursor(ctx context.Context, name, owner string, c Cursor, now time.Time) (until time.Time, ok bool, err error)
	// ReleaseCursor lets another node run the consumer at once.
	ReleaseCursor(ctx context.Context, name, owner string) error
}

// DeadLetters keep what was set aside.
type DeadLetters[T any] interface {
	// AddDeadLetter keeps an entry for later. Setting it aside again changes its cause.
	AddDeadLetter(ctx context.Context, a DeadLetter) error
	// DeadLettersToRetry returns what an operator asked to be tried again, at most limit.
	DeadLettersToRetry(ctx context.Context, consumer string, limit int) ([]DeadLetter, error)
	// DeleteDeadLetter forgets an entry that was set aside, as it was handled or is gone.
	DeleteDeadLetter(ctx context.Context, consumer, key string) error
	// Get returns the entry with a key, and false if it is gone.
	Get(ctx context.Context, key string) (Entry[T], bool, error)
}

// An DeadLetter is an entry that its consumer could not handle.
type DeadLetter struct {
	Consumer string
	Key      string
	Cause    string // what the consumer said
	At       time.Time
}

// A Consumer is told of entries.
type Consumer[T any] struct {
	// Name of its cursor. Another name begins anew.
	Name string
	From From
	// Batch is about how many entries Handle gets at once; 0 means 256.
	Batch int
	// Timeout is how long one call of Handle may take; 0 means 30 s, which is the most.
	Timeout time.Duration
	// Handle does what must happen because of the entries. When it returns nil they
	// are done with. After an error they come again.
	Handle func(ctx context.Context, entries []Entry[T]) error
}

// An Observer is told how a consumer does. Calls come from one goroutine for each
// consumer.
type Observer interface {
	// Handled is called after entries were handled or set aside.
	Handled(consumer string, entries int)
	// Failed is called before the consumer is tried again.
	Failed(consumer string)
}

// Deps are what a Runner needs.
type Deps[T any] struct {
	Source  Source[T]
	Cursors Cursors
	// DeadLetters may be nil: then a consumer is told of an entry until it has handled it.
	DeadLetters DeadLetters[T]
	Observer    Observer
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

const (
	batchLength   = 256
	handleTimeout = 30 * time.Second // the longest, too
	lease         = 2 * time.Minute
	pollEvery     = time.Second     // for what other nodes committed
	advanceEvery  = time.Second     // what came since is handled again after a crash
	claimRetry    = 5 * time.Second // while another node has the consumer
	minBackoff    = time.Second
	maxBackoff    = time.Minute
	batchTries    = 3 // of a batch, before its entries are tried one by one
	entryTries    = 2 // of one entry, before it is set aside
)

// IsUnavailable reports whether err means that the consumer cannot work now, whatever
// the entry.
func IsUnavailable(err error) bool { return domain.KindOf(err) == domain.Unavailable }
