package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	queueLength = 4096            // writes waiting for the writer; more are refused
	batchLength = 512             // writes in one commit
	retryWrite  = 2 * time.Second // what a refused caller is told to wait
)

// job is one write on its way: fn, or an item of a batch.
type job struct {
	*Item
	ctx   context.Context
	fn    func(ctx context.Context, t *Tx) error
	batch BatchWriter
	done  chan struct{}
	// claimed goes to whoever comes first: the writer, which then carries the job
	// out, or the caller, who no longer wants it.
	claimed atomic.Bool
}

// writer commits what is waiting, together. On SQLite it is the only writer of
// the database and takes every job; on PostgreSQL it takes items of batches alone, and
// gathers the next batch while the last one's commit is on its way.
type writer struct {
	db     *DB
	mu     sync.RWMutex // held for reading while a job is handed over
	closed bool
	jobs   chan *job
	load   load
	turn   sync.Mutex // of whoever gathers a batch, until it is written but for the commit
	ended  sync.WaitGroup
	conn   *prepared // SQLite: kept, so that a failed commit can be rolled back by hand
}

func newWriter(db *DB) *writer {
	w := &writer{db: db, jobs: make(chan *job, queueLength)}
	for i := range db.dialect.appenders {
		w.ended.Go(func() { w.run(&appender{db: db, number: i}) })
	}
	return w
}

// stop commits what is waiting and ends the writer.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.jobs)
	}
	w.mu.Unlock()
	w.ended.Wait()
}

// do waits until j is durable, or has failed. A queue that is full, or would take
// too long, is refused at once: an early no is worth more than a late one. If ctx
// ends while j waits its turn, j is not carried out. Once it has begun, do waits
// for its end: what j's function sets belongs to the caller, who must not be gone
// by then.
func (w *writer) do(ctx context.Context, j *job) error {
	j.ctx, j.done = ctx, make(chan struct{})
	if err := w.enqueue(j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return w.db.failed(j.Err)
	case <-ctx.Done():
	}
	if j.claimed.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-j.done
	return w.db.failed(j.Err)
}

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return domain.Unavailable.Errorf("stopping", "the server is stopping; try again").After(retryWrite)
	}
	wait := w.load.wait(len(w.jobs), time.Now())
	if wait > longestWait {
		return w.load.refuse(wait)
	}
	select {
	case w.jobs <- j:
		return nil
	default:
		return w.load.refuse(wait)
	}
}

