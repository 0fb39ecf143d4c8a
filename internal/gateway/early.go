package gateway

import (
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

const (
	earlyWait = 30 * time.Millisecond // for what comes before; then it is read from the log
	earlyMost = 256                   // events of a room
)

// early is an event that came before its turn: several nodes append to a room, and
// the news of one may overtake that of another. The log has what is missing, but a
// hot room would read it for every other event.
type early struct {
	wire.Header
	frame []byte
}

// hold keeps e until those before it have come, for a moment. The caller holds
// r.deliver.
func (r *room) hold(e early) {
	at, known := slices.BinarySearchFunc(r.early, e.Seq, func(e early, seq int64) int { return int(e.Seq - seq) })
	switch {
	case known:
	case len(r.early) == earlyMost:
		r.catchUp(e.Seq)
		r.release()
	default:
		if r.early = slices.Insert(r.early, at, e); len(r.early) == 1 {
			time.AfterFunc(earlyWait, r.overdue)
		}
	}
}

// release delivers those whose turn has come, and forgets those that were delivered
// meanwhile. The caller holds r.deliver.
func (r *room) release() {
	n := 0
	for ; n < len(r.early) && r.early[n].Seq <= r.at()+1; n++ {
		if e := r.early[n]; e.Seq > r.at() {
			r.out(e.Header, e.frame)
		}
	}
	r.early = slices.Delete(r.early, 0, n)
}

// overdue reads from the log what did not come in time.
func (r *room) overdue() {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	if r.release(); len(r.early) == 0 {
		return
	}
	if !r.catchUp(r.early[0].Seq - 1) {
		r.early = nil // the tail is compared soon
		return
	}
	if r.release(); len(r.early) > 0 {
		time.AfterFunc(earlyWait, r.overdue)
	}
}
