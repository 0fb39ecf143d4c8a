// Package soak keeps a server busy for a long time, with people and rooms that
// come and go, and checks that nothing of it grows.
package soak

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/plot"
)

// What is watched: the second half of the run may be so much above the first.
var watched = []struct {
	metric, title string
	unit          float64
	slack         float64 // in units, beside a tenth
}{
	{"process_resident_memory_bytes", "Resident memory, MiB", 1 << 20, 16},
	{"go_goroutines", "Goroutines", 1, 25},
	{"process_open_fds", "Open files", 1, 25},
	{"gateway_connections", "Connections", 1, 25},
	{"gateway_rooms", "Rooms with somebody connected", 1, 25},
	{"gateway_send_queue_bytes", "Bytes that wait for clients", 1, 64 << 10},
	{"audit_queue_depth", "Records of the audit log that wait", 1, 50},
}

const fewestSamples = 10

// TestSoak runs for SOAK_SECONDS, and writes what it measured, and a picture of
// it, to the folder SOAK_OUT if there is one. The short form in make test checks
// that the harness measures; an hour's is what says something of the server.
func TestSoak(t *testing.T) {
	seconds := testkit.Setting(t, "SOAK_SECONDS", 20)
	if seconds < 10 {
		t.Fatal("SOAK_SECONDS: less than 10 shows nothing")
	}
	length := time.Duration(seconds) * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), length+5*time.Minute)
	defer cancel()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	n := node.New(t, node.Build(t), log)
	n.Start()
	waitUntil(ctx, t, "the server is ready", func() bool { return n.Ready(ctx) })

	w := &churn{url: n.URL()}
	w.settle(ctx, t)
	busy, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	for i := range slots {
		all.Go(func() { w.keep(busy, t, i) })
	}
	all.Go(func() { w.rooms(busy, t) })
	all.Go(func() { w.signIns(busy, t) })
	s := sample(ctx, t, n, length, func() bool { return w.shows(seconds) })
	stop()
	all.Wait()
	t.Logf("%d messages, %d connections, %d rooms made, %d sign-ins; %d requests were not answered in time, or with "+
		"unavailable",
		w.messages.Load(), w.connections.Load(), w.made.Load(), w.signed.Load(), w.failures.Load())
	if !w.shows(seconds) {
		t.Error("so little happened that this proves nothing")
	}
	s.report(t, seconds >= 600)
	if dir := os.Getenv("SOAK_OUT"); dir != "" {
		s.save(t, dir, w)
	}
}

// samples are the server's own metrics over time.
type samples struct {
	at     []float64            // minutes
	values map[string][]float64 // by metric, in its unit
}

// sample reads the metrics for so long, and longer if that was too short for the machine: until there are enough
// samples, and enough has happened.
func sample(ctx context.Context, t *testing.T, n *node.Node, length time.Duration, enough func() bool) *samples {
	s := &samples{values: make(map[string][]float64)}
	missed := 0
	defer func() {
		if missed > len(s.at)/10 {
			t.Errorf("the server did not tell its metrics %d times", missed)
		}
	}()
	begin := time.Now()
	tick := time.NewTicker(max(length/720, 500*time.Millisecond))
	defer tick.Stop()
	for time.Since(begin) < length || len(s.at) < fewestSamples || !enough() {
		select {
		case <-ctx.Done():
			return s
		case <-tick.C:
		}
		m, err := n.Metrics(ctx)
		if err != nil {
			missed++
			continue
		}
		s.at = append(s.at, time.Since(begin).Minutes())
		for _, w := range watched {
			v, ok := m[w.metric]
			if !ok {
				t.Fatalf("the server has no metric %s", w.metric)
			}
			s.values[w.metric] = append(s.values[w.metric], v/w.unit)
		}
	}
	return s
}

// thirds returns the medians of the second and of the last third of the run: the
// first is for warming up.
func (s *samples) thirds(metric string) (before, after float64) {
	v := s.values[metric]
	third := len(v) / 3
	return median(v[third : 2*third]), median(v[2*third:])
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2]
}

// flat reports whether a later value is not above an earlier one, but for noise.
func flat(before, after, slack float64) bool { return after <= before*1.1+slack }

func (s *samples) report(t *testing.T, strict bool) {
	t.Helper()
	if len(s.at) < fewestSamples {
		t.Fatalf("only %d samples", len(s.at))
	}
	for _, w := range watched {
		before, after := s.thirds(w.metric)
		t.Logf("%-36s %10.1f then %10.1f, at most %.1f", w.title, before, after, slices.Max(s.values[w.metric]))
		if strict && !flat(before, after, w.slack) {
			t.Errorf("%s grows: %.1f in the second third, %.1f in the last", w.title, before, after)
		}
	}
}

// save writes the figures and their picture.
func (s *samples) save(t *testing.T, dir string, w *churn) {
	t.Helper()
	type row struct {
		What          string  `json:"what"`
		Before, After float64 `json:",omitempty"`
		Max           float64 `json:"max"`
	}
	figures := struct {
		Minutes     float64 `json:"minutes"`
		CPUs        int     `json:"cpus"`
		Messages    int64   `json:"messages"`
		Connections int64   `json:"connections"`
		Rooms       int64   `json:"rooms_made"`
		SignIns     int64   `json:"sign_ins"`
		Failures    int64   `json:"unanswered"`
		Rows        []row   `json:"figures"`
	}{s.at[len(s.at)-1], runtime.NumCPU(), w.messages.Load(), w.connections.Load(), w.made.Load(), w.signed.Load(),
		w.failures.Load(), nil}
	var panels []plot.Panel
	for _, m := range watched {
		before, after := s.thirds(m.metric)
		figures.Rows = append(figures.Rows, row{m.title, before, after, slices.Max(s.values[m.metric])})
		panels = append(panels, plot.Panel{Title: m.title, X: s.at,
			Lines: []plot.Line{{Name: m.metric, Y: s.values[m.metric]}}})
	}
	b, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"soak.json": append(b, '\n'), "soak.svg": plot.SVG("minutes", panels)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGrowthIsFound(t *testing.T) {
	var rising, level samples
	rising.values, level.values = map[string][]float64{}, map[string][]float64{}
	for i := range 300 {
		rising.values["m"] = append(rising.values["m"], float64(100+i))
		level.values["m"] = append(level.values["m"], float64(100+i%7))
	}
	if before, after := rising.thirds("m"); flat(before, after, 25) {
		t.Errorf("%g, then %g, was taken for flat", before, after)
	}
	if before, after := level.thirds("m"); !flat(before, after, 0) {
		t.Errorf("%g, then %g, was taken for growth", before, after)
	}
}

// waitUntil asks until ok.
func waitUntil(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("time is up; waited until %s", what)
		case <-tick.C:
		}
	}
}
