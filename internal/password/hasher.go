// Package password hashes passwords, compares them with records, also with
// those of other systems, and decides what a new password may be. It keeps
// nothing and knows no accounts.
//
// It does not count failures either: an attempt that found no turn is refused
// before anything is compared, and must not be held against anybody.
package password

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// MaxBytes is how long a password may be before anything else looks at it.
const MaxBytes = 1024

// Trust says who asks for a turn.
type Trust bool

// One turn beside the others is kept for whom we know, by a device cookie or a
// session, so that a flood of strangers cannot keep them out.
const (
	Stranger Trust = false
	Known    Trust = true
)

// Options bound what hashing may take. The zero value of each stands for its
// default.
type Options struct {
	Memory  int64         // bytes for all the hashes at once; 256 MiB
	Turns   int           // hashes at once, fewer if Memory says so; the number of processors
	Waiting int           // strangers who may wait for a turn; 64
	Wait    time.Duration // how long anybody waits; 2 s
}

// Hasher hashes passwords, a few at a time: each takes 48 MiB and a core for a
// good part of a second. Its methods may be called by many at once.
type Hasher struct {
	turns chan struct{} // anybody's
	kept  chan struct{} // for the known alone; no place in it if memory is short
	wide  chan struct{} // records of other systems that take more memory than ours: one at a time

	strangers chan struct{} // who waits
	known     chan struct{}
	wait      time.Duration

	dummy   string       // a record that no password fits, of equal cost
	typical atomic.Int64 // how long a hash of ours takes, in ns
	refused atomic.Int64
}

// New returns a hasher within the bounds of o.
func New(o Options) *Hasher {
	const own = argonMemory << 10
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Turns == 0 {
		o.Turns = runtime.GOMAXPROCS(0)
	}
	if o.Waiting == 0 {
		o.Waiting = 64
	}
	if o.Wait == 0 {
		o.Wait = 2 * time.Second
	}
	fit := int(o.Memory / own)
	kept := 0
	if fit > 1 {
		kept = 1
	}
	return &Hasher{
		turns: make(chan struct{}, max(1, min(o.Turns, fit-kept))),
		kept:  make(chan struct{}, kept), wide: make(chan struct{}, 1),
		strangers: make(chan struct{}, o.Waiting), known: make(chan struct{}, o.Waiting),
		wait: o.Wait, dummy: newArgon().encode(randomBytes(hashLength)),
	}
}

// Load is what the hasher is doing just now, for the metrics.
type Load struct {
	Running, Waiting int
	Refused          int64 // since the start
}

// Limit is how many may wait at most.
func (h *Hasher) Limit() int { return cap(h.strangers) + cap(h.known) }

// Load returns the hasher's load.
func (h *Hasher) Load() Load {
	return Load{Running: len(h.turns) + len(h.kept), Waiting: len(h.strangers) + len(h.known), Refused: h.refused.Load()}
}

// Hash returns the record of a password in PHC form.
func (h *Hasher) Hash(ctx context.Context, password string, who Trust) (string, error) {
	done, err := h.turn(ctx, who, 0)
	if err != nil {
		return "", err
	}
	defer done()
	a := newArgon()
	return a.encode(h.timed(a, password)), nil
}

// Verify reports whether password is the record's, and whether the record
// should be made anew because it is another system's or its parameters are not
// ours. No record at all, or one that cannot be read, costs the same as one of
// ours and fits nothing. A record that does not fit is never stale.
func (h *Hasher) Verify(ctx context.Context, record, password string, who Trust) (ok, stale bool, err error) {
	r, err := parse(record)
	known := err == nil
	if !known {
		if r, err = parse(h.dummy); err != nil {
			return false, false, err
		}
	}
	done, err := h.turn(ctx, who, r.memory())
	if err != nil {
		return false, false, err
	}
	// The turn is over when the work is, not when the caller has gone away: a
	// client that hangs up does not give the memory back.
	defer done()
	if a, is := r.(argon); is && a.own() {
		ok = a.equal(h.timed(a, password)) && known
		return ok, false, nil
	}
	start := time.Now()
	if ok = r.fits(password) && known; !ok {
		h.fill(time.Since(start))
	}
	return ok, ok, nil
}

// timed is one hash of ours; how long it took is remembered.
func (h *Hasher) timed(a argon, password string) []byte {
	start := time.Now()
	sum := a.sum(normal(password))
	took := int64(time.Since(start))
	if last := h.typical.Load(); last != 0 {
		took = last + (took-last)/8
	}
	h.typical.Store(took)
	return sum
}

// fill spends what a hash of ours would have taken longer than the one of
// another system did, so that imported accounts do not stand out by answering
// soon. One that took longer still does.
func (h *Hasher) fill(spent time.Duration) {
	a := newArgon()
	if a.mem = rest(time.Duration(h.typical.Load()), spent); a.mem >= 8 { // the least that Argon2 knows
		a.sum(nil)
	}
}

// rest is the memory, in KiB, with which a hash of ours takes what is left of
// the typical time: the one is as the other.
func rest(typical, spent time.Duration) uint32 {
	if typical == 0 {
		return argonMemory // nobody has hashed yet
	}
	return uint32(argonMemory * max(0, float64(typical-spent)/float64(typical)))
}

// turn waits for a turn at the processor. A server that is asked for too much
// says so early, and it never counts against anybody's password.
func (h *Hasher) turn(ctx context.Context, who Trust, memory int64) (done func(), err error) {
	waiting, kept := h.strangers, chan struct{}(nil) // nobody gets into nil
	if who == Known {
		waiting, kept = h.known, h.kept
	}
	select {
	case waiting <- struct{}{}:
		defer func() { <-waiting }()
	default:
		return nil, h.busy()
	}
	timer := time.NewTimer(h.wait)
	defer timer.Stop()

	free := func() {}
	if memory > argonMemory<<10 {
		// Before the turn, so that a turn is never held by somebody who waits.
		select {
		case h.wide <- struct{}{}:
			free = func() { <-h.wide }
		case <-timer.C:
			return nil, h.busy()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns; free() }, nil
	case kept <- struct{}{}:
		return func() { <-kept; free() }, nil
	case <-timer.C:
		free()
		return nil, h.busy()
	case <-ctx.Done():
		free()
		return nil, ctx.Err()
	}
}

func (h *Hasher) busy() error {
	h.refused.Add(1)
	return domain.Unavailable.Errorf(domain.CodeBusy,
		"too many people are signing in just now; try again in a moment").After(h.wait)
}
