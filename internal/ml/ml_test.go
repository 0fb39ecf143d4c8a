package ml

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/worker"
)

const manifestHead = `
name = "chaos"
version = %d
class = "model:Chaos"
description = "for tests" # and nothing else
memory_mb = 256
max_batch = 4
deadline_ms = 60000

[[inputs]]
name = "text"
datatype = "BYTES"
shape = [-1]

[[outputs]]
name = "text"
datatype = "BYTES"
shape = [-1]

[files]
`

const golden = `[{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "ß"]}],
  "outputs": [{"name": "text", "datatype": "BYTES", "shape": [2], "data": ["A", "SS"]}]}]`

// writeModel writes a version of the model for tests into dir, with more files beside its own.
func writeModel(t *testing.T, dir string, version int, files map[string]string) {
	t.Helper()
	code, err := os.ReadFile("testdata/chaos/model.py")
	must(t, err)
	all := map[string]string{"model.py": string(code), GoldenFile: golden}
	for name, text := range files {
		all[name] = text
	}
	folder := filepath.Join(dir, "chaos", fmt.Sprint(version))
	must(t, os.MkdirAll(folder, 0o700))
	text := fmt.Sprintf(manifestHead, version)
	for name, content := range all {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
		sum, err := fileSum(os.DirFS(folder), name)
		must(t, err)
		text += fmt.Sprintf("%q = %q\n", name, sum)
	}
	must(t, os.WriteFile(filepath.Join(folder, ManifestFile), []byte(text), 0o600))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newService runs the models in dir until the test ends.
func newService(t *testing.T, dir string, times Times) *Service {
	t.Helper()
	return newServiceWith(t, dir, times, func(*Deps) {})
}

func newServiceWith(t testing.TB, dir string, times Times, with func(*Deps)) *Service {
	t.Helper()
	testkit.NeedPython(t)
	d := Deps{On: true, Dir: dir, Scratch: t.TempDir(), Python: "python3", Package: worker.FS(), Times: times,
		Log: testkit.Logger(t)}
	with(&d)
	s := New(d)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-done) })
	return s
}

// chaos runs version 1 of the model for tests until the test ends, and waits until it is ready.
func chaos(t *testing.T, times Times) *Service {
	t.Helper()
	return chaosWith(t, times, func(*Deps) {})
}

func chaosWith(t *testing.T, times Times, with func(*Deps)) *Service {
	t.Helper()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	s := newServiceWith(t, dir, times, with)
	until(t, "a worker that is ready", ready(s))
	return s
}

// unread are settings whose first reading is awaited.
type unread struct {
	SettingStore
	first func()
}

func (u unread) Settings(ctx context.Context) ([]domain.Setting, error) {
	u.first()
	return nil, ctx.Err()
}

// Before the folder of the models is read, a server with no version yet does not say that all are ready.
func TestItIsNotReadyBeforeItHasLooked(t *testing.T) {
	t.Parallel()
	asked, looked := make(chan struct{}, 1), make(chan struct{})
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	s := newServiceWith(t, dir, Times{}, func(d *Deps) {
		d.Settings = unread{first: func() {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-looked
		}}
	})
	<-asked
	if h := s.Health(); h.Ready || h.Detail == "" {
		t.Errorf("it is %+v", h)
	}
	close(looked)
	until(t, "a worker that is ready", ready(s))
}

func ask(t *testing.T, s *Service, text string) (string, error) {
	t.Helper()
	return askWithin(t, s, text, time.Minute)
}

func askWithin(t *testing.T, s *Service, text string, d time.Duration) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	a, err := s.Infer(ctx, Request{Model: "chaos", Inputs: []Tensor{TextTensor("text", text)}})
	if err != nil {
		return "", err
	}
	texts, err := a.Outputs[0].Texts()
	return strings.Join(texts, ","), err
}

// until waits for a condition; the test's own time bounds it.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came: %s", what)
		}
	}
}

func ready(s *Service) func() bool {
	return func() bool { h := s.Health(); return len(h.Versions) > 0 && h.Ready }
}

// fast has a worker that hangs found soon, and restarts at once; it is not failed for its crashes. One that is
// idle is not asked, since a busy machine may keep it from answering.
var fast = Times{Backoff: time.Millisecond, BackoffMax: 10 * time.Millisecond, Grace: time.Millisecond,
	Step: 20 * time.Millisecond, Crashes: 1000, Ping: time.Hour, Hello: time.Minute, Load: time.Minute}

