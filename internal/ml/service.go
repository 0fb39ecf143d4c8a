// Package ml runs models in workers: processes in Python, of which each has one version of one model. A
// worker cannot hurt the server: it is asked over two sockets, nothing that it sends is trusted, and one
// that hangs, crashes or takes too much memory is ended and replaced. Whoever asks a model is answered
// within the time that they allow, with what happened if need be.
package ml

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Deps are what a Service needs.
type Deps struct {
	On      bool
	Dir     string // folder of models: MODEL/VERSION/model.toml
	Scratch string // folder for the Python package
	Python  string // program
	Package fs.FS  // the Python package, in a folder of its name
	Sandbox Sandbox
	Times   Times
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none

	Settings SettingStore // nil: what is changed is forgotten
	Audit    Recorder     // nil: nothing is recorded
	Proofs   Proofs       // asked before administrators change something
	Token    string       // bearer token for changes at the operator's listener; empty: none are made there
}

// Sandbox says what is taken from workers.
type Sandbox string

// The levels are in worker/unhidra_worker/sandbox.py.
const (
	SandboxBestEffort Sandbox = "best-effort" // what the system allows; the zero value means this, too
	SandboxRequired   Sandbox = "required"    // all levels, or a model does not run
	SandboxOff        Sandbox = "off"         // nothing
)

// scanEvery is how often new and removed versions are looked for.
const scanEvery = 5 * time.Second

// Service knows the models, and runs them.
type Service struct {
	Deps
	metrics *metrics

	changing sync.Mutex    // held while a routing changes
	reloads  chan reload   // for Run
	looks    chan look     // for Run
	judge    chan struct{} // has an element if a trial is to be judged now
	over     chan struct{} // closed at the end of Run

	mu        sync.Mutex
	off       string                    // why no models run; empty: they do
	away      bool                      // they do not, although they are on
	models    map[string]map[int]*entry // by name and version
	bad       map[string]string         // folders that are no versions, and why
	routings  map[string]Routing
	trials    map[string]*trial
	baselines map[string]string // as they are stored, by the names of their settings
}

// An entry is a version that runs.
type entry struct {
	pool  *pool
	stop  context.CancelFunc
	ended chan struct{}
}

// New returns a service, which runs nothing until Run.
func New(d Deps) *Service {
	d.Times = d.Times.withDefaults()
	s := &Service{
		Deps: d, metrics: newMetrics(d.Metrics), models: make(map[string]map[int]*entry), bad: make(map[string]string),
		off: "starting", reloads: make(chan reload), looks: make(chan look), judge: make(chan struct{}, 1),
		over:     make(chan struct{}),
		routings: make(map[string]Routing), trials: make(map[string]*trial),
		baselines: make(map[string]string),
	}
	if !d.On {
		s.off = "models are off; UNHIDRA_ML=on turns them on"
	}
	if d.Metrics != nil {
		d.Metrics.MustRegister(collector{s})
	}
	return s
}

// Run runs the models until ctx is done. Without Python it says so, once, and waits: nothing else of the
// server needs it.
func (s *Service) Run(ctx context.Context) error {
	defer close(s.over)
	if !s.On {
		<-ctx.Done()
		return nil
	}
	runtime, err := s.prepare(ctx)
	if err != nil {
		s.mu.Lock()
		s.off, s.away = err.Error(), true
		s.mu.Unlock()
		s.Log.ErrorContext(ctx, "no models run, and nothing else is affected", "err", err)
		<-ctx.Done()
		return nil
	}
	defer s.endAll()
	tick := time.NewTicker(scanEvery)
	defer tick.Stop()
	var reloading sync.WaitGroup
	defer reloading.Wait()
	for again := true; ; {
		if again {
			if err := s.readRoutings(ctx); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "cannot read which versions of models answer", "err", err)
			}
			s.scan(ctx, runtime)
			s.mu.Lock()
			s.off = "" // not before: with no versions yet, it would seem that all are ready
			s.mu.Unlock()
			if err := s.keepBaselines(ctx); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "cannot keep what is usual for a version of a model; it is tried again", "err", err)
			}
		}
		s.judgeAll(ctx)
		again = false
		select {
		case <-ctx.Done():
			return nil
		case <-s.judge:
		case r := <-s.reloads:
			reloading.Go(func() { r.done <- s.replace(ctx, runtime, r) })
		case l := <-s.looks:
			s.scan(ctx, runtime)
			close(l.done)
		case <-tick.C:
			again = true
		}
	}
}

