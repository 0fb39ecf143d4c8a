package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// device is a virtual device.
type device struct {
	f     *Fleet
	plan  Plan
	who   Identity
	boots uint64 // so many power cuts

	memory *memory
	unit   *unit // nil: it is not updated

	mu     sync.Mutex // of what follows; plant is also changed by commands
	plant  plant
	clock  clock
	away   bool          // no connection is possible: the network or the power is gone
	nap    time.Duration // the device wants to sleep for so long
	moved  chan struct{} // closed when away changes
	napped chan struct{} // has an entry if a nap begins
	cut    func()        // ends the connection; nil: there is none

	delay    atomic.Int64 // of each write, nanoseconds
	hole     atomic.Bool
	cutPower atomic.Bool // it was without power since the last connection
}

func (f *Fleet) newDevice(who Identity, p Plan) *device {
	d := &device{f: f, plan: p, who: who, plant: newPlant(p.Kind, p.values), moved: make(chan struct{}),
		napped: make(chan struct{}, 1), clock: clock{start: f.o.Start, ahead: p.Ahead, drift: p.Drift}}
	d.memory = newMemory(f.o.Buffer, d.boot())
	return d
}

// boot names a boot of the device. It is never used again, also by a later fleet with the same seed.
func (d *device) boot() uint64 { return uint64(d.f.began.UnixMilli())<<9 | d.boots&511 }

// measureAll is what the device does without a network: it measures, step by step, and suffers
// what its plan has for it.
func (d *device) measureAll(ctx context.Context) {
	o := &d.f.o
	for n := -int(o.History / o.step()); n < 0; n++ {
		d.measure(o.Start.Add(time.Duration(n) * o.step()))
	}
	at := o.Start.Add(time.Duration(d.plan.Phase * float64(o.Every)))
	m, suffers := d.plan.next(Mishap{}), false
	halted := false
	for n := 0; (o.Steps == 0 || n < o.Steps) && !halted; n++ {
		select {
		case <-ctx.Done():
			return
		case <-d.f.halt:
			halted = true
			continue
		case <-time.After(time.Until(at)):
		}
		switch {
		case d.plan.Conduct != Troubled:
		case n == m.From:
			d.suffer(m, at)
			suffers = true
		case n == m.To:
			d.recover(m)
			m, suffers = d.plan.next(m), false
		}
		if !suffers || m.Fault != PowerCut {
			d.measure(at)
		}
		at = at.Add(o.Every)
	}
	if suffers {
		d.recover(m) // and sends what it has
	}
}

// measure keeps what the device measures at a time.
func (d *device) measure(at time.Time) {
	d.mu.Lock()
	values := d.plant.measure(at, d.plan.values)
	shown := d.clock.read(at)
	d.mu.Unlock()
	item := wire.ReportItem{At: shown.UTC().Truncate(time.Millisecond), Readings: encode(values)}
	if d.plan.Conduct == Wrong {
		spoil(&item, d.plan.values)
	}
	d.f.stats.measured.Add(1)
	d.memory.add(item)
}

// suffer begins a mishap.
func (d *device) suffer(m Mishap, at time.Time) {
	d.f.stats.faults.Add(1)
	switch m.Fault {
	case Outage, PowerCut:
		d.setAway(true)
	case Hole:
		d.hole.Store(true)
	case Slow:
		d.delay.Store(int64(100*time.Millisecond) + int64(m.To*7919%19)*int64(100*time.Millisecond))
	case Nap:
		d.mu.Lock()
		d.nap = time.Duration(m.To-m.From) * d.f.o.Every
		d.mu.Unlock()
		select {
		case d.napped <- struct{}{}:
		default:
		}
	}
	if m.Fault == PowerCut && !d.plan.Clock {
		d.mu.Lock()
		d.clock.unset = at.Add(time.Duration(m.To-m.From) * d.f.o.Every)
		d.mu.Unlock()
	}
}

// recover ends a mishap.
func (d *device) recover(m Mishap) {
	switch m.Fault {
	case PowerCut:
		d.boots++
		d.memory.restart(d.boot(), d.plan.Flash)
		d.cutPower.Store(true)
	case Hole:
		d.setAway(true) // who gets no answer connects anew
		d.hole.Store(false)
	}
	d.delay.Store(0)
	d.setAway(false)
}

