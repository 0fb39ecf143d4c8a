package store

import (
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	// maxExpectedWait is the longest estimated wait with which a write is still accepted.
	// It is well below the timeout of a request.
	maxExpectedWait = 5 * time.Second
	// maxTransactions bounds the concurrent write transactions on PostgreSQL. Batches of
	// messages are not among them.
	maxTransactions = 1000
)

// load measures the writer.
type load struct {
	commitTime          atomic.Int64            // duration of a commit in nanoseconds, a moving average
	commitStarted       [appenders]atomic.Int64 // start of each appender's running commit, Unix nanoseconds; 0: none
	transactions        atomic.Int64            // PostgreSQL: running write transactions outside the writer
	refused             atomic.Int64
	transactionsRefused atomic.Int64 // since the start
	committed           atomic.Int64 // writes, since the start
}

// startCommit records the start of a commit. The caller calls end when the commit has ended.
func (l *load) startCommit(appender int, now time.Time) (end func()) {
	l.commitStarted[appender].Store(now.UnixNano())
	return func() {
		old := l.commitTime.Load()
		took := min(time.Since(now), maxExpectedWait) // an outlier must not dominate the average
		l.commitTime.Store(old + (int64(took)-old)/4)
		l.commitStarted[appender].Store(0)
	}
}

// expectedWait estimates how long a new write waits if `before` writes are queued. If the
// running commit takes longer than the average (the disk hangs), the excess is added.
func (l *load) expectedWait(before int, now time.Time) time.Duration {
	begun := l.oldestCommit()
	if before == 0 && begun == 0 {
		return 0
	}
	batch := time.Duration(l.commitTime.Load())
	wait := batch * time.Duration(before/batchLength+1)
	if begun != 0 {
		wait += max(0, now.Sub(time.Unix(0, begun))-batch)
	}
	return wait
}

// oldestCommit returns the start of the commit that has been running longest; 0: none is
// running.
func (l *load) oldestCommit() (begun int64) {
	for i := range l.commitStarted {
		if b := l.commitStarted[i].Load(); b != 0 && (begun == 0 || b < begun) {
			begun = b
		}
	}
	return begun
}

func (l *load) refuse(wait time.Duration) error {
	l.refused.Add(1)
	return errBusy(wait)
}

func errBusy(wait time.Duration) error {
	return domain.Unavailable.Errorf(domain.CodeBusy,
		"the server is busy; try again").After(max(wait.Round(time.Second), retryWrite))
}

// Load describes the queues of the store, for the metrics.
type Load struct {
	Waiting, Limit      int           // queued writes; on PostgreSQL only messages
	Transactions        int           // PostgreSQL: running write transactions
	TransactionsLimit   int           // 0 on SQLite, which has no separate transactions
	Wait                time.Duration // estimated wait of a write that arrives now
	Refused             int64         // since the start
	TransactionsRefused int64
	Committed           int64 // writes, since the start; several may share a transaction
}

// Load returns how busy the writer is.
func (db *DB) Load() Load {
	w := db.writer
	n := len(w.jobs)
	l := Load{Waiting: n, Limit: queueLength, Wait: w.load.expectedWait(n, time.Now()), Refused: w.load.refused.Load(),
		Committed: w.load.committed.Load()}
	if !db.dialect.singleWriter {
		l.Transactions, l.TransactionsLimit, l.TransactionsRefused = int(w.load.transactions.Load()), maxTransactions,
			w.load.transactionsRefused.Load()
	}
	return l
}
