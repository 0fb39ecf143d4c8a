package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/remotewrite"
	"github.com/unhidra/unhidra/internal/store"
	stored "github.com/unhidra/unhidra/internal/store/readings"
	"github.com/unhidra/unhidra/internal/testkit"
)

// eachReadings runs fn with real stores of readings.
func eachReadings(t *testing.T, fn func(t *testing.T, repo *stored.Repository)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		repo, err := stored.OpenFile(t.Context(), testkit.NewFile(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = repo.End() })
		fn(t, repo)
	})
	t.Run("postgres", func(t *testing.T) {
		db, err := store.Open(t.Context(), testkit.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		fn(t, stored.On(db))
	})
}

func forwarding(repo *stored.Repository, to Receiver, now *time.Time) *Service {
	f := &fakes{}
	return New(Deps{Store: repo, Cleaner: f, Erased: f, Devices: f, Watchable: f, Bus: bus.NewLocal(),
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return *now }, Forwarded: repo, Receiver: to})
}

// A receiver keeps what it is sent. While down is set, it takes nothing; what is older than tooOld it
// refuses, and the whole request with it.
type receiver struct {
	mu     sync.Mutex
	down   bool
	tooOld int64
	got    map[string][]remotewrite.Sample
	twice  int
}

func (r *receiver) Send(_ context.Context, all []remotewrite.Series) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return &remotewrite.LaterError{Cause: errors.New("it is away")}
	}
	for _, s := range all {
		if slices.ContainsFunc(s.Samples, func(x remotewrite.Sample) bool { return x.At < r.tooOld }) {
			return remotewrite.ErrRefused
		}
	}
	for _, s := range all {
		key := fmt.Sprint(s.Labels)
		for _, x := range s.Samples {
			if slices.Contains(r.got[key], x) {
				r.twice++
				continue
			}
			r.got[key] = append(r.got[key], x)
		}
	}
	return nil
}

func (r *receiver) total() (n int) {
	for _, of := range r.got {
		n += len(of)
	}
	return n
}

func measuredAt(at time.Time, v float64) domain.Report {
	return domain.Report{At: at, Readings: []domain.Reading{
		{Name: "air", Unit: "Cel", Value: domain.Number(v)}, {Name: "on", Value: domain.Bool(v > 5)},
		{Name: "mode", Value: domain.Text("heat")}}}
}

func TestReadingsAreForwardedThroughAnOutageAndARestart(t *testing.T) {
	eachReadings(t, func(t *testing.T, repo *stored.Repository) {
		now, begin := t0, t0.Add(-time.Minute)
		to := &receiver{got: make(map[string][]remotewrite.Sample), down: true}
		s := forwarding(repo, to, &now)
		n := 0
		report := func(times int) {
			t.Helper()
			var rs []domain.Report
			for range times {
				n++
				rs = append(rs, measuredAt(begin.Add(time.Duration(n)*10*time.Millisecond), float64(n%10)))
			}
			for _, d := range []string{"dev_a", "dev_b"} {
				if _, err := s.Accept(t.Context(), d, rs); err != nil {
					t.Fatal(err)
				}
			}
		}
		report(1500)
		now = now.Add(time.Minute)
		s.forward.round(t.Context())
		now = now.Add(5 * time.Hour) // longer than a new device is looked back for
		s.forward.round(t.Context())
		if to.total() != 0 {
			t.Fatal("it was down")
		}
		s = forwarding(repo, to, &now) // a restart
		to.down = false
		s.forward.round(t.Context())
		if want := 2 * 2 * n; to.total() != want || to.twice > 0 {
			t.Fatalf("%d samples, %d of them twice; want %d", to.total(), to.twice, want)
		}
		report(10)
		now = now.Add(time.Minute)
		s.forward.round(t.Context())
		if want := 2 * 2 * n; to.total() != want {
			t.Errorf("%d samples, want %d", to.total(), want)
		}
		for key, of := range to.got {
			if !slices.IsSortedFunc(of, func(a, b remotewrite.Sample) int { return int(a.At - b.At) }) {
				t.Errorf("%s was not sent in its order", key)
			}
		}
		// A late one comes as well, and what was sent is sent again from there on.
		if _, err := s.Accept(t.Context(), "dev_a",
			[]domain.Report{measuredAt(begin.Add(5*time.Millisecond), 7)}); err != nil {
			t.Fatal(err)
		}
		s.forward.round(t.Context())
		if want := 2*2*n + 2; to.total() != want {
			t.Errorf("%d samples with the late one, want %d", to.total(), want)
		}
		// Some are too old for the receiver: the others arrive.
		to.got = make(map[string][]remotewrite.Sample)
		to.tooOld = begin.Add(100 * time.Millisecond).UnixMilli()
		if _, err := s.Accept(t.Context(), "dev_a",
			[]domain.Report{measuredAt(begin.Add(6*time.Millisecond), 7)}); err != nil {
			t.Fatal(err)
		}
		s.forward.round(t.Context())
		if want := 2 * (n - 9); to.total() != want {
			t.Errorf("%d samples that are not too old, want %d", to.total(), want)
		}
	})
}

