package store

import (
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	// longestWait is how long a write may be expected to wait for its turn: well
	// under the time in which whoever asked gives up.
	longestWait = 5 * time.Second
	// writesAtOnce bounds the writes that PostgreSQL is asked for beside messages.
	writesAtOnce = 1000
)

// load is what the writer knows of its own speed.
type load struct {
	batch   atomic.Int64            // nanoseconds of a commit, a moving average
	begun   [appenders]atomic.Int64 // when each appender's commit under way began, Unix nanoseconds; 0: none
	others  atomic.Int64            // PostgreSQL: writes under way that do not pass the writer
	refused atomic.Int64
	turned  atomic.Int64 // of the others, away
}

// begin is called when a commit begins, and what it returns when it has ended.
func (l *load) begin(appender int, now time.Time) (end func()) {
	l.begun[appender].Store(now.UnixNano())
	return func() {
		old := l.batch.Load()
		took := min(time.Since(now), longestWait) // one that is out of all proportion is no measure
		l.batch.Store(old + (int64(took)-old)/4)
		l.begun[appender].Store(0)
	}
}

// wait estimates how long a write will wait that finds so many before it. A
// commit that takes longer than commits do, since the disk hangs, counts as it
// goes on.
func (l *load) wait(before int, now time.Time) time.Duration {
	begun := l.oldest()
	if before == 0 && begun == 0 {
		return 0
	}
	batch := time.Duration(l.batch.Load())
	wait := batch * time.Duration(before/batchLength+1)
	if begun != 0 {
		wait += max(0, now.Sub(time.Unix(0, begun))-batch)
	}
	return wait
}

// oldest is when the commit began that is under way for longest; 0: none is.
func (l *load) oldest() (begun int64) {
	for i := range l.begun {
		if b := l.begun[i].Load(); b != 0 && (begun == 0 || b < begun) {
			begun = b
		}
	}
	return begun
}

func (l *load) refuse(wait time.Duration) error {
	l.refused.Add(1)
	return busy(wait)
}

func busy(wait time.Duration) error {
	return domain.Unavailable.Errorf("busy", "the server is busy; try again").After(max(wait.Round(time.Second), retryWrite))
}

// Load is what waits for the store, for the metrics.
type Load struct {
	Waiting, Limit int           // writes; on PostgreSQL messages alone
	Others         int           // PostgreSQL: other writes, which are under way
	OthersLimit    int           // 0: there are none
	Wait           time.Duration // that a write is expected to wait that comes now
	Refused        int64         // since the start
	OthersRefused  int64
}

// Load returns how busy the writer is.
func (db *DB) Load() Load {
	w := db.writer
	n := len(w.jobs)
	l := Load{Waiting: n, Limit: queueLength, Wait: w.load.wait(n, time.Now()), Refused: w.load.refused.Load()}
	if !db.dialect.oneWriter {
		l.Others, l.OthersLimit, l.OthersRefused = int(w.load.others.Load()), writesAtOnce, w.load.turned.Load()
	}
	return l
}
