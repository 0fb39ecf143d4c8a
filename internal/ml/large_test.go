package ml

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/worker"
)

// idlePool is a version without a worker.
func idlePool(t *testing.T) *pool {
	t.Helper()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	p, err := openPool(filepath.Join(dir, "chaos", "1"), Deps{Log: testkit.Logger(t)}, "", newMetrics(nil))
	must(t, err)
	return p
}

func TestInputsThatNoMessageCarriesAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := idlePool(t)
	over, cancel := context.WithCancel(t.Context())
	cancel() // what is not refused at once is late
	for size, kind := range map[int]domain.Kind{maxMessage: domain.TooLarge, maxMessage - 512: domain.Unavailable} {
		_, err := p.infer(over, []Tensor{TextTensor("text", strings.Repeat("x", size))}, Normal)
		if domain.KindOf(err) != kind {
			t.Errorf("%d bytes: %v, want %v", size, err, kind)
		}
	}
}

func TestABatchHasWhatFitsIntoOneMessage(t *testing.T) {
	t.Parallel()
	w, now := newWaiting(10), time.Now()
	for _, size := range []int{maxBatch / 2, maxBatch / 2, 1 << 10, maxBatch, 1, 1} {
		must(t, w.push(&call{size: size, deadline: now.Add(time.Hour), done: make(chan outcome, 1)}))
	}
	for i, want := range []int{2, 1, 1, 2, 0} {
		if got := len(w.take(8, now)); got != want {
			t.Errorf("batch %d has %d calls, want %d", i, got, want)
		}
	}
}

func TestLargeInputsAndAnswersEndNoWorker(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	var running sync.WaitGroup
	for i := range 8 {
		const size = 6 << 20
		running.Go(func() {
			text := "grow " + strconv.Itoa(size)
			if i%2 == 0 {
				text = strings.Repeat("x", size)
			}
			if got, err := ask(t, s, text); len(got) != size {
				t.Errorf("%.20s was answered with %d bytes: %v", text, len(got), err)
			}
		})
	}
	running.Wait()
	if _, err := ask(t, s, "grow "+strconv.Itoa(maxMessage)); domain.KindOf(err) != domain.Internal ||
		!strings.Contains(err.Error(), "takes more than") {
		t.Errorf("an answer that no message carries: %v", err)
	}
	if w := s.Health().Versions[0].Workers[0]; w.Restarts > 0 {
		t.Errorf("%d workers ended: %s", w.Restarts, w.LastErr)
	}
}

func TestABusyWorkerThatTakesTooMuchMemoryIsReplaced(t *testing.T) {
	t.Parallel()
	testkit.NeedPython(t)
	p := idlePool(t)
	p.manifest.MaxBatch = 1
	runtime, err := New(Deps{Scratch: t.TempDir(), Package: worker.FS()}).unpackRuntime()
	must(t, err)
	w, err := start("python3", runtime)
	must(t, err)
	defer w.kill()
	must(t, p.slots[0].load(w))
	p.manifest.MemoryMB = -BaseMB // less than any worker takes
	for range 2 {
		must(t, p.waiting.push(&call{inputs: []Tensor{TextTensor("text", "x")}, deadline: time.Now().Add(time.Minute),
			done: make(chan outcome, 1)}))
	}
	if err := p.slots[0].serve(t.Context(), w); !errors.Is(err, errRecycle) || p.waiting.len() != 1 {
		t.Errorf("it ended because of %v, when %d requests waited", err, p.waiting.len())
	}
}

// A deadlined is an answer that remembers until when the request is read.
type deadlined struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (d *deadlined) SetReadDeadline(t time.Time) error {
	d.until = append(d.until, t)
	return nil
}

func TestAModelMayTakeLongerThanABody(t *testing.T) {
	t.Parallel()
	p := idlePool(t)
	s := New(Deps{On: true, Log: testkit.Logger(t)})
	s.off, s.models = "", map[string]map[int]*entry{"chaos": {1: {pool: p}}}
	body := `{"parameters": {"timeout": 1000}, "inputs": [
		{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}`
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v2/models/chaos/infer",
		strings.NewReader(body)))
	if w.Code != 503 || len(w.until) != 2 || w.until[0].IsZero() || !w.until[1].IsZero() {
		t.Errorf("%d %s; read until %v", w.Code, w.Body, w.until)
	}
}