func TestRequestsAreAnsweredInTimeWhateverWorkersDo(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	for _, c := range []struct {
		text, is string
		kind     domain.Kind
	}{
		{"hello", "HELLO", ""},
		{"exit", "", domain.Invalid}, // ended two workers: refused
		{"kill", "", domain.Invalid},
		{"exit", "", domain.Invalid}, // and at once
		{"garbage", "", domain.Invalid},
		{"flood", "", domain.Invalid},
		{"loop", "", domain.Unavailable},
		{"stop", "", domain.Unavailable},
		{"bomb", "", domain.Unavailable},
		{"refuse", "", domain.Invalid},
		{"fail", "", domain.Internal},
	} {
		most := time.Minute
		if c.text == "loop" || c.text == "stop" {
			most = 300 * time.Millisecond
		}
		got, err := askWithin(t, s, c.text, most)
		if got != c.is || (err == nil) != (c.kind == "") || err != nil && domain.KindOf(err) != c.kind {
			t.Errorf("%q was answered %q, %v; want %q, %v", c.text, got, err, c.is, c.kind)
		}
		until(t, "a worker after "+c.text, func() bool {
			got, err := ask(t, s, "next")
			return err == nil && got == "NEXT"
		})
	}
	w := s.Health().Versions[0].Workers[0]
	if w.Restarts < 7 || w.LastErr == "" {
		t.Errorf("the page of health says %d restarts, the last because of %q", w.Restarts, w.LastErr)
	}
	if !slices.Contains(w.Sandbox, "memory") {
		t.Errorf("the page of health says only %v of a worker whose memory is limited", w.Sandbox)
	}
}

func TestAWorkerThatLoopsSaysWhere(t *testing.T) {
	t.Parallel()
	times := fast
	times.Step = time.Minute // until it has ended by itself
	s := chaos(t, times)
	until(t, "its stack", func() bool {
		if _, err := askWithin(t, s, "loop", 200*time.Millisecond); err == nil {
			t.Error("an endless loop was answered")
		}
		return strings.Contains(s.Health().Versions[0].Workers[0].Dump, `model.py", line`)
	})
}

func TestAWorkerThatIsKilledOrStoppedWhileIdleIsReplaced(t *testing.T) {
	t.Parallel()
	times := fast
	times.Ping = 200 * time.Millisecond
	s := chaos(t, times)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		until(t, "a worker that is ready", ready(s))
		pid := s.Health().Versions[0].Workers[0].PID
		if err := syscall.Kill(pid, sig); !errors.Is(err, syscall.ESRCH) { // a busy machine may have had it ended
			must(t, err)
		}
		until(t, "another worker", func() bool {
			w := s.Health().Versions[0].Workers[0]
			return w.State == stateReady && w.PID != pid
		})
		if got, err := ask(t, s, "hello"); got != "HELLO" {
			t.Errorf("after %v: %q, %v", sig, got, err)
		}
	}
}

func TestABatchWithOneBadInputAnswersTheOthers(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	var running sync.WaitGroup
	for i := range 40 {
		text := []string{"sleep", "ok", "fail", "ok"}[i%4]
		if i == 21 {
			text = "exit"
		}
		running.Go(func() {
			got, err := ask(t, s, text)
			if good := text == "ok" || text == "sleep"; good != (err == nil) || good && got != strings.ToUpper(text) {
				t.Errorf("%s was answered %q, %v", text, got, err)
			}
		})
	}
	running.Wait()
}

func TestAVersionThatDoesNotRunLeavesItsPlaceToTheOneBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	writeModel(t, dir, 2, map[string]string{"broken": ""})
	writeModel(t, dir, 3, map[string]string{"crash": ""})
	writeModel(t, dir, 4, map[string]string{GoldenFile: strings.Replace(golden, `"A"`, `"B"`, 1)})
	times := fast
	times.Crashes, times.Probe = 3, time.Hour
	s := newService(t, dir, times)
	until(t, "three versions that have failed, and one that is ready", func() bool {
		failed, h := 0, s.Health()
		for _, v := range h.Versions {
			if v.Workers[0].State == stateFailed {
				failed++
			}
		}
		return failed == 3 && h.Ready
	})
	x := []Tensor{TextTensor("text", "x")}
	a, err := s.Infer(t.Context(), Request{Model: "chaos", Inputs: x})
	if err != nil || a.Version != 1 {
		t.Errorf("version %d answered: %v", a.Version, err)
	}
	for i, why := range map[int]string{1: "no weights", 2: "exit status 9", 3: `should be ["B","SS"]`} {
		if v := s.Health().Versions[i]; !strings.Contains(v.Detail, why) {
			t.Errorf("version %d has failed because %q, want %q", v.Version, v.Detail, why)
		}
	}
	var report domain.HealthReport
	must(t, s.CheckHealth(t.Context(), &report))
	want := []domain.HealthProblem{{Code: "model_failed", Subject: "chaos 2"}, {Code: "model_failed", Subject: "chaos 3"},
		{Code: "model_failed", Subject: "chaos 4"}}
	if !slices.Equal(report.Problems, want) {
		t.Errorf("administrators are told %+v", report.Problems)
	}
	_, err = s.Infer(t.Context(), Request{Model: "chaos", Version: 2, Inputs: x})
	if domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "no weights") {
		t.Errorf("a version that has failed says %v", err)
	}
}

