//go:build unix

// Package models has workers of models go wrong beside a server on which people chat.
package models

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/ml"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A fault is what a model of its name does when it is asked that.
type fault struct {
	name   string
	within time.Duration // that the request allows
	status []int         // one of them is the answer
	says   string        // in the answer
	chunks string        // what ends a stream in its midst; empty: the model does not go wrong by itself
}

// Times that requests allow: of those that are never answered, and of those that must be.
const (
	short = time.Second
	long  = 30 * time.Second
)

var faults = []fault{
	{"loop", short, []int{503}, "in time", "chunk"},
	{"regex", short, []int{503}, "in time", "chunk"},
	{"half", short, []int{503}, "in time", "chunk"},
	{"stop", short, []int{503, 200}, "", ""}, // 200: it has been replaced already
	{"kill", long, []int{200}, "SLEEP", ""},  // tried once more
	{"exit", long, []int{400}, "ended two workers", "ended while"},
	{"garbage", long, []int{400}, "ended two workers", "not a frame"},
	{"memory", long, []int{503}, "memory", "memory"},
	{"fork", long, []int{500}, "failed", "failed"},
	{"disk", long, []int{500}, "failed", "failed"},
	{"noise", long, []int{200}, "NOISE", "NOISE"},
}

// Everything that workers do wrong is done while people chat: every message is acknowledged, and delivered once and in
// order; every request is answered with what happened; a model beside those answers all of its requests. How long
// messages take beside a calm time is reported, and judged only in a long run (make chaos-ml), on a machine of its own.
func TestChaosOfModels(t *testing.T) {
	testkit.NeedPython(t)
	length := time.Duration(testkit.Setting(t, "CHAOS_ML_SECONDS", 0)) * time.Second // 0: each fault once
	s := startSite(t)
	talk := startChat(t, s.Server)
	steady := &steadyModel{s: s}

	var calm time.Duration
	if length > 0 {
		calm = time.Minute
	}
	before, beforeModel := talk.during(t, steady, func() { time.Sleep(calm) }) // so long is measured
	during, duringModel := talk.during(t, steady, func() { s.goWrong(t, length) })
	talk.check(t)
	t.Logf("acknowledged: %v in the calm time, %v beside faults", before, during)
	t.Logf("a model beside them: %v in the calm time, %v beside faults", beforeModel, duringModel)
	if length > 0 && during.quantile(99) > 5*before.quantile(99)+250*time.Millisecond {
		t.Error("messages are acknowledged much later while models go wrong")
	}
}

// A site is a server with a model for each fault, one that is never asked for any, and two that start badly.
type site struct {
	*live.Server
}

func startSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	for _, f := range faults {
		writeModel(t, dir, f.name)
	}
	writeModel(t, dir, "steady")
	s := &site{live.Start(t, testkit.SQLite(t), "UNHIDRA_ML=on", "UNHIDRA_ML_MODELS="+dir)}
	for _, f := range faults {
		s.recovers(t, f.name)
	}
	s.recovers(t, "steady")
	writeModel(t, dir, "crash") // found while the others go wrong
	writeModel(t, dir, "slow")
	return s
}

const manifest = `
name = %q
version = 1
class = "model:Fault"
memory_mb = 256
deadline_ms = 60000
chunk_ms = %d

[[inputs]]
name = "text"
datatype = "BYTES"
shape = [-1]

[[outputs]]
name = "text"
datatype = "BYTES"
shape = [-1]
`

func writeModel(t *testing.T, dir, name string) {
	t.Helper()
	from := t.TempDir()
	code, err := os.ReadFile("testdata/fault/model.py")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(from, "model.py"), code, 0o600))
	chunk := 3 * time.Second
	if name == "noise" { // it is slow on a busy machine, and goes on in the end
		chunk = long
	}
	must(t, os.WriteFile(filepath.Join(from, ml.ManifestFile), fmt.Appendf(nil, manifest, name, chunk.Milliseconds()),
		0o600))
	sealed := filepath.Join(t.TempDir(), "sealed")
	_, err = ml.Seal(from, sealed)
	must(t, err)
	_, err = ml.Add(dir, sealed)
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ask asks a model, and returns its answer, which comes whatever happens.
func (s *site) ask(t *testing.T, model, text string, within time.Duration) (status int, answer string) {
	t.Helper()
	body := fmt.Sprintf(`{"parameters": {"timeout": %d},
		"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [%q]}]}`, within.Microseconds(), text)
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost,
		"http://"+s.Operator+"/v2/models/"+model+"/infer", strings.NewReader(body))
	must(t, err)
	return s.whole(t, r)
}

// recovers waits until a model answers as it should.
func (s *site) recovers(t *testing.T, model string) {
	t.Helper()
	s.says(t, model, http.StatusOK, `"HELLO"`)
}