func (w *writer) run(a *appender) {
	defer a.close(nil)
	batch := make([]*job, 0, batchLength)
	for {
		w.turn.Lock()
		next := sync.OnceFunc(w.turn.Unlock)
		if batch = w.gather(batch[:0]); len(batch) > 0 {
			w.commit(a, batch, next)
		}
		next()
		if len(batch) == 0 {
			break
		}
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// gather waits for a job, and takes all that wait with it. None means that the
// writer was stopped.
func (w *writer) gather(batch []*job) []*job {
	j, ok := <-w.jobs
	for ok {
		if batch = append(batch, j); len(batch) == batchLength {
			break
		}
		select {
		case j, ok = <-w.jobs:
		default:
			return batch
		}
	}
	return batch
}

// commit carries the batch out in one transaction, and tells each job how it
// went. A job that fails takes no other with it. next is called once another
// batch may begin.
func (w *writer) commit(a *appender, batch []*job, next func()) {
	live := batch[:0]
	for _, j := range batch {
		if j.claimed.CompareAndSwap(false, true) {
			live = append(live, j)
		}
	}
	if len(live) == 0 {
		return
	}
	ctx := context.Background()
	defer w.load.begin(a.number, time.Now())()
	if w.db.dialect.oneWriter {
		w.finish(live, w.transact(ctx, live))
		return
	}
	for _, jobs := range byBatch(live) {
		w.append(ctx, a, jobs, next)
	}
}

// append carries out jobs of one batch on PostgreSQL.
func (w *writer) append(ctx context.Context, a *appender, jobs []*job, written func()) {
	b := jobs[0].batch
	err := a.append(ctx, b, itemsOf(jobs), written)
	if err == nil || len(jobs) == 1 || a.conn == nil {
		w.finish(jobs, err)
		return
	}
	for _, j := range jobs { // one bad statement ends the transaction: find the bad job
		one := []*job{j}
		w.finish(one, a.append(ctx, b, itemsOf(one), written))
	}
}

// byBatch returns the items of jobs by the batch that they belong to.
func byBatch(jobs []*job) [][]*job {
	var groups [][]*job
	for _, j := range jobs {
		i := slices.IndexFunc(groups, func(g []*job) bool { return g[0].batch == j.batch })
		if i < 0 {
			i, groups = len(groups), append(groups, nil)
		}
		groups[i] = append(groups[i], j)
	}
	return groups
}

func itemsOf(jobs []*job) []*Item {
	items := make([]*Item, len(jobs))
	for i, j := range jobs {
		items[i] = j.Item
	}
	return items
}

func (w *writer) finish(jobs []*job, err error) {
	var events []domain.Event
	for _, j := range jobs {
		if err != nil {
			j.Err = err
		}
		if j.Err == nil {
			events = append(events, j.Events...)
		}
	}
	w.db.committed(events)
	for _, j := range jobs {
		close(j.done)
	}
}

// transact runs jobs and commits. An error means that nothing was kept, or that it was
// kept in a file that nobody will find again.
func (w *writer) transact(ctx context.Context, jobs []*job) error {
	conn, err := w.connection(ctx)
	if err == nil {
		err = w.db.guard.check()
	}
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.drop(ctx)
		return err
	}
	err = w.runAll(ctx, conn, jobs)
	if err == nil && w.db.verify {
		err = w.tx(conn).verify(ctx)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		w.drop(ctx)
		return err
	}
	return w.db.guard.check()
}

// runAll runs each job in a savepoint of its own, and the items of a batch in one.
func (w *writer) runAll(ctx context.Context, conn *prepared, jobs []*job) error {
	var batched []*job
	for _, j := range jobs {
		if j.batch != nil {
			batched = append(batched, j)
			continue
		}
		if err := w.inSavepoint(ctx, conn, j.Item, func(t *Tx) error { return j.fn(context.WithoutCancel(j.ctx), t) }); err != nil {
			return err
		}
	}
	for _, group := range byBatch(batched) {
		if err := w.runBatch(ctx, conn, group[0].batch, itemsOf(group), len(group) == len(jobs)); err != nil {
			return err
		}
	}
	return nil
}

// runBatch writes items, which are alone in the transaction or not.
func (w *writer) runBatch(ctx context.Context, conn *prepared, b BatchWriter, items []*Item, alone bool) error {
	for _, again := range []bool{false, true} {
		fn := func(t *Tx) error { return b.WriteBatch(ctx, t, items, again) }
		if whole, err := w.runWhole(ctx, conn, fn, alone); whole || err != nil {
			return err
		}
	}
	for _, item := range items { // one of them is bad: find it
		fn := func(t *Tx) error { return b.WriteBatch(ctx, t, []*Item{item}, true) }
		if err := w.inSavepoint(ctx, conn, item, fn); err != nil {
			return err
		}
	}
	return nil
}

// runWhole writes all items of a batch, or none of them, and reports which. If they
// are alone, the transaction takes the place of a savepoint, which would copy what it
// may have to undo.
func (w *writer) runWhole(ctx context.Context, conn *prepared, fn func(*Tx) error, alone bool) (bool, error) {
	if !alone {
		all := &Item{}
		err := w.inSavepoint(ctx, conn, all, fn)
		return all.Err == nil, err
	}
	err := fn(w.tx(conn))
	if err == nil {
		return true, nil
	}
	conn.cache.kept = nil
	for _, query := range []string{"ROLLBACK", "BEGIN IMMEDIATE"} {
		if _, failed := conn.ExecContext(ctx, query); failed != nil {
			return false, errors.Join(err, failed)
		}
	}
	return false, nil
}

func (w *writer) tx(conn *prepared) *Tx {
	return &Tx{querier: conn, d: w.db.dialect, cache: &conn.cache}
}

// inSavepoint runs fn; if it fails, item takes the error and the transaction goes
// on without it. An error of inSavepoint itself means that the transaction is
// lost.
func (w *writer) inSavepoint(ctx context.Context, conn *prepared, item *Item, fn func(*Tx) error) error {
	if _, err := conn.ExecContext(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	t := w.tx(conn)
	if err := fn(t); err != nil {
		item.Err, item.Events = err, nil
		conn.cache.kept = nil
		if _, err := conn.ExecContext(ctx, "ROLLBACK TO job"); err != nil {
			return errors.Join(item.Err, err)
		}
	} else if t.events != nil {
		item.Events = t.events
	}
	_, err := conn.ExecContext(ctx, "RELEASE job")
	return err
}

// connection returns the writer's connection, made anew after a failure.
func (w *writer) connection(ctx context.Context) (*prepared, error) {
	if w.conn == nil {
		conn, err := w.db.write1.Conn(ctx)
		if err != nil {
			return nil, err
		}
		w.conn = prepare(conn)
		w.db.guard.reopened()
	}
	return w.conn, nil
}

// drop rolls back what is open and takes a fresh connection for the next batch.
func (w *writer) drop(ctx context.Context) {
	// SQLite has rolled back by itself after a full disk, and then says so.
	if _, err := w.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		w.db.log.Debug("rollback", "err", err)
	}
	_ = w.conn.Close()
	w.conn = nil
}
