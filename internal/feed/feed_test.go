package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
)

// A memory is a log of numbers with cursors, as in a store. Numbers that are appended together share a
// position.
type memory struct {
	mu      sync.Mutex
	log     []feed.Entry[int]
	version int64
	cursors map[string]*cursor
	asides  map[string]feed.DeadLetter
	retry   bool
	bell    feed.Signal
}

type cursor struct {
	feed.Cursor
	owner string
}

func newMemory() *memory {
	return &memory{cursors: map[string]*cursor{}, asides: map[string]feed.DeadLetter{}}
}

func (m *memory) append(values ...int) {
	m.mu.Lock()
	pos := m.head() + 1
	for _, v := range values {
		m.log = append(m.log, feed.Entry[int]{Pos: pos, Key: strconv.Itoa(v), Time: time.Now(), Value: v})
	}
	m.mu.Unlock()
	m.bell.Notify()
}

func (m *memory) head() int64 {
	if len(m.log) == 0 {
		return 0
	}
	return m.log[len(m.log)-1].Pos
}

// cut deletes the newest n entries, whose positions are assigned again.
func (m *memory) cut(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = m.log[:len(m.log)-n]
	m.version++
	for _, c := range m.cursors {
		c.Pos = min(c.Pos, m.head())
	}
}

func (m *memory) Next(_ context.Context, after int64, limit int) (feed.Page[int], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := feed.Page[int]{Last: after, Version: m.version}
	for _, e := range m.log {
		if e.Pos <= after {
			continue
		}
		if len(p.Entries) >= limit && e.Pos > p.Last {
			break
		}
		p.Entries, p.Last = append(p.Entries, e), e.Pos
	}
	return p, nil
}

func (m *memory) Get(_ context.Context, key string) (feed.Entry[int], bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.log {
		if e.Key == key {
			return e, true, nil
		}
	}
	return feed.Entry[int]{}, false, nil
}

func (m *memory) ClaimCursor(
	_ context.Context, name, owner string, from feed.From, until, now time.Time,
) (feed.Cursor, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.cursors[name]
	if c == nil {
		c = &cursor{}
		if from == feed.Now {
			c.Pos = m.head()
		}
		m.cursors[name] = c
	}
	if c.owner != owner && c.Until.After(now) {
		return feed.Cursor{}, false, nil
	}
	c.owner, c.Until, c.Version = owner, until, m.version
	return c.Cursor, true, nil
}

func (m *memory) AdvanceCursor(
	_ context.Context, name, owner string, next feed.Cursor, now time.Time,
) (time.Time, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.cursors[name]
	if c.owner != owner || next.Version != m.version {
		return time.Time{}, false, nil
	}
	c.Cursor = next
	return c.Until, true, nil
}

func (m *memory) ReleaseCursor(_ context.Context, name, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.cursors[name]; c.owner == owner {
		c.Until = time.Time{}
	}
	return nil
}

func (m *memory) AddDeadLetter(_ context.Context, a feed.DeadLetter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asides[a.Key] = a
	return nil
}

func (m *memory) DeadLettersToRetry(context.Context, string, int) (out []feed.DeadLetter, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.asides {
		if m.retry {
			out = append(out, a)
		}
	}
	return out, nil
}

func (m *memory) DeleteDeadLetter(_ context.Context, _, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.asides, key)
	return nil
}

type silent struct{}

func (silent) Handled(string, int) {}
func (silent) Failed(string)       {}

func deps(m *memory) feed.Deps[int] {
	return feed.Deps[int]{Source: m, Cursors: m, DeadLetters: m, Observer: silent{}}
}

// A recorder is a consumer that records its entries.
type recorder struct {
	mu   sync.Mutex
	got  []int
	fail func(v int) error // may be nil
}

func (w *recorder) handle(_ context.Context, entries []feed.Entry[int]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range entries {
		if w.fail != nil {
			if err := w.fail(e.Value); err != nil {
				return err
			}
		}
		w.got = append(w.got, e.Value)
	}
	return nil
}

