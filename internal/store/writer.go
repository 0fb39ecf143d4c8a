package store

import (
	"context"
	"database/sql"
	"errors"
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

// querier is a connection or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tx is a write in progress, with the events that it appended.
type tx struct {
	querier
	d      *dialect
	kept   *kept // SQLite
	events []domain.Event
}

// job is one write on its way: either fn or one message to append.
type job struct {
	ctx    context.Context
	fn     func(ctx context.Context, t *tx) error
	append *appending
	events []domain.Event
	err    error
	done   chan struct{}
	// claimed goes to whoever comes first: the writer, which then carries the job
	// out, or the caller, who no longer wants it.
	claimed atomic.Bool
}

// writer commits what is waiting, together. On SQLite it is the only writer of
// the database and takes every job; on PostgreSQL it takes messages alone, and
// gathers the next lot while the last one's commit is on its way.
type writer struct {
	db     *DB
	mu     sync.RWMutex // held for reading while a job is handed over
	closed bool
	jobs   chan *job
	load   load
	turn   sync.Mutex // of whoever gathers a lot, until it is written but for the commit
	ended  sync.WaitGroup
	conn   *prepared // SQLite: kept, so that a failed commit can be rolled back by hand
}

func newWriter(db *DB) *writer {
	w := &writer{db: db, jobs: make(chan *job, queueLength)}
	n := 1
	if db.dialect == postgres {
		n = lanes
	}
	for i := range n {
		w.ended.Go(func() { w.run(&lane{db: db, number: i}) })
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
		return w.db.failed(j.err)
	case <-ctx.Done():
	}
	if j.claimed.CompareAndSwap(false, true) {
		return ctx.Err()
	}
	<-j.done
	return w.db.failed(j.err)
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

func (w *writer) run(l *lane) {
	defer l.close(nil)
	batch := make([]*job, 0, batchLength)
	for {
		w.turn.Lock()
		next := sync.OnceFunc(w.turn.Unlock)
		if batch = w.gather(batch[:0]); len(batch) > 0 {
			w.commit(l, batch, next)
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
func (w *writer) commit(l *lane, batch []*job, next func()) {
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
	defer w.load.begin(l.number, time.Now())()
	if w.db.dialect == sqlite {
		w.finish(live, w.transact(ctx, live))
		return
	}
	err := l.append(ctx, live, next)
	if err == nil || len(live) == 1 || l.conn == nil {
		w.finish(live, err)
		return
	}
	for _, j := range live { // one bad statement ends the transaction: find the bad job
		one := []*job{j}
		w.finish(one, l.append(ctx, one, next))
	}
}

func (w *writer) finish(jobs []*job, err error) {
	var events []domain.Event
	for _, j := range jobs {
		if err != nil {
			j.err = err
		}
		if j.err == nil {
			events = append(events, j.events...)
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
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		w.drop(ctx)
		return err
	}
	return w.db.guard.check()
}

// runAll runs each job in a savepoint of its own, and all messages in one.
func (w *writer) runAll(ctx context.Context, conn *prepared, jobs []*job) error {
	var appends []*job
	for _, j := range jobs {
		if j.append != nil {
			appends = append(appends, j)
			continue
		}
		if err := w.inSavepoint(ctx, conn, j, func(t *tx) error { return j.fn(context.WithoutCancel(j.ctx), t) }); err != nil {
			return err
		}
	}
	if len(appends) == 0 {
		return nil
	}
	for _, keyed := range []bool{false, true} { // the second time, as one may have a key that is there
		if whole, err := w.appendWhole(ctx, conn, appends, keyed, len(appends) == len(jobs)); whole || err != nil {
			return err
		}
	}
	for _, j := range appends { // one of them is bad: find it
		if err := w.inSavepoint(ctx, conn, j, func(t *tx) error { return t.appendAll(ctx, []*job{j}, true) }); err != nil {
			return err
		}
	}
	return nil
}

// appendWhole appends all messages of a batch, or none of them, and reports
// which. If they are alone in it, the transaction takes the place of a savepoint,
// which would copy what it may have to undo.
func (w *writer) appendWhole(ctx context.Context, conn *prepared, jobs []*job, keyed, alone bool) (bool, error) {
	fn := func(t *tx) error { return t.appendAll(ctx, jobs, keyed) }
	if !alone {
		all := &job{}
		err := w.inSavepoint(ctx, conn, all, fn)
		return all.err == nil, err
	}
	err := fn(w.tx(conn))
	if err == nil {
		return true, nil
	}
	conn.kept.forget()
	for _, query := range []string{"ROLLBACK", "BEGIN IMMEDIATE"} {
		if _, failed := conn.ExecContext(ctx, query); failed != nil {
			return false, errors.Join(err, failed)
		}
	}
	return false, nil
}

func (w *writer) tx(conn *prepared) *tx {
	return &tx{querier: conn, d: w.db.dialect, kept: &conn.kept}
}

// inSavepoint runs fn; if it fails, j takes the error and the transaction goes
// on without it. An error of inSavepoint itself means that the transaction is
// lost.
func (w *writer) inSavepoint(ctx context.Context, conn *prepared, j *job, fn func(*tx) error) error {
	if _, err := conn.ExecContext(ctx, "SAVEPOINT job"); err != nil {
		return err
	}
	t := w.tx(conn)
	if err := fn(t); err != nil {
		j.err, j.events = err, nil
		conn.kept.forget()
		if _, err := conn.ExecContext(ctx, "ROLLBACK TO job"); err != nil {
			return errors.Join(j.err, err)
		}
	} else if t.events != nil {
		j.events = t.events
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

// inTx runs fn in a transaction of PostgreSQL.
func (db *DB) inTx(ctx context.Context, fn func(*tx) error) error {
	stx, err := db.write1.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(&tx{querier: stx, d: db.dialect}); err != nil {
		_ = stx.Rollback()
		return err
	}
	return stx.Commit()
}

// write runs fn in a transaction and returns when it is durable. fn may run
// more than once, and so must not keep what it found unless it succeeds. If ctx
// ends before its turn, it is not run.
func (db *DB) write(ctx context.Context, fn func(ctx context.Context, t *tx) error) error {
	if db.dialect == sqlite {
		return db.writer.do(ctx, &job{fn: fn})
	}
	l := &db.writer.load
	defer l.others.Add(-1)
	if l.others.Add(1) > writesAtOnce {
		l.turned.Add(1)
		return busy(0)
	}
	within, cancel := db.pool.patient(ctx, writePatience)
	defer cancel()
	for attempt := 0; ; attempt++ {
		var events []domain.Event
		err := db.inTx(within, func(t *tx) error {
			err := fn(within, t)
			events = t.events
			return err
		})
		if err == nil {
			db.committed(events)
			return nil
		}
		if within.Err() != nil && ctx.Err() == nil {
			return unavailable(err)
		}
		if attempt == 5 || !db.dialect.retry(err) {
			return db.failed(err)
		}
	}
}