// says waits until a model answers so.
func (s *site) says(t *testing.T, model string, status int, text string) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got, answer := s.ask(t, model, "hello", long)
		if got == status && strings.Contains(answer, text) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s never answers %d, %s: %d %s", model, status, text, got, answer)
			return
		}
	}
}

// worker is that of a model.
func (s *site) worker(t *testing.T, model string) (pid int, state ml.State, sandbox []string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Operator+"/internal/ml/health", nil)
	must(t, err)
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	var h ml.Health
	must(t, json.NewDecoder(res.Body).Decode(&h))
	for _, v := range h.Versions {
		if v.Model == model {
			return v.Workers[0].PID, v.Workers[0].State, v.Workers[0].Sandbox
		}
	}
	return 0, "", nil
}

// goWrong has all models go wrong at the same time: once, or again and again for a time.
func (s *site) goWrong(t *testing.T, length time.Duration) {
	t.Helper()
	end := time.Now().Add(length)
	var running sync.WaitGroup
	running.Go(func() { s.says(t, "crash", http.StatusServiceUnavailable, "exit status 9") })
	running.Go(func() { s.recovers(t, "slow") })
	for _, f := range faults {
		if _, _, held := s.worker(t, f.name); f.name == "fork" && !slices.Contains(held, "seccomp") {
			t.Log("this system has no seccomp: no model forks without end")
			continue
		}
		running.Go(func() {
			for i := 0; i == 0 || time.Now().Before(end); i++ {
				s.one(t, f, i)
				s.recovers(t, f.name)
				if f.chunks != "" {
					s.oneInChunks(t, f, i)
					s.recovers(t, f.name)
				}
			}
		})
	}
	running.Wait()
}

// one has a model go wrong for the ith time. One that does so too often is not asked for a while, and that is said.
func (s *site) one(t *testing.T, f fault, i int) {
	t.Helper()
	text := fmt.Sprint(f.name, " ", i) // another input each time: those before are in quarantine
	if f.name == "kill" {
		text = fmt.Sprint("sleep ", i) // so that it is busy when it is killed
	}
	pid, _, _ := s.worker(t, f.name)
	answered := make(chan struct{})
	var killing sync.WaitGroup
	switch {
	case pid == 0: // it has ended by itself just now
	case f.name == "stop":
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	case f.name == "kill":
		killing.Go(func() { s.killWhileBusy(t, pid, answered) })
	}
	began := time.Now()
	status, answer := s.ask(t, f.name, text, f.within)
	took := time.Since(began)
	close(answered)
	killing.Wait()
	if !slices.Contains(f.status, status) || !strings.Contains(answer, f.says) || answer == "" {
		if i == 0 || status != http.StatusServiceUnavailable {
			t.Errorf("%s was answered %d %s", text, status, answer)
		}
	}
	if i == 0 {
		t.Logf("%-8s answered %d after %v of %v", f.name, status, took.Round(time.Millisecond), f.within)
	}
}

// oneInChunks has a model go wrong in the midst of a stream. What came before is there, and how it ended is told.
func (s *site) oneInChunks(t *testing.T, f fault, i int) {
	t.Helper()
	began := time.Now()
	status, answer := s.askInChunks(t, f.name, fmt.Sprintf("%d %s after", i, f.name))
	if i > 0 && status == http.StatusServiceUnavailable {
		return // it is not asked for a while, and that is said
	}
	first, rest, _ := strings.Cut(answer, "\n\n")
	whole := f.name == "noise" // which is no error
	if status != http.StatusOK || !strings.Contains(first, fmt.Sprintf(`"text_output":"%d"`, i)) ||
		!strings.Contains(rest, f.chunks) || strings.Contains(rest, `"error"`) == whole ||
		strings.Contains(rest, "AFTER") != whole {
		t.Errorf("a stream with %s was answered %d %s", f.name, status, answer)
	}
	if i == 0 {
		t.Logf("%-8s in a stream after %v", f.name, time.Since(began).Round(time.Millisecond))
	}
}

// askInChunks asks a model for a word in each chunk, and returns all events of its answer.
func (s *site) askInChunks(t *testing.T, model, words string) (status int, events string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost,
		"http://"+s.Operator+"/v2/models/"+model+"/generate_stream",
		strings.NewReader(fmt.Sprintf(`{"text_input": %q}`, words)))
	must(t, err)
	return s.whole(t, r)
}

// whole returns the answer to r, which comes whatever happens.
func (s *site) whole(t *testing.T, r *http.Request) (status int, answer string) {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Errorf("%s has no answer: %v", r.URL.Path, err)
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("the answer of %s is broken off: %v", r.URL.Path, err)
	}
	return res.StatusCode, string(b)
}

// killWhileBusy kills a worker when it has a request, unless that is answered before.
func (s *site) killWhileBusy(t *testing.T, pid int, answered <-chan struct{}) {
	t.Helper()
	for {
		if now, state, _ := s.worker(t, "kill"); now == pid && state == "busy" {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
		select {
		case <-answered:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
