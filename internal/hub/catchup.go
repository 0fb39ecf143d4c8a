package hub

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// catchUp is the reading of what a room has missed from its log. Meanwhile the
// room delivers what comes in its order, and keeps what comes early.
type catchUp struct {
	head int64         // how far at least; under the room's deliver
	done chan struct{} // closed at the end
	err  error         // set before done is closed
}

// catchUp has the log read, at least as far as head. The caller holds r.deliver.
func (r *room) catchUp(head int64) *catchUp {
	if r.catching == nil {
		r.catching = &catchUp{done: make(chan struct{})}
		r.hub.reads.add(r)
	}
	r.catching.head = max(r.catching.head, head)
	return r.catching
}

// read reads one page of the log, and delivers what is next of it. If that is not
// enough, the room queues up again behind others.
func (r *room) read() {
	r.deliver.Lock()
	after, head := r.delivered(), r.catching.head
	r.deliver.Unlock()
	var page []event
	var err error
	if after < head {
		page, err = r.replay(after)
	}
	r.deliver.Lock()
	defer r.deliver.Unlock()
	if err != nil {
		r.pending = nil // the log has them, and is compared soon
		r.caughtUp(err)
		return
	}
	if first := r.delivered() + 1; first <= head && (len(page) == 0 || page[0].Seq > first) {
		r.reset(head)
	}
	for _, e := range page {
		if e.Seq == r.delivered()+1 {
			r.send(e)
			r.hub.metrics.gaps.Inc()
		}
	}
	r.release()
	if r.delivered() < r.catching.head {
		r.hub.reads.add(r)
		return
	}
	r.caughtUp(nil)
	if len(r.pending) > 0 {
		r.wait()
	}
}

// replay returns the events after a number, as many as one question may ask for.
func (r *room) replay(after int64) ([]event, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	logged, err := r.hub.RoomLog.Replay(ctx, domain.WholeLog(r.id), after, domain.MaxReplay)
	if err != nil {
		r.hub.Log.WarnContext(ctx, "cannot read what a room missed; will try again",
			"room", r.id, "after", after, "err", err)
		return nil, err
	}
	page := make([]event, len(logged))
	for i, e := range logged {
		payload, err := wire.EncodeEvent(e)
		if err != nil {
			r.hub.Log.ErrorContext(ctx, "event that cannot be encoded", "room", r.id, "seq", e.Seq, "err", err)
			return nil, err
		}
		page[i] = event{wire.HeaderOf(e), payload}
	}
	return page, nil
}

// caughtUp ends the reading. The caller holds r.deliver.
func (r *room) caughtUp(err error) {
	r.catching.err = err
	close(r.catching.done)
	r.catching = nil
}

// behind starts a catch-up, if the room has not delivered the event head yet, and
// returns it.
func (r *room) behind(head int64) *catchUp {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	if last := r.delivered(); last == unknown || head <= last {
		return nil
	}
	return r.catchUp(head)
}

// wait waits until c has ended.
func (c *catchUp) wait(ctx context.Context) error {
	if c == nil {
		return nil
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// CatchUp returns once the members of a room have been offered all events up to
// head, and whoever left by one of them has been removed.
func (h *Hub) CatchUp(ctx context.Context, room string, head int64) error {
	r := h.rooms.get(room)
	if r == nil {
		return nil
	}
	return r.behind(head).wait(ctx)
}

// CatchUpAll returns once the members of all rooms have been offered all events
// that were in the log when it was called, or ctx has ended.
func (h *Hub) CatchUpAll(ctx context.Context) {
	for _, c := range h.compare(ctx, h.rooms.all()) {
		_ = c.wait(ctx)
	}
}