// serve works on a connection until it ends.
func (d *device) serve(ctx context.Context, l link) error {
	defer context.AfterFunc(ctx, l.close)()
	if err := l.describe(d.plant.capabilities()); err != nil {
		return err
	}
	if hear := d.f.o.OnConnected; hear != nil {
		hear(d.who.ID)
	}
	alive := time.NewTicker(KeepAlive / 2)
	defer alive.Stop()
	for {
		if err := d.settle(ctx, l); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ended():
			return errEnded
		case c := <-l.orders():
			d.carryOut(c)
		case r := <-l.refused():
			d.f.stats.refuse(r.Reason)
		case <-d.napped:
			if err := d.sleep(ctx, l); err != nil {
				return err
			}
		case <-d.memory.more:
		case <-alive.C:
			if err := l.ping(); err != nil {
				return err
			}
		}
	}
}

const oldAfter = 2 * time.Minute // a report that is older is history

var set = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) // a clock that shows less was never set

// settle tells the server what it does not know: what became of commands, and reports.
func (d *device) settle(ctx context.Context, l link) error {
	for {
		if err := d.answer(ctx, l); err != nil {
			return err
		}
		if len(l.orders()) > 0 {
			return nil
		}
		boot, items := d.memory.head()
		if len(items) == 0 {
			return nil
		}
		for i := range items {
			items[i].Old = items[i].At.After(set) && time.Since(items[i].At) > oldAfter
		}
		began := time.Now()
		err := l.report(wire.Report{Boot: &boot, Reports: items})
		var refused *no
		switch {
		case err == nil:
			d.acknowledged(boot, items, time.Since(began))
		case errors.As(err, &refused) && refused.final:
			d.f.stats.refuse("a whole report: " + refused.text)
			d.memory.drop(boot, items)
		default:
			if err := d.insist(ctx, err); err != nil {
				return err
			}
		}
	}
}

// answer tells the server what became of commands, until it knows of all.
func (d *device) answer(ctx context.Context, l link) error {
	for owed := d.memory.owed(); len(owed) > 0; owed = d.memory.owed() {
		err := l.answer(owed[0])
		if err := d.insist(ctx, err); err != nil {
			return err
		}
		var refused *no
		if !errors.As(err, &refused) || refused.final {
			d.memory.told(owed[0].ID)
		}
	}
	return nil
}

func (d *device) acknowledged(boot uint64, items []wire.ReportItem, took time.Duration) {
	d.memory.drop(boot, items)
	d.f.stats.acknowledge(items, took)
	if hear := d.f.o.OnAcknowledged; hear != nil {
		for _, item := range items {
			hear(d.who.ID, boot, item)
		}
	}
}

// insist waits if the server asks for that. It returns errors that end the connection.
func (d *device) insist(ctx context.Context, err error) error {
	var refused *no
	if !errors.As(err, &refused) {
		return err
	}
	d.f.stats.refuse(refused.text)
	if refused.final {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(max(refused.after, 200*time.Millisecond)):
		return nil
	}
}

// sleep says goodbye, and stays away for the time of the nap.
func (d *device) sleep(ctx context.Context, l link) error {
	d.mu.Lock()
	nap := d.nap
	d.mu.Unlock()
	if err := l.bye(max(nap, time.Second)); err != nil {
		return err
	}
	l.close()
	select {
	case <-ctx.Done():
	case <-time.After(nap):
	}
	return errEnded
}

// carryOut obeys a command, once: that it begins is remembered before.
func (d *device) carryOut(c wire.Command) {
	if d.memory.begin(wire.CommandReport{ID: c.ID, State: string(domain.CommandFailed),
		Error: "the device lost its power"}) {
		return // its answer is told again
	}
	if hear := d.f.o.OnCommand; hear != nil {
		hear(d.who.ID, c)
	}
	var args map[string]any
	err := json.Unmarshal(orEmpty(c.Args), &args)
	if err == nil {
		d.mu.Lock()
		err = d.plant.obey(c.Action, args)
		d.mu.Unlock()
	}
	answer := wire.CommandReport{ID: c.ID, State: string(domain.CommandDone)}
	if err != nil {
		answer.State, answer.Error = string(domain.CommandFailed), err.Error()
	}
	d.memory.end(answer)
	d.f.stats.commands.Add(1)
	d.measure(time.Now()) // what it has changed is seen at once
}

func orEmpty(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("{}")
	}
	return b
}