// prepare finds Python, and writes the package that workers run. It returns its folder.
func (s *Service) prepare(ctx context.Context) (string, error) {
	if err := s.needPython(ctx); err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of models: %w", err)
	}
	runtime, err := s.unpackRuntime()
	if err != nil {
		return "", fmt.Errorf("write the package that workers run: %w", err)
	}
	return runtime, nil
}

// pythonTime is how long Python may take to say its version.
const pythonTime = 30 * time.Second

// needPython says what is wrong with the Python that workers are to run in.
func (s *Service) needPython(ctx context.Context) error {
	const remedy = "install it, or name one by UNHIDRA_ML_PYTHON, and start the server again"
	if _, err := exec.LookPath(s.Python); err != nil {
		return fmt.Errorf("models need Python 3.11 or newer, and there is no %s; %s", s.Python, remedy)
	}
	ctx, cancel := context.WithTimeout(ctx, pythonTime)
	defer cancel()
	const ask = "import sys; print('.'.join(map(str, sys.version_info[:3]))); sys.exit(sys.version_info < (3, 11))"
	out, err := exec.CommandContext(ctx, s.Python, "-I", "-c", ask).Output() //nolint:gosec // the operator names it
	if version := strings.TrimSpace(string(out)); err != nil && version != "" {
		return fmt.Errorf("models need Python 3.11 or newer, and %s is %.20q; %s", s.Python, version, remedy)
	}
	if err != nil {
		return fmt.Errorf("models need Python 3.11 or newer, and %s does not say what it is (%w); %s", s.Python, err, remedy)
	}
	return nil
}

// isAway says that models are on, and none can run.
func (s *Service) isAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

// unpackRuntime writes the package to a folder that is named by its content, unless it is there.
func (s *Service) unpackRuntime() (string, error) {
	scratch, err := filepath.Abs(s.Scratch)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = fs.WalkDir(s.Package, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		sum, err := fileSum(s.Package, name)
		_, _ = fmt.Fprintln(h, name, sum)
		return err
	})
	if err != nil {
		return "", err
	}
	runtime := filepath.Join(scratch, hex.EncodeToString(h.Sum(nil))[:16])
	if _, err := os.Stat(runtime); err == nil {
		return runtime, nil
	}
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return "", err
	}
	half, err := os.MkdirTemp(scratch, "new-")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(half, s.Package); err != nil {
		return "", err
	}
	if err := os.Rename(half, runtime); err != nil {
		if _, there := os.Stat(runtime); there == nil {
			return runtime, os.RemoveAll(half) // another process was faster
		}
		return "", err
	}
	return runtime, nil
}

