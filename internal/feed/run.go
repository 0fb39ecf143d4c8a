package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// Run runs consumer c until ctx is done. bell is notified when the source has new entries; Run
// also polls each second. At the end it stores the cursor and releases the lease.
func Run[T any](ctx context.Context, d Deps[T], c Consumer[T], bell *Signal) {
	r := newRunner(d, c)
	defer r.release(ctx)
	wait := minBackoff
	for ctx.Err() == nil {
		news := bell.Wait()
		more, err := r.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errClaimed):
			sleep(ctx, nil, claimRetry)
		case err != nil:
			r.Observer.Failed(c.Name)
			r.Log.WarnContext(ctx, "a consumer of the feed is behind; trying again",
				"consumer", c.Name, "err", err, "in", wait)
			sleep(ctx, nil, wait/2+rand.N(wait/2))
			wait = min(2*wait, maxBackoff)
			continue
		case !more:
			sleep(ctx, news, pollEvery)
		}
		wait = minBackoff
	}
}

// Await returns nil once wanted says that a consumer has something to do, or an error when ctx is done. Before, nobody
// need read the feed for it. It asks at once, when told, and every two seconds: another node may know first.
func Await(ctx context.Context, told <-chan struct{}, wanted func(context.Context) bool) error {
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for !wanted(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-told:
		case <-tick.C:
		}
	}
	return nil
}

// Drain runs consumer c until it has handled all entries, it fails, or ctx is done.
func Drain[T any](ctx context.Context, d Deps[T], c Consumer[T]) {
	r := newRunner(d, c)
	defer r.release(ctx)
	for {
		if more, err := r.once(ctx); err != nil || !more {
			return
		}
	}
}

// sleep returns after a time, when news is closed, or when ctx is done.
func sleep(ctx context.Context, news <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-news:
	case <-t.C:
	}
}

var errClaimed = errors.New("another node runs this consumer")

// A runner is the state of one consumer on this node.
type runner[T any] struct {
	Deps[T]
	c      Consumer[T]
	owner  string
	cursor Cursor    // position and lease; Until is zero without a lease
	stored int64     // position in the store
	at     time.Time // when it was stored
	looked time.Time // when dead letters were last retried
	tries  int       // failed attempts of the next page
}

func newRunner[T any](d Deps[T], c Consumer[T]) *runner[T] {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if c.Batch == 0 {
		c.Batch = batchLength
	}
	if c.Timeout == 0 || c.Timeout > handleTimeout {
		c.Timeout = handleTimeout
	}
	return &runner[T]{Deps: d, c: c, owner: domain.NewID("feed")}
}

// once handles one page and reports whether there may be more.
func (r *runner[T]) once(ctx context.Context) (more bool, err error) {
	if held, err := r.hold(ctx); err != nil || !held {
		return true, err
	}
	page, err := r.Source.Next(ctx, r.cursor.Pos, r.c.Batch)
	if err != nil {
		return false, err
	}
	if page.Version != r.cursor.Version {
		r.cursor.Until = time.Time{} // claim the cursor again, with its new position
		return true, nil
	}
	if len(page.Entries) == 0 {
		r.cursor.Pos = max(r.cursor.Pos, page.Last)
		return false, errors.Join(r.advance(ctx, advanceEvery), r.retryDeadLetters(ctx))
	}
	if err := r.page(ctx, page.Entries); err != nil {
		r.tries++
		return false, err
	}
	r.tries = 0
	r.cursor.Pos = page.Last
	r.Observer.Handled(r.c.Name, len(page.Entries))
	return true, r.advance(ctx, advanceEvery)
}

// hold renews or claims the lease, so that it lasts longer than a call of Handle. It reports false
// if the lease was lost, and is to be claimed again.
func (r *runner[T]) hold(ctx context.Context) (bool, error) {
	now := r.Now()
	if r.cursor.Until.Sub(now) > lease/2 {
		return true, nil
	}
	if r.cursor.Until.After(now) {
		err := r.store(ctx)
		return !r.cursor.Until.IsZero(), err
	}
	c, ok, err := r.Cursors.ClaimCursor(ctx, r.c.Name, r.owner, r.c.From, now.Add(lease), now)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, errClaimed
	}
	r.cursor, r.stored, r.at = c, c.Pos, now
	return true, nil
}

