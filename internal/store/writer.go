package store

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

const (
	queueLength = 4096            // writes waiting for the writer; more are refused
	batchLength = 512             // writes in one commit
	retryWrite  = 2 * time.Second // what a refused caller is told to wait
)

// job is one queued write: fn, or an item of a batch.
type job struct {
	*Item
	ctx         context.Context
	fn          func(ctx context.Context, t *Tx) error
	batchWriter BatchWriter
	done        chan struct{}
	// claimed is set once: by the writer, which then executes the job, or by the caller, who
	// thereby cancels it.
	claimed atomic.Bool
}

// writer implements group commit: it executes all waiting jobs in one transaction. On SQLite
// every write of the server passes it. On PostgreSQL only items of batches do, and it gathers
// the next batch while the previous one commits; there each Lane has a writer as well.
type writer struct {
	db       *DB
	mu       sync.RWMutex // guards closed; held for reading while a job is queued
	closed   bool
	jobs     chan *job
	load     load
	gatherMu sync.Mutex // held from gathering a batch until only its commit is outstanding
	wg       sync.WaitGroup
	conn     *preparedConn // SQLite: one connection, so that a failed commit can be rolled back explicitly
}

func newWriter(db *DB) *writer {
	w := &writer{db: db, jobs: make(chan *job, queueLength)}
	for i := range db.dialect.appenders {
		w.wg.Go(func() { w.run(&appender{db: db, number: i}) })
	}
	return w
}

// stop executes all queued jobs and ends the writer.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.jobs)
	}
	w.mu.Unlock()
	w.wg.Wait()
}

// submit queues j and waits until it is committed or has failed. If the queue is full, or the
// expected wait is too long, it returns an unavailable error at once. If ctx ends while j is
// queued, j is not executed. Once j has begun, submit waits for its end even if ctx ends: the
// function of j writes to variables of the caller.
func (w *writer) submit(ctx context.Context, j *job) error {
	j.ctx, j.done = ctx, make(chan struct{})
	if err := w.enqueue(j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return w.db.classifyWriteError(j.Err)
	case <-ctx.Done():
	}
	if j.claimed.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-j.done
	return w.db.classifyWriteError(j.Err)
}

func (w *writer) enqueue(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return domain.Unavailable.Errorf(domain.CodeStopping, "the server is stopping; try again").After(retryWrite)
	}
	wait := w.load.expectedWait(len(w.jobs), time.Now())
	if wait > maxExpectedWait {
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
		w.gatherMu.Lock()
		next := sync.OnceFunc(w.gatherMu.Unlock)
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

// gather waits for a job and takes all others that are queued, up to batchLength. It returns
// none once the writer is stopped. With a single appender it first lets run whoever can: callers
// whom the last commit has woken queue their next job then, and one commit takes many of them.
// Several appenders work while others commit, and gain nothing by larger batches.
func (w *writer) gather(batch []*job) []*job {
	j, ok := <-w.jobs
	if w.db.SingleWriter() {
		runtime.Gosched()
	}
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

// commit executes the batch in one transaction and finishes each job with its own result: a
// job that fails does not affect the others. It calls next when another batch may begin.
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
	defer w.load.startCommit(a.number, time.Now())()
	if w.db.dialect.singleWriter {
		span := commitSpan(live)
		err := w.transact(ctx, live)
		span.End(err)
		w.finish(live, err)
		return
	}
	for _, jobs := range groupByBatchWriter(live) {
		w.runPipeline(ctx, a, jobs, next)
	}
}

// runPipeline executes jobs of one BatchWriter on PostgreSQL.
func (w *writer) runPipeline(ctx context.Context, a *appender, jobs []*job, written func()) {
	b := jobs[0].batchWriter
	span := commitSpan(jobs)
	err := a.append(ctx, b, itemsOf(jobs), written)
	span.End(err)
	if err == nil || len(jobs) == 1 || a.conn == nil {
		w.finish(jobs, err)
		return
	}
	for _, j := range jobs { // one bad statement ends the transaction: find the bad job
		one := []*job{j}
		w.finish(one, a.append(ctx, b, itemsOf(one), written))
	}
}

// groupByBatchWriter splits jobs by their BatchWriter.
func groupByBatchWriter(jobs []*job) [][]*job {
	var groups [][]*job
	for _, j := range jobs {
		i := slices.IndexFunc(groups, func(g []*job) bool { return g[0].batchWriter == j.batchWriter })
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
			w.load.committed.Add(1)
		}
	}
	w.db.notifyCommit(events)
	for _, j := range jobs {
		close(j.done)
	}
}

// commitSpan begins the span of a commit, if a job of it is traced.
func commitSpan(jobs []*job) trace.Span {
	return trace.StartBatch("store.commit", len(jobs), func(i int) context.Context { return jobs[i].ctx })
}