// scan starts versions that are new in the folder or to be loaded, and ends those that are gone from it or to be
// unloaded. A folder that is still being written does not have the checksums that it names, and is looked at again.
func (s *Service) scan(ctx context.Context, runtime string) {
	found, err := versions(s.Dir)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot look for models", "err", err)
		return
	}
	s.mu.Lock()
	maps.DeleteFunc(s.bad, func(folder, _ string) bool { return !slices.Contains(found, folder) })
	s.mu.Unlock()
	for _, folder := range found {
		name, number := split(folder)
		idle, old := s.entry(name, number)
		switch {
		case old != nil && old.pool.unloaded == idle:
			continue
		case old != nil && idle:
			s.unload(ctx, old)
			continue
		}
		p, err := openPool(filepath.Join(s.absolute(), folder), s.Deps, runtime, s.metrics)
		if err == nil && (p.manifest.Name != name || p.manifest.Version != number) {
			err = fmt.Errorf("%s names %s, version %d; the folder is %s", ManifestFile, p.manifest.Name,
				p.manifest.Version, folder)
		}
		if s.remember(folder, err) {
			s.Log.WarnContext(ctx, "a folder is no version of a model", "folder", folder, "err", err)
		}
		if err == nil {
			s.add(ctx, p, idle, old)
		}
	}
	for _, e := range s.gone(found) {
		go func() { e.drain(ctx); e.stop() }()
	}
}

func (s *Service) absolute() string {
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		return s.Dir
	}
	return dir
}

func split(folder string) (name string, number int) {
	name, version := filepath.Split(folder)
	number, _ = strconv.Atoi(version)
	return filepath.Clean(name), number
}

// remember keeps what is wrong with a folder, and says whether that is new.
func (s *Service) remember(folder string, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.bad, folder)
		return false
	}
	isNew := s.bad[folder] != err.Error()
	s.bad[folder] = err.Error()
	return isNew
}

// entry returns the entry of a version, nil if there is none, and whether the version is to be without workers.
func (s *Service) entry(name string, number int) (idle bool, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.routings[name].Unloaded, number), s.models[name][number]
}

// unload ends the workers of e, after they have answered what they have.
func (s *Service) unload(ctx context.Context, e *entry) {
	p := e.pool.idle()
	p.note(eventUnloaded, 0, nil)
	s.mu.Lock()
	s.models[p.manifest.Name][p.manifest.Version] = resting(p)
	s.mu.Unlock()
	go func() { e.drain(ctx); e.stop() }()
}

// resting returns the entry of a pool that is idle.
func resting(p *pool) *entry {
	e := &entry{pool: p, stop: func() {}, ended: make(chan struct{})}
	close(e.ended)
	return e
}

// add runs p, unless it is to be idle. Before it there was old, if that is not nil.
func (s *Service) add(ctx context.Context, p *pool, idle bool, old *entry) {
	if old != nil {
		p.follow(old.pool, eventLoaded)
	}
	var e *entry
	if idle {
		e = resting(p.idle())
	} else {
		e = s.begin(ctx, p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[p.manifest.Name]
	if m == nil {
		m = make(map[int]*entry)
		s.models[p.manifest.Name] = m
	}
	m[p.manifest.Version] = e
}

// begin runs p, which is asked only by those who have it.
func (s *Service) begin(ctx context.Context, p *pool) *entry {
	ctx, stop := context.WithCancel(ctx)
	e := &entry{pool: p, stop: stop, ended: make(chan struct{})}
	p.told = func() { s.died(p) }
	go func() {
		defer close(e.ended)
		p.run(ctx)
	}()
	go s.shadows(ctx, p)
	return e
}

// died counts the death of a worker of a candidate, which may end its trial.
func (s *Service) died(p *pool) {
	s.mu.Lock()
	if t := s.trials[p.manifest.Name]; t != nil && t.candidate == p.manifest.Version {
		t.deaths++
	}
	s.mu.Unlock()
	s.judgeSoon()
}

func (s *Service) judgeSoon() {
	select {
	case s.judge <- struct{}{}:
	default:
	}
}

// gone takes out what found does not have.
func (s *Service) gone(found []string) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*entry
	for name, m := range s.models {
		for number, e := range m {
			if !slices.Contains(found, name+"/"+strconv.Itoa(number)) {
				out = append(out, e)
				delete(m, number)
			}
		}
		if len(m) == 0 {
			delete(s.models, name)
		}
	}
	return out
}

func (s *Service) endAll() {
	for _, e := range s.gone(nil) {
		e.stop()
		<-e.ended
	}
}