func TestTheInferenceProtocol(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	h := s.Handler()
	body := `{"id": "q1", "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": [["a"], ["b"]]}]}`
	for _, c := range []struct {
		method, path, body string
		status             int
		has                string
	}{
		{"GET", "/v2", "", 200, `"name":"unhidra"`},
		{"GET", "/v2/health/live", "", 200, `"live":true`},
		{"GET", "/v2/health/ready", "", 200, `"ready":true`},
		{"GET", "/v2/models/chaos", "", 200, `"versions":["1"]`},
		{"GET", "/v2/models/chaos/versions/1/ready", "", 200, `"ready":true`},
		{"GET", "/v2/models/chaos/versions/8/ready", "", 404, `"error":"there is no version 8`},
		{"POST", "/v2/models/chaos/infer", body, 200,
			`"id":"q1","parameters":{"variant":"default"},` +
				`"outputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["A","B"]}]`},
		{"POST", "/v2/models/none/infer", body, 404, `"error":"there is no model`},
		{"POST", "/v2/models/chaos/infer", `{`, 400, `"error":`},
		{"POST", "/v2/models/chaos/infer", `{"inputs": []}`, 400, `model.toml names 1`},
		{"POST", "/v2/models/chaos/infer", strings.Replace(body, "[2]", "[3]", 1), 400, "2 texts, and the shape [3]"},
		{"POST", "/v2/repository/index", "{}", 200, `{"name":"chaos","version":"1","state":"READY","reason":""}`},
		{"GET", "/internal/ml/health", "", 200, `"state": "ready"`},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v2/models/chaos/infer", strings.NewReader(body))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("a page elsewhere may ask: %d", w.Code)
	}
}

func TestTensorsInBinary(t *testing.T) {
	t.Parallel()
	h := chaos(t, fast).Handler()
	data := "\x01\x00\x00\x00a\x02\x00\x00\x00\u00df"
	ask := func(text, data, length string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v2/models/chaos/infer", strings.NewReader(text+data))
		r.Header.Set("Inference-Header-Content-Length", length)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	const input = `"inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 11}}]`
	plain := `{` + input + `}`
	for name, c := range map[string]struct {
		text string
		size int // of the JSON of the answer; 0: it is all
	}{
		"all in JSON":   {plain, 0},
		"all in binary": {`{"parameters": {"binary_data_output": true}, ` + input + `}`, 1},
		"one output":    {`{"outputs": [{"name": "text", "parameters": {"binary_data": true}}], ` + input + `}`, 1},
		"none, and one would": {`{"parameters": {"binary_data_output": true}, "outputs": [{"name": "text",
			"parameters": {"binary_data": false}}], ` + input + `}`, 0},
	} {
		w := ask(c.text, data, strconv.Itoa(len(c.text)))
		body, length := w.Body.String(), w.Header().Get("Inference-Header-Content-Length")
		if c.size == 0 {
			if w.Code != 200 || length != "" || !strings.Contains(body, `"data":["A","SS"]`) {
				t.Errorf("%s: %d %q %s", name, w.Code, length, body)
			}
			continue
		}
		n, _ := strconv.Atoi(length)
		if w.Code != 200 || n == 0 || n > len(body) || strings.Contains(body[:n], `"data"`) ||
			!strings.Contains(body[:n], `"parameters":{"binary_data_size":11}`) ||
			body[n:] != "\x01\x00\x00\x00A\x02\x00\x00\x00SS" {
			t.Errorf("%s: %d %q %q", name, w.Code, length, body)
		}
	}
	for _, c := range []struct{ text, data, length, says string }{
		{plain, data, "x", "has the length"}, {plain, data, "-1", "has the length"}, {plain, data, "999", "has the length"},
		{plain, data, "5", "no request of the protocol"},
		{plain, data[:10], strconv.Itoa(len(plain)), "11 bytes behind the JSON, of 10"},
		{plain, data + "!", strconv.Itoa(len(plain)), "1 bytes behind the JSON are of no input"},
		{strings.Replace(plain, "11}", `11}, "data": ["a"]`, 1), data, "", "and no data in it"},
		{strings.Replace(plain, "11}", "-1}", 1), data, "", "-1 bytes behind"},
		{strings.Replace(plain, "[2]", "[3]", 1), data, "", "2 texts, and the shape [3]"},
		{strings.Replace(plain, "11}", `"11"}`, 1), data, "", "no request of the protocol"},
	} {
		length := cmp.Or(c.length, strconv.Itoa(len(c.text)))
		if w := ask(c.text, c.data, length); w.Code != 400 || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s; want %q", c.text, w.Code, w.Body, c.says)
		}
	}
}

