package ml

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// waitingMost bounds what waits for one version.
const waitingMost = 256

// A pool is the workers of one version of a model, and what waits for them.
type pool struct {
	manifest Manifest
	folder   string // on disk
	golden   []GoldenCase
	python   string
	runtime  string // folder of the Python package
	sandbox  Sandbox
	times    Times
	log      *slog.Logger
	metrics  *metrics
	waiting  *waiting
	slots    []*slot
	asked    atomic.Int64 // requests that have not been answered
	copies   chan copied  // for this version as a shadow
	told     func()       // of the death of a worker; nil: nobody is
	drift    *drift       // how far what it is asked and answers is from what it was
	unloaded bool         // it has no workers, because an administrator wants that

	mu       sync.Mutex
	deaths   []time.Time // of the last CrashSpan
	failed   error       // not nil: too many, or it cannot be loaded
	probing  bool        // one worker tries whether it goes better
	suspects map[[32]byte]suspect
	tally    side // since the start
	events   []WorkerEvent
}

// A suspect is an input that workers ended with.
type suspect struct {
	size   int // of the call, before which no print has to be made
	deaths int
	until  time.Time
}

// openPool reads the version in folder. Nothing runs until run.
func openPool(folder string, d Deps, runtime string, m *metrics) (*pool, error) {
	fsys := os.DirFS(folder)
	manifest, err := ReadManifest(fsys)
	if err != nil {
		return nil, err
	}
	golden, err := readGolden(fsys)
	if err != nil {
		return nil, err
	}
	usual, err := readBaseline(fsys, manifest)
	if err != nil {
		return nil, err
	}
	if usual == nil {
		usual = golden
	}
	p := &pool{
		manifest: manifest, folder: folder, golden: golden, python: d.Python, runtime: runtime, sandbox: d.Sandbox,
		times: d.Times.withDefaults(), log: d.Log.With("model", manifest.Name, "version", manifest.Version), metrics: m,
		waiting: newWaiting(waitingMost), suspects: make(map[[32]byte]suspect),
		copies: make(chan copied, copiesMost), drift: newDrift(manifest, usual),
	}
	for i := range manifest.Workers {
		p.slots = append(p.slots, &slot{pool: p, number: i + 1, state: stateStarting})
	}
	m.begin(p)
	return p, nil
}

// run keeps the workers running until ctx ends, and answers what waits then.
func (p *pool) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, s := range p.slots {
		running.Go(func() { s.run(ctx) })
	}
	running.Wait()
	p.waiting.refuse(errStopping)
}

// infer asks the model. It answers when ctx ends at the latest, and says then what was the matter.
func (p *pool) infer(ctx context.Context, inputs []Tensor, priority Priority) ([]Tensor, error) {
	if err := p.checkInputs(inputs); err != nil {
		return nil, err
	}
	p.asked.Add(1)
	defer p.asked.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, p.manifest.Deadline)
	defer cancel()
	deadline, _ := ctx.Deadline()
	c := &call{ctx: ctx, inputs: inputs, size: packedSize(inputs), priority: priority, deadline: deadline,
		done: make(chan outcome, 1)}
	if p.quarantined(c) {
		return nil, errPoison(p.times.Quarantine)
	}
	began := time.Now()
	if err := p.waiting.push(c); err != nil {
		if errors.Is(err, errMoved) {
			return nil, err
		}
		p.metrics.count(p, err)
		return nil, err
	}
	o := c.wait(ctx, p.state)
	p.metrics.count(p, o.err)
	p.metrics.took(p, time.Since(began))
	p.mu.Lock()
	p.tally.add(time.Since(began), o.err)
	p.mu.Unlock()
	if o.err == nil {
		p.drift.observe(inputs, o.outputs)
	}
	return o.outputs, o.err
}

// checkInputs compares inputs with those of the manifest, and with what a message has room for.
func (p *pool) checkInputs(inputs []Tensor) error {
	if err := fits(inputs, p.manifest.Inputs); err != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "%v", err)
	}
	if size := packedSize(inputs); size > maxBatch {
		return domain.TooLarge.Errorf(domain.CodeBodyTooLarge,
			"the inputs take %d bytes; a model takes at most %d at once: send less", size, maxBatch)
	}
	return nil
}

