package alarm

import (
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// watched has the rules of all devices, with what is known of each.
type watched struct {
	mu       sync.RWMutex
	byDevice map[string]*device
}

func newWatched() watched { return watched{byDevice: make(map[string]*device)} }

func (w *watched) has(id string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.byDevice[id] != nil
}

func (w *watched) get(id string) *device {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.byDevice[id]
}

func (w *watched) all() []*device {
	w.mu.RLock()
	defer w.mu.RUnlock()
	list := make([]*device, 0, len(w.byDevice))
	for _, d := range w.byDevice {
		list = append(list, d)
	}
	return list
}

// set takes the rules of a device as the store has them, and keeps what is known of those that
// have not changed.
func (w *watched) set(id string, rules []domain.AlarmRule, open map[string]domain.Alarm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(rules) == 0 {
		delete(w.byDevice, id)
		return
	}
	d := w.byDevice[id]
	if d == nil {
		d = &device{id: id}
		w.byDevice[id] = d
	}
	d.set(rules, open)
}

// keep drops the devices that are not in ids.
func (w *watched) keep(ids map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.byDevice {
		if !ids[id] {
			delete(w.byDevice, id)
		}
	}
}

// device is what is known of a device with rules.
type device struct {
	id string

	mu     sync.Mutex
	rules  []*rule
	newest time.Time // of the readings that were judged
	heard  time.Time // when it last reported, as far as is known here
	look   time.Time // when its silence is to be judged next
}

// rule is what is known of a rule.
type rule struct {
	domain.AlarmRule
	open, flapping bool
	since          time.Time // the value has been beyond the limit; zero: it is not
	quiet          time.Time // it has been behind it, of one that flaps; zero: it is not
	window         []sample  // of a rate, the oldest first
	usual          usual     // of anomalies
}

type sample struct {
	at    time.Time
	value float64
}

func (d *device) set(rules []domain.AlarmRule, open map[string]domain.Alarm) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := make(map[string]*rule, len(d.rules))
	for _, r := range d.rules {
		before[r.ID] = r
	}
	d.rules, d.look = nil, time.Time{}
	for _, now := range rules {
		if now.Disabled {
			continue
		}
		r := before[now.ID]
		if r == nil || !r.ChangedAt.Equal(now.ChangedAt) {
			r = &rule{}
		}
		a, is := open[now.ID]
		r.AlarmRule, r.open, r.flapping = now, is, a.Flapping
		d.rules = append(d.rules, r)
	}
}

// decision is what is to be done about a rule.
type decision struct {
	rule         domain.AlarmRule
	raise, clear bool
	value, limit *float64
}

// judge takes one report, and returns what follows from it. What was buffered, or is older than what
// was judged or than domain.AlarmLag, is history: it raises and ends nothing.
func (d *device) judge(rep domain.Report, now time.Time) (out []decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now.After(d.heard) {
		d.heard = now
	}
	if rep.Old || rep.At.Before(d.newest) || now.Sub(rep.At) > domain.AlarmLag {
		return nil
	}
	d.newest = rep.At
	for _, r := range d.rules {
		for _, reading := range rep.Readings {
			if reading.Name != r.Sensor || reading.Value.Kind == domain.TextValue || r.Kind == domain.AbsenceAlarm {
				continue
			}
			if dec, ok := r.judge(reading.Value.Float(), rep.At); ok {
				out = append(out, dec)
			}
		}
	}
	return out
}

func (r *rule) judge(v float64, at time.Time) (decision, bool) {
	value, border := v, 0.0 // what an alarm says: the value, of which an anomaly's rule limits the score
	switch r.Kind {
	case domain.RateAlarm:
		v = r.change(v, at)
		value = v
	case domain.AnomalyAlarm:
		v, border = r.usual.score(v, *r.Above)
	}
	limit, breach, over := r.Breaches(v)
	if r.Kind == domain.AnomalyAlarm {
		limit = border
	}
	if !breach {
		r.since = time.Time{}
		return r.ends(over, at)
	}
	r.quiet = time.Time{}
	if r.since.IsZero() {
		r.since = at
	}
	if r.open || at.Sub(r.since) < r.For {
		return decision{}, false
	}
	return decision{rule: r.AlarmRule, raise: true, value: &value, limit: &limit}, true
}

// ends says whether an alarm is over: at once, or, if it comes and goes, after some time.
func (r *rule) ends(over bool, at time.Time) (decision, bool) {
	if !r.open || !over {
		r.quiet = time.Time{}
		return decision{}, false
	}
	if r.quiet.IsZero() {
		r.quiet = at
	}
	if r.flapping && at.Sub(r.quiet) < domain.AlarmFlapQuiet {
		return decision{}, false
	}
	return decision{rule: r.AlarmRule, clear: true}, true
}

const windowMost = 256 // samples of a rate; of more, each second one is dropped

// change returns by how much a value has changed since the beginning of the window.
func (r *rule) change(v float64, at time.Time) float64 {
	from := 0
	for from < len(r.window) && at.Sub(r.window[from].at) > r.Window {
		from++
	}
	r.window = append(r.window[:0], r.window[from:]...)
	r.window = append(r.window, sample{at, v})
	if len(r.window) > windowMost {
		half := r.window[:0]
		for i, s := range r.window {
			if i%2 == 0 || i == len(r.window)-1 {
				half = append(half, s)
			}
		}
		r.window = half
	}
	return v - r.window[0].value
}

// done takes what the store made of a decision.
func (d *device) done(id string, open, flapping bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rules {
		if r.ID == id {
			r.open, r.flapping, r.quiet = open, flapping, time.Time{}
		}
	}
}

const (
	silenceDefault = 5 * time.Minute // of a device that has declared no heartbeat
	lookMost       = 30 * time.Second
)

// allowed is for how long nothing may come, of a rule about absence; usual is what one allows that
// does not say.
func (r *rule) allowed(usual time.Duration) time.Duration {
	if r.For != 0 {
		return r.For
	}
	return usual
}

// looks reports whether the silence of the device is to be judged now. If so, it is not to be again
// until silent says so, or lookMost is over.
func (d *device) looks(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	isAbsence := func(r *rule) bool { return r.Kind == domain.AbsenceAlarm }
	if now.Before(d.look) || !slices.ContainsFunc(d.rules, isAbsence) {
		return false
	}
	d.look = now.Add(lookMost)
	return true
}

// unheard reports whether nothing came to this process for longer than a rule allows.
func (d *device) unheard(now time.Time, usual time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.rules, func(r *rule) bool {
		return r.Kind == domain.AbsenceAlarm && now.Sub(d.heard) >= r.allowed(usual)
	})
}

// heardAt takes when the device last reported, as the store has it.
func (d *device) heardAt(at, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at.After(d.heard) && !at.After(now) {
		d.heard = at
	}
}

// silent returns what follows from the silence of the device.
func (d *device) silent(now, started time.Time, usual time.Duration) (out []decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.rules {
		if r.Kind != domain.AbsenceAlarm {
			continue
		}
		allowed := r.allowed(usual)
		silent := now.Sub(d.heard) >= allowed
		switch {
		case !silent && r.open:
			out = append(out, decision{rule: r.AlarmRule, clear: true})
		case silent && !r.open && now.Sub(started) >= allowed && now.Sub(r.ChangedAt) >= allowed:
			out = append(out, decision{rule: r.AlarmRule, raise: true})
		}
		if next := now.Add(max(allowed/4, time.Second)); next.Before(d.look) {
			d.look = next
		}
	}
	return out
}