// transact runs jobs in one transaction. An error means that nothing was committed, or that
// it was committed to a file that has been removed or replaced.
func (w *writer) transact(ctx context.Context, jobs []*job) error {
	conn, err := w.connection(ctx)
	if err == nil && !w.db.guard.intact() {
		err = w.db.guard.check()
	}
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		w.resetConn(ctx)
		return err
	}
	err = w.runAll(ctx, conn, jobs)
	if err == nil && w.db.verify {
		err = w.newTx(conn).verify(ctx)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		w.resetConn(ctx)
		return err
	}
	return w.db.guard.check()
}

// runAll runs each job in a savepoint of its own, and all items of one BatchWriter in one
// savepoint.
func (w *writer) runAll(ctx context.Context, conn *preparedConn, jobs []*job) error {
	var batched []*job
	for _, j := range jobs {
		if j.batchWriter != nil {
			batched = append(batched, j)
			continue
		}
		if err := w.inSavepoint(ctx, conn, j.Item,
			func(t *Tx) error { return j.fn(context.WithoutCancel(j.ctx), t) }); err != nil {
			return err
		}
	}
	for _, group := range groupByBatchWriter(batched) {
		if err := w.runBatch(ctx, conn, group[0].batchWriter, itemsOf(group), len(group) == len(jobs)); err != nil {
			return err
		}
	}
	return nil
}

// runBatch writes items. sole says that they are the whole transaction.
func (w *writer) runBatch(ctx context.Context, conn *preparedConn, b BatchWriter, items []*Item, sole bool) error {
	for _, retry := range []bool{false, true} {
		fn := func(t *Tx) error { return b.WriteBatch(ctx, t, items, retry) }
		if whole, err := w.runAllOrNone(ctx, conn, fn, sole); whole || err != nil {
			return err
		}
	}
	for _, item := range items { // one of them makes the batch fail: run them separately
		fn := func(t *Tx) error { return b.WriteBatch(ctx, t, []*Item{item}, true) }
		if err := w.inSavepoint(ctx, conn, item, fn); err != nil {
			return err
		}
	}
	return nil
}

// runAllOrNone writes all items of a batch, or none of them, and reports which. If they are
// the whole transaction it uses no savepoint, which would cost copies of the changed pages: it
// rolls the transaction back instead.
func (w *writer) runAllOrNone(ctx context.Context, conn *preparedConn, fn func(*Tx) error, sole bool) (bool, error) {
	if !sole {
		all := &Item{}
		err := w.inSavepoint(ctx, conn, all, fn)
		return all.Err == nil, err
	}
	err := fn(w.newTx(conn))
	if err == nil {
		return true, nil
	}
	conn.cache.value = nil
	for _, query := range []string{"ROLLBACK", "BEGIN IMMEDIATE"} {
		if _, failed := conn.ExecContext(ctx, query); failed != nil {
			return false, errors.Join(err, failed)
		}
	}
	return false, nil
}

func (w *writer) newTx(conn *preparedConn) *Tx {
	return &Tx{querier: conn, d: w.db.dialect, cache: &conn.cache}
}

// inSavepoint runs fn in a savepoint. If fn fails, inSavepoint sets Item.Err, rolls back to the
// savepoint and returns nil. It returns an error only if the whole transaction is lost.
func (w *writer) inSavepoint(ctx context.Context, conn *preparedConn, item *Item, fn func(*Tx) error) error {
	if _, err := conn.ExecContext(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	t := w.newTx(conn)
	if err := fn(t); err != nil {
		item.Err, item.Events = err, nil
		conn.cache.value = nil
		if _, err := conn.ExecContext(ctx, "ROLLBACK TO job"); err != nil {
			return errors.Join(item.Err, err)
		}
	} else if t.events != nil {
		item.Events = t.events
	}
	_, err := conn.ExecContext(ctx, "RELEASE job")
	return err
}

// connection returns the writer's connection, and opens it if there is none.
func (w *writer) connection(ctx context.Context) (*preparedConn, error) {
	if w.conn == nil {
		conn, err := w.db.writeDB.Conn(ctx)
		if err != nil {
			return nil, err
		}
		w.conn = newPreparedConn(conn)
		w.db.guard.reopened()
	}
	return w.conn, nil
}

// resetConn rolls the open transaction back and closes the connection. The next batch opens
// another one.
func (w *writer) resetConn(ctx context.Context) {
	// SQLite has rolled back by itself after a full disk, and then says so.
	if _, err := w.conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		w.db.log.DebugContext(ctx, "rollback", "err", err)
	}
	_ = w.conn.Close()
	w.conn = nil
}