// advance stores the cursor if it has moved and was last stored at least `every` ago.
func (r *runner[T]) advance(ctx context.Context, every time.Duration) error {
	if r.cursor.Pos == r.stored || r.Now().Sub(r.at) < every {
		return nil
	}
	return r.store(ctx)
}

func (r *runner[T]) store(ctx context.Context) error {
	now := r.Now()
	next := r.cursor
	next.Until = now.Add(lease)
	until, ok, err := r.Cursors.AdvanceCursor(ctx, r.c.Name, r.owner, next, now)
	if err != nil {
		return err
	}
	if !ok {
		r.cursor.Until = time.Time{}
		return nil // hold claims it again
	}
	r.cursor.Until, r.stored, r.at = until, next.Pos, now
	return nil
}

// release stores the cursor and releases the lease.
func (r *runner[T]) release(ctx context.Context) {
	if r.cursor.Until.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimRetry)
	defer cancel()
	err := r.advance(ctx, 0)
	if err = errors.Join(err, r.Cursors.ReleaseCursor(ctx, r.c.Name, r.owner)); err != nil {
		r.Log.DebugContext(ctx, "release the lease of a consumer", "consumer", r.c.Name, "err", err)
	}
}

// page handles entries together. After batchTries failures it handles them one by one.
func (r *runner[T]) page(ctx context.Context, entries []Entry[T]) error {
	err := r.handle(ctx, entries)
	if err == nil || r.DeadLetters == nil || IsUnavailable(err) || ctx.Err() != nil || r.tries+1 < batchTries {
		return err
	}
	version := r.cursor.Version
	for _, e := range entries {
		if held, err := r.hold(ctx); err != nil {
			return err
		} else if !held || r.cursor.Version != version {
			return errClaimed
		}
		if err := r.one(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// one handles one entry. After entryTries failures it makes it a dead letter.
func (r *runner[T]) one(ctx context.Context, e Entry[T]) error {
	for try := 1; ; try++ {
		err := r.handle(ctx, []Entry[T]{e})
		if err == nil {
			return nil
		}
		if IsUnavailable(err) || ctx.Err() != nil {
			return err
		}
		if try < entryTries {
			sleep(ctx, nil, minBackoff)
			continue
		}
		r.Log.ErrorContext(ctx, "a consumer of the feed cannot handle an entry, which is set aside",
			"consumer", r.c.Name, "entry", e.Key,
			"err", err)
		return r.DeadLetters.AddDeadLetter(ctx, DeadLetter{Consumer: r.c.Name, Key: e.Key, Cause: err.Error(), At: r.Now()})
	}
}

// handle calls the consumer. It turns a panic into an error.
func (r *runner[T]) handle(ctx context.Context, entries []Entry[T]) (err error) {
	ctx, cancel := context.WithTimeout(ctx, r.c.Timeout)
	defer cancel()
	ctx, span := r.Trace.Continue(ctx, "feed.handle", traces(entries)...)
	span.Note(trace.String("unhidra.consumer", r.c.Name), trace.Int("unhidra.batch", len(entries)))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
		span.End(err)
	}()
	return r.c.Handle(ctx, entries)
}

// traces returns the traceparents of entries that have one.
func traces[T any](entries []Entry[T]) (parents []string) {
	for _, e := range entries {
		if e.Trace != "" {
			parents = append(parents, e.Trace)
		}
	}
	return parents
}

// retryDeadLetters handles the dead letters that an operator wants retried.
func (r *runner[T]) retryDeadLetters(ctx context.Context) error {
	if r.DeadLetters == nil || r.Now().Sub(r.looked) < claimRetry {
		return nil
	}
	r.looked = r.Now()
	letters, err := r.DeadLetters.DeadLettersToRetry(ctx, r.c.Name, r.c.Batch)
	if err != nil {
		return err
	}
	for _, a := range letters {
		e, ok, err := r.DeadLetters.Get(ctx, a.Key)
		if err != nil {
			return err
		}
		if ok {
			if err := r.handle(ctx, []Entry[T]{e}); IsUnavailable(err) || ctx.Err() != nil {
				return err
			} else if err != nil {
				a.Cause, a.At = err.Error(), r.Now()
				if err := r.DeadLetters.AddDeadLetter(ctx, a); err != nil {
					return err
				}
				continue
			}
		}
		if err := r.DeadLetters.DeleteDeadLetter(ctx, a.Consumer, a.Key); err != nil {
			return err
		}
	}
	return nil
}