func (w *recorder) last() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got[len(w.got)-1]
}

// check fails for entries that are missing, or came for the first time after a later one.
func (w *recorder) check(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	next := 1
	for _, v := range w.got {
		if v > next {
			t.Fatalf("%d came before %d: %v", v, next, w.got)
		}
		if v == next {
			next++
		}
	}
	if next <= n {
		t.Fatalf("%d of %d never came", next, n)
	}
}

func TestEveryEntryComesInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := newMemory(), &recorder{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go feed.Run(ctx, deps(m), feed.Consumer[int]{Name: "w", Batch: 3, Handle: w.handle}, &m.bell)
		synctest.Wait()
		m.append(1, 2, 3, 4, 5)
		m.append(6)
		synctest.Wait() // woken by the signal, not by polling
		w.check(t, 6)
		if len(w.got) != 6 {
			t.Errorf("told of %v", w.got)
		}
		cancel()
		synctest.Wait()
		if c := m.cursors["w"]; c.Pos != 2 || !c.Until.IsZero() {
			t.Errorf("left the cursor at %+v", c)
		}
	})
}

func TestANewConsumerBeginsWhereItSays(t *testing.T) {
	t.Parallel()
	for from, want := range map[feed.From]string{feed.Now: "[3]", feed.Beginning: "[1 2 3]"} {
		synctest.Test(t, func(t *testing.T) {
			m, w := newMemory(), &recorder{}
			m.append(1, 2)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go feed.Run(ctx, deps(m), feed.Consumer[int]{Name: "w", From: from, Handle: w.handle}, &m.bell)
			synctest.Wait()
			m.append(3)
			synctest.Wait()
			if got := fmt.Sprint(w.got); got != want {
				t.Errorf("from %d told of %s, want %s", from, got, want)
			}
		})
	}
}

// TestCrashesLoseNoEntry runs two nodes that are killed at random, and lose what they have not stored,
// with a consumer that is slow and sometimes fails.
func TestCrashesLoseNoEntry(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { killed(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func killed(t *testing.T, random *rand.Rand) {
	const total = 400
	m, w := newMemory(), &recorder{}
	faults := rand.New(rand.NewPCG(random.Uint64(), 1)) // w holds its lock while it asks
	w.fail = func(int) error {
		if faults.IntN(50) == 0 {
			return domain.Unavailable.Errorf(domain.CodeStoreUnavailable, "away")
		}
		return nil
	}
	slow := func(ctx context.Context, entries []feed.Entry[int]) error {
		time.Sleep(time.Duration(len(entries)) * 100 * time.Millisecond)
		return w.handle(ctx, entries)
	}
	c := feed.Consumer[int]{Name: "w", From: feed.Beginning, Batch: 7, Handle: slow}
	live := func() context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		d := deps(m)
		d.Cursors = &crashing{memory: m, dead: ctx}
		go feed.Run(ctx, d, c, &m.bell)
		return cancel
	}
	nodes := [2]context.CancelFunc{live(), live()}
	for v := 1; v <= total; {
		batch := []int{}
		for n := 1 + random.IntN(9); n > 0 && v <= total; n-- {
			batch = append(batch, v)
			v++
		}
		m.append(batch...)
		time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
		if random.IntN(8) == 0 {
			i := random.IntN(2)
			nodes[i]()
			nodes[i] = live()
		}
	}
	time.Sleep(time.Hour)
	nodes[0]()
	nodes[1]()
	synctest.Wait()
	w.check(t, total)
	if len(m.asides) > 0 {
		t.Errorf("set aside: %v", m.asides)
	}
}

// A crashing store accepts nothing from a killed node.
type crashing struct {
	*memory
	dead context.Context
}

func (m *crashing) AdvanceCursor(
	ctx context.Context, name, owner string, c feed.Cursor, now time.Time,
) (time.Time, bool, error) {
	if m.dead.Err() != nil {
		return time.Time{}, false, m.dead.Err()
	}
	return m.memory.AdvanceCursor(ctx, name, owner, c, now)
}

func (m *crashing) ReleaseCursor(ctx context.Context, name, owner string) error {
	if m.dead.Err() != nil {
		return m.dead.Err()
	}
	return m.memory.ReleaseCursor(ctx, name, owner)
}

func TestReusedPositionsAreNotSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := newMemory(), &recorder{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go feed.Run(ctx, deps(m), feed.Consumer[int]{Name: "w", Handle: w.handle}, &m.bell)
		synctest.Wait()
		for v := range 5 {
			m.append(v + 1)
		}
		synctest.Wait()
		m.cut(3)
		m.append(6) // at the position of 3
		synctest.Wait()
		if w.last() != 6 {
			t.Errorf("told of %v, and not of 6", w.got)
		}
	})
}

func TestAFailingEntryBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := newMemory(), &recorder{}
		var mended atomic.Bool
		w.fail = func(v int) error {
			switch {
			case v == 3 && !mended.Load():
				return errors.New("not like this")
			case v == 4 && !mended.Load():
				panic("a bug")
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go feed.Run(ctx, deps(m), feed.Consumer[int]{Name: "w", From: feed.Beginning, Handle: w.handle}, &m.bell)
		m.append(1, 2, 3)
		m.append(4)
		m.append(5)
		time.Sleep(time.Minute)
		synctest.Wait()
		if last := w.last(); last != 5 || len(m.asides) != 2 || m.asides["3"].Cause != "not like this" ||
			m.asides["4"].Cause != "panic: a bug" {
			t.Fatalf("told of %v, set aside %v", w.got, m.asides)
		}
		mended.Store(true)
		m.mu.Lock()
		m.retry = true
		m.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(m.asides) != 0 {
			t.Errorf("still aside: %v", m.asides)
		}
		if n := len(w.got); w.got[n-1]+w.got[n-2] != 7 {
			t.Errorf("not tried again: %v", w.got)
		}
	})
}

func TestAnUnavailableConsumerMakesNoDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := newMemory(), &recorder{}
		var back atomic.Bool
		w.fail = func(int) error {
			if !back.Load() {
				return domain.Unavailable.Errorf(domain.CodeStoreUnavailable, "away")
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go feed.Run(ctx, deps(m), feed.Consumer[int]{Name: "w", From: feed.Beginning, Handle: w.handle}, &m.bell)
		m.append(1)
		time.Sleep(time.Hour)
		back.Store(true)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		w.check(t, 1)
		if len(m.asides) != 0 {
			t.Errorf("set aside: %v", m.asides)
		}
	})
}

// Who waits for something to do looks again when told, and every two seconds without being told, and ends with its
// context.
func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told, begin := make(chan struct{}), time.Now()
		var yes atomic.Bool
		var ended error
		done := make(chan struct{})
		wait := func(ctx context.Context) {
			ended = feed.Await(ctx, told, func(context.Context) bool { return yes.Load() })
			done <- struct{}{}
		}
		go wait(t.Context())
		told <- struct{}{} // for nothing
		synctest.Wait()
		yes.Store(true)
		told <- struct{}{}
		if <-done; ended != nil || time.Since(begin) != 0 {
			t.Errorf("told, it ends after %v: %v", time.Since(begin), ended)
		}
		yes.Store(false)
		go wait(t.Context())
		synctest.Wait()
		yes.Store(true)
		if <-done; ended != nil || time.Since(begin) != 2*time.Second {
			t.Errorf("untold, it ends after %v: %v", time.Since(begin), ended)
		}
		yes.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		go wait(ctx)
		synctest.Wait()
		cancel()
		if <-done; !errors.Is(ended, context.Canceled) {
			t.Errorf("canceled, it ends: %v", ended)
		}
	})
}
