// Package password hashes passwords, verifies them against records, including those of other
// systems, and checks new passwords. It stores nothing and knows no accounts.
//
// It does not count failures. An attempt that got no turn has not been compared, and must not count
// as a failure.
package password

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// MaxBytes is the maximum length of a password, checked before anything else.
const MaxBytes = 1024

// Trust says whether the caller of a Hasher acts for a known user.
type Trust bool

// One turn is reserved for known users, who have a session or a device cookie. So a flood of
// strangers cannot lock them out.
const (
	Stranger Trust = false
	Known    Trust = true
)

// Options limit the resources of hashing. A zero value stands for the default.
type Options struct {
	Memory  int64         // bytes for all concurrent hashes; default 256 MiB
	Turns   int           // concurrent hashes, fewer if Memory requires it; default: number of processors
	Waiting int           // strangers waiting for a turn; default 64
	Wait    time.Duration // maximum wait; default 2 s

	// HashMemory is what one hash takes, in KiB: 48 MiB by default, for which everything above is
	// meant. Less makes passwords easier to guess: it is for tests of other things.
	HashMemory uint32
}

// Hasher hashes passwords, a few at a time: each hash takes 48 MiB and a core for a good part of a
// second. It is safe for concurrent use.
type Hasher struct {
	turns chan struct{} // for everybody
	kept  chan struct{} // reserved for known users; capacity 0 if memory is short
	wide  chan struct{} // records of other systems that need more memory than ours: one at a time

	strangers chan struct{} // waiting
	known     chan struct{}
	wait      time.Duration

	mem     uint32       // of one of our hashes, in KiB
	dummy   string       // a record of equal cost that no password matches
	typical atomic.Int64 // duration of one of our hashes, in ns
	refused atomic.Int64
}

// New returns a hasher.
func New(o Options) *Hasher {
	if o.HashMemory == 0 {
		o.HashMemory = argonMemory
	}
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
	fit := int(o.Memory / (argonMemory << 10))
	kept := 0
	if fit > 1 {
		kept = 1
	}
	return &Hasher{
		turns: make(chan struct{}, max(1, min(o.Turns, fit-kept))),
		kept:  make(chan struct{}, kept), wide: make(chan struct{}, 1),
		strangers: make(chan struct{}, o.Waiting), known: make(chan struct{}, o.Waiting),
		wait: o.Wait, mem: o.HashMemory, dummy: newArgon(o.HashMemory).encode(randomBytes(hashLength)),
	}
}

// Load is the current load, for metrics.
type Load struct {
	Running, Waiting int
	Refused          int64 // since the start
}

// Limit returns the maximum number of waiting callers.
func (h *Hasher) Limit() int { return cap(h.strangers) + cap(h.known) }

// Load returns the hasher's load.
func (h *Hasher) Load() Load {
	return Load{Running: len(h.turns) + len(h.kept), Waiting: len(h.strangers) + len(h.known), Refused: h.refused.Load()}
}

// Hash returns the record of a password, in PHC string format. If there is no turn in time, it
// fails.
func (h *Hasher) Hash(ctx context.Context, password string, who Trust) (string, error) {
	done, err := h.turn(ctx, who, 0)
	if err != nil {
		return "", err
	}
	defer done()
	a := newArgon(h.mem)
	return a.encode(h.timed(a, password)), nil
}

// Verify reports whether password matches record. stale means that it matches but should be hashed
// again, because the record is another system's or has other parameters than ours. An empty or
// invalid record matches nothing and costs as much time as a valid one.
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
	// The turn ends when the work is done, not when the caller disconnects, because the memory is
	// in use until then.
	defer done()
	if a, is := r.(argon); is && a.own(h.mem) {
		ok = a.equal(h.timed(a, password)) && known
		return ok, false, nil
	}
	start := time.Now()
	if ok = r.fits(password) && known; !ok {
		h.fill(time.Since(start))
	}
	return ok, ok, nil
}

// timed computes one of our hashes and records its duration.
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

// fill spends the time that one of our hashes takes longer than a record of another system did, so
// that imported accounts cannot be recognized by fast responses. It does not hide records that take
// longer than ours.
func (h *Hasher) fill(spent time.Duration) {
	a := newArgon(h.mem)
	if a.mem = rest(h.mem, time.Duration(h.typical.Load()), spent); a.mem >= 8 { // the minimum of Argon2
		a.sum(nil)
	}
}

// rest returns the memory, in KiB, with which one of our hashes, of mem, takes the rest of the typical time.
// Time is proportional to memory.
func rest(mem uint32, typical, spent time.Duration) uint32 {
	if typical == 0 {
		return mem // no hash was computed yet
	}
	return uint32(float64(mem) * max(0, float64(typical-spent)/float64(typical)))
}

// turn waits for a turn. An overloaded server refuses early, and that never counts as a wrong
// password.
func (h *Hasher) turn(ctx context.Context, who Trust, memory int64) (done func(), err error) {
	waiting, kept := h.strangers, chan struct{}(nil) // a nil channel never accepts
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
		// Acquired before the turn, so that no caller holds a turn while waiting.
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