// A realPrometheus is one of Debian, with its receiver of remote write.
type realPrometheus struct {
	t    *testing.T
	dir  string
	addr string
	cmd  *exec.Cmd
}

func (p *realPrometheus) start() {
	p.t.Helper()
	p.cmd = exec.Command("prometheus", "--config.file="+filepath.Join(p.dir, "prometheus.yml"),
		"--storage.tsdb.path="+p.dir,
		"--web.listen-address="+p.addr, "--web.enable-remote-write-receiver", "--log.level=error")
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for range 200 {
		res, err := http.Get("http://" + p.addr + "/-/ready")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.t.Fatal("Prometheus does not start")
}

func (p *realPrometheus) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// values asks for the single values of an expression with a range.
func (p *realPrometheus) values(query string, at time.Time) (n int, labels map[string]string) {
	p.t.Helper()
	res, err := http.Get("http://" + p.addr + "/api/v1/query?" + url.Values{"query": {query},
		"time": {fmt.Sprint(at.Unix())}}.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	if len(answer.Data.Result) != 1 {
		return 0, nil
	}
	return len(answer.Data.Result[0].Values), answer.Data.Result[0].Metric
}

func TestARealPrometheusHasEveryReadingAfterItsOutage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("prometheus"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no Prometheus, which CI must have")
		}
		t.Skip("no Prometheus to test with")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &realPrometheus{t: t, dir: t.TempDir(), addr: l.Addr().String()}
	_ = l.Close()
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	defer func() { p.stop() }()
	repo, err := stored.OpenFile(t.Context(), testkit.NewFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = repo.End() }()
	begin := time.Now().Truncate(time.Second).Add(-10 * time.Minute)
	now := begin
	s := forwarding(repo, &remotewrite.Client{URL: "http://" + p.addr + "/api/v1/write", HTTP: http.DefaultClient}, &now)
	report := func(n int) {
		t.Helper()
		for range n {
			now = now.Add(time.Second)
			if _, err := s.Accept(t.Context(), "dev_a", []domain.Report{measuredAt(now, 21.5)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	report(60)
	now = now.Add(30 * time.Second)
	s.forward.round(t.Context())
	p.stop()
	report(120)
	s.forward.round(t.Context())
	p.start()
	now = now.Add(5 * time.Minute) // no attempt is waited for any longer
	s.forward.round(t.Context())
	n, labels := p.values(`reading{series="air"}[20m]`, now)
	if n != 180 || labels["device"] != "dev_a" || labels["unit"] != "Cel" {
		t.Errorf("%d values of %v", n, labels)
	}
	if n, _ := p.values(`reading{series="on"}[20m]`, now); n != 180 {
		t.Errorf("%d values of the relay", n)
	}
}