// print is what the same request to the same version has in common.
func (p *pool) print(c *call) (sum [32]byte) {
	h := sha256.New()
	_, _ = h.Write([]byte(p.manifest.Name + "\x00" + strconv.Itoa(p.manifest.Version) + "\x00"))
	_, _ = h.Write(pack(nil, packTensors(c.inputs)))
	if c.stream != nil {
		_, _ = h.Write(pack(nil, c.stream.parameters))
	}
	h.Sum(sum[:0])
	return sum
}

// quarantined says whether c is refused. Its print is made only if it is as large as an input that is.
func (p *pool) quarantined(c *call) bool {
	var refused [][32]byte
	now := time.Now()
	p.mu.Lock()
	for print, s := range p.suspects {
		if s.size == c.size && s.deaths >= 2 && now.Before(s.until) {
			refused = append(refused, print)
		}
	}
	p.mu.Unlock()
	return len(refused) > 0 && slices.Contains(refused, p.print(c))
}

// ended decides what becomes of the calls that a worker ended with. Each but a stream goes once more, by itself; the
// second time its input is refused for a while.
func (p *pool) ended(batch []*call, why error) {
	for _, c := range batch {
		if len(batch) == 1 && p.suspect(c) {
			c.finish(outcome{err: errPoison(p.times.Quarantine)})
			continue
		}
		if c.tries++; c.stream != nil || c.tries > 2 || !time.Now().Before(c.deadline) {
			c.finish(outcome{err: errEnded(why)})
			continue
		}
		p.waiting.again(c)
	}
}

// suspect counts a death against an input, and says whether it is the second.
func (p *pool) suspect(c *call) bool {
	print := p.print(c)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for other, s := range p.suspects {
		if now.After(s.until) {
			delete(p.suspects, other)
		}
	}
	s := p.suspects[print]
	s.size = c.size
	s.deaths++
	s.until = now.Add(p.times.Quarantine)
	p.suspects[print] = s
	if s.deaths == 2 {
		p.metrics.quarantined.WithLabelValues(p.labels()...).Inc()
		p.happened(eventQuarantined, 0, nil)
	}
	return s.deaths >= 2
}

// errLoad says that a version cannot be loaded: starting it again would not help.
var errLoad = errors.New("it cannot be loaded")

// died counts the death of a worker. Too many fail the version, as does one that cannot be loaded.
func (p *pool) died(ctx context.Context, why error) {
	p.mu.Lock()
	now := time.Now()
	recent := p.deaths[:0]
	for _, t := range p.deaths {
		if now.Sub(t) < p.times.CrashSpan {
			recent = append(recent, t)
		}
	}
	p.deaths = append(recent, now)
	fails := p.failed != nil || errors.Is(why, errLoad) || len(p.deaths) >= p.times.Crashes
	if fails {
		p.failed = why
		p.happened(eventFailed, 0, why)
	}
	p.mu.Unlock()
	p.metrics.restarts.WithLabelValues(p.labels()...).Inc()
	if p.told != nil {
		p.told()
	}
	if !fails {
		p.log.WarnContext(ctx, "a worker of a model ended, and is started again", "err", why)
		return
	}
	p.log.ErrorContext(ctx, "a model does not run; it is tried again from time to time", "err", why,
		"every", p.times.Probe)
	p.waiting.refuse(errFailed(why, p.times.Probe))
}

// recovered says that a worker is ready.
func (p *pool) recovered() {
	p.mu.Lock()
	was := p.failed
	p.failed, p.probing = nil, false
	if was != nil {
		p.deaths = nil
	}
	p.mu.Unlock()
	p.waiting.refuse(nil)
}

// mayStart says whether a worker may be started now: of a version that has failed only one tries.
func (p *pool) mayStart() (ok, failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		return true, false
	}
	ok = !p.probing
	p.probing = true
	return ok, true
}

// failure returns why the version has failed, if it has.
func (p *pool) failure() (failed bool, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed != nil, p.failed
}

// probed lets the next worker try, if this one did.
func (p *pool) probed(did bool) {
	if did {
		p.mu.Lock()
		p.probing = false
		p.mu.Unlock()
	}
}

// state says in words how the pool is.
func (p *pool) state() string {
	text := ""
	for _, s := range p.slots {
		if text != "" {
			text += ", "
		}
		text += "its worker is " + string(s.is())
	}
	return text
}

func (p *pool) labels() []string { return []string{p.manifest.Name, strconv.Itoa(p.manifest.Version)} }

// ready counts the workers that take requests.
func (p *pool) ready() int {
	n := 0
	for _, s := range p.slots {
		if is := s.is(); is == stateReady || is == stateBusy {
			n++
		}
	}
	return n
}