func TestLoadingAModelNeedsTheKey(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	s.Token = "the key"
	h := s.Handler()
	for _, c := range []struct {
		path, bearer string
		status       int
	}{
		{"chaos/unload", "", 401}, {"chaos/unload", "Bearer another", 401}, {"none/unload", "Bearer the key", 404},
		{"chaos/unload", "Bearer the key", 200}, {"chaos/unload", "Bearer the key", 200},
		{"chaos/infer", "", 503}, {"chaos/load", "Bearer the key", 200},
	} {
		path := "/v2/repository/models/" + c.path
		if strings.HasSuffix(path, "infer") {
			path = "/v2/models/" + c.path
		}
		r := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(
			`{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}`))
		r.Header.Set("Authorization", c.bearer)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.status {
			t.Errorf("%s with %q: %d %s", c.path, c.bearer, w.Code, w.Body)
		}
	}
	if n := len(s.routings["chaos"].Unloaded); n > 0 {
		t.Errorf("%d versions are unloaded still", n)
	}
}

func TestWorkersHaveNoNetworkWhereTheSystemCanTakeIt(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	held := s.Health().Versions[0].Workers[0].Sandbox
	if !strings.Contains(fmt.Sprint(held), "no_network") {
		t.Skipf("this system takes only %v: that a worker opens no connection is not tried", held)
	}
	_, err := ask(t, s, "network")
	refused := err != nil && (strings.Contains(err.Error(), "Network is unreachable") ||
		strings.Contains(err.Error(), "Operation not permitted"))
	if !refused {
		t.Errorf("a worker that opens a connection: %v", err)
	}
}

func TestWithoutPythonOneSentenceSaysSo(t *testing.T) {
	t.Parallel()
	var log testkit.Buffer
	s := New(Deps{On: true, Dir: t.TempDir(), Scratch: t.TempDir(), Python: "python-that-is-not-there",
		Package: worker.FS(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	until(t, "the sentence", func() bool { return strings.Contains(s.Health().Detail, "models need Python 3.11") })
	if s.Health().Ready {
		t.Error("models are ready without Python")
	}
	var report domain.HealthReport
	must(t, s.CheckHealth(t.Context(), &report))
	if !slices.Equal(report.Problems, []domain.HealthProblem{{Code: "models_away", Failure: true}}) {
		t.Errorf("administrators are told %+v", report.Problems)
	}
	_, err := ask(t, s, "hello")
	if domain.KindOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "UNHIDRA_ML_PYTHON") {
		t.Errorf("who asks is told %v", err)
	}
	cancel()
	must(t, <-done)
	if n := strings.Count(log.String(), "models need Python"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
}

func TestAPythonThatIsNoneOrTooOld(t *testing.T) {
	t.Parallel()
	for python, why := range map[string]string{
		"testdata/python-old": `is "3.9.2"`, "false": "does not say what it is (exit status 1)",
	} {
		_, err := Check(t.Context(), t.TempDir(), Deps{Scratch: t.TempDir(), Python: python, Package: worker.FS()})
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "UNHIDRA_ML_PYTHON") {
			t.Errorf("%s: %v", python, err)
		}
	}
}

func TestATamperedFileIsNotLoaded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	folder := filepath.Join(dir, "chaos", "1")
	if _, err := ReadManifest(os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	must(t, os.Mkdir(filepath.Join(folder, "__pycache__"), 0o700))
	// Python reads what is compiled there without looking at the source, if the header says so.
	for _, name := range []string{"more.py", "__pycache__/model.cpython-311.pyc"} {
		must(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
		_, err := ReadManifest(os.DirFS(folder))
		if err == nil || !strings.Contains(err.Error(), name+" is not in [files]") {
			t.Errorf("a file too many: %v", err)
		}
		must(t, os.Remove(filepath.Join(folder, name)))
	}
	must(t, os.WriteFile(filepath.Join(folder, "model.py"), []byte("import os"), 0o600))
	if _, err := ReadManifest(os.DirFS(folder)); err == nil || !strings.Contains(err.Error(), "model.py has changed") {
		t.Errorf("another file: %v", err)
	}
}
