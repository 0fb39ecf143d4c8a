package audit_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func native() audit.Format { return audit.NewFormat("native", "1.2.3", "chat.example.org") }

// A receiver notes the numbers that reach it.
type receiver struct {
	mu   sync.Mutex
	seqs []int64
	news chan struct{}
}

func newReceiver() *receiver { return &receiver{news: make(chan struct{}, 1)} }

func (r *receiver) got(seqs ...int64) {
	r.mu.Lock()
	r.seqs = append(r.seqs, seqs...)
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *receiver) all() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int64(nil), r.seqs...)
}

// waitFor waits until the receiver has n.
func (r *receiver) waitFor(t *testing.T, n int64) {
	t.Helper()
	end := time.After(2 * time.Minute)
	for {
		for _, s := range r.all() {
			if s == n {
				return
			}
		}
		select {
		case <-r.news:
		case <-end:
			t.Fatalf("record %d did not arrive; got %v", n, r.all())
		}
	}
}

// complete checks that 1 to n arrived, in order but for repeats.
func complete(t *testing.T, seqs []int64, n int64) {
	t.Helper()
	var last int64
	for _, s := range seqs {
		if s > last+1 {
			t.Fatalf("after %d came %d: %v", last, s, seqs)
		}
		last = max(last, s)
	}
	if last < n {
		t.Fatalf("only %d of %d arrived", last, n)
	}
}

func seqOf(t *testing.T, line string) int64 {
	t.Helper()
	var m struct{ Seq int64 }
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return m.Seq
}

func TestWebhookIsSigned(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		secret := []byte("a secret of more than thirty-two bytes")
		got := newReceiver()
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			want := "v1=" + hex.EncodeToString(audit.Signature(secret, r.Header.Get("X-Audit-Timestamp"), body))
			if r.Header.Get("X-Audit-Signature") != want || r.Header.Get("Content-Type") != "application/x-ndjson" ||
				r.Header.Get("Idempotency-Key") == "" {
				t.Errorf("headers: %v", r.Header)
			}
			for line := range strings.Lines(string(body)) {
				got.got(seqOf(t, line))
			}
		}))
		defer srv.Close()
		pool := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		d := deps(t, db.Audit)
		d.Sinks = []audit.Sink{audit.NewWebhook(srv.URL+"/hook", secret, pool, native())}
		s := audit.New(d)
		run(t, s)
		fill(t, s, 1200)
		head, err := db.Audit.AuditHead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got.waitFor(t, head.Seq)
		complete(t, got.all(), head.Seq)
	})
}

// An outage is a receiver that fails until told otherwise.
type outage struct {
	*receiver
	mu    sync.Mutex
	until time.Time
	tries int
}

func (o *outage) Name() string { return "outage" }

func (o *outage) Send(_ context.Context, records []domain.AuditRecord) error {
	o.mu.Lock()
	o.tries++
	away := time.Now().Before(o.until)
	o.mu.Unlock()
	if away {
		return errors.New("away")
	}
	for _, r := range records {
		o.got(r.Seq)
	}
	return nil
}

func (o *outage) Close() error { return nil }

// The clock of this test is not the real one: ten minutes pass at once.
func TestCHK_AU_04_TenMinutesOfOutageLoseNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &memory{}
		sink := &outage{receiver: newReceiver(), until: time.Now().Add(10 * time.Minute)}
		d := deps(t, mem)
		d.Sinks = []audit.Sink{sink}
		reg := prometheus.NewRegistry()
		d.Metrics = reg
		s := audit.New(d)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		for range 20 {
			for range 50 {
				s.Record(ctx, login(1))
			}
			time.Sleep(30 * time.Second)
		}
		if n := len(sink.all()); n != 0 {
			t.Errorf("%d records arrived while the receiver was away", n)
		}
		sink.mu.Lock()
		if sink.tries > 60 {
			t.Errorf("%d tries in ten minutes", sink.tries)
		}
		sink.mu.Unlock()
		mem.setFail(errors.New("away")) // the store too: what is told of the receiver stays as it is
		time.Sleep(2 * time.Minute)
		if records, age := lag(t, reg); records < 900 || age < 500 {
			t.Errorf("told to be %v records and %v seconds behind", records, age)
		}
		mem.setFail(nil)
		time.Sleep(6 * time.Minute) // at most five minutes until the next try
		head, _ := mem.AuditHead(ctx)
		if head.Seq < 1000 {
			t.Errorf("the log has %d records", head.Seq)
		}
		complete(t, sink.all(), head.Seq)
		if records, age := lag(t, reg); records != 0 || age != 0 {
			t.Errorf("told to be %v records and %v seconds behind after all", records, age)
		}
		cancel()
		<-done
	})
}

// lag is how far behind the only sink is told to be.
func lag(t *testing.T, reg *prometheus.Registry) (records, seconds float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch f.GetName() {
		case "audit_sink_lag_records":
			records = f.GetMetric()[0].GetGauge().GetValue()
		case "audit_sink_lag_seconds":
			seconds = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return records, seconds
}

// A sink of a second node takes over where the first one was.
func TestOneNodeFeedsASink(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		got := newReceiver()
		d := deps(t, db.Audit)
		d.Sinks = []audit.Sink{&outage{receiver: got}}
		first, second := audit.New(d), audit.New(d)
		stop := run(t, first)
		fill(t, first, 30)
		head, _ := db.Audit.AuditHead(t.Context())
		got.waitFor(t, head.Seq)
		run(t, second)
		fill(t, second, 30)
		stop()
		fill(t, second, 30)
		head, _ = db.Audit.AuditHead(t.Context())
		got.waitFor(t, head.Seq)
		seqs := got.all()
		for i, s := range seqs {
			if s != int64(i+1) {
				t.Fatalf("place %d has record %d", i, s)
			}
		}
		if r := verify(t, db.Audit, second, nil); !r.Intact() {
			t.Errorf("two nodes broke the chain: %v", r.Problems)
		}
	})
}

func TestFileRotatesAndRepairsAPartialLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log", "audit.jsonl")
	recs := func(from, to int64) (rs []domain.AuditRecord) {
		for i := from; i <= to; i++ {
			rs = append(rs, domain.AuditRecord{Seq: i, Body: []byte(`{"seq":` + string(rune('0'+i)) + `,"type":"auth.login"}`)})
		}
		return rs
	}
	f := audit.NewFile(path, 100, 2, native())
	if err := f.Send(t.Context(), recs(1, 2)); err != nil {
		t.Fatal(err)
	}
	// A crash in the middle of a line.
	h, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = h.WriteString(`{"seq":3,"ty`)
	_ = h.Close()
	_ = f.Close()
	f = audit.NewFile(path, 100, 2, native())
	for i := range int64(7) {
		if err := f.Send(t.Context(), recs(3+i%6, 3+i%6)); err != nil {
			t.Fatal(err)
		}
		if i == 1 { // somebody else moves the file away
			if err := os.Rename(path, path+".aside"); err != nil {
				t.Fatal(err)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "audit-*.jsonl"))
	if err != nil || len(files) == 0 || len(files) > 2 {
		t.Errorf("%d full files, %v", len(files), err)
	}
	for _, name := range append(files, path, path+".aside") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			seqOf(t, line)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
	_ = f.Close()
}

func TestHEC(t *testing.T) {
	t.Parallel()
	got := newReceiver()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/services/collector/event" || r.Header.Get("Authorization") != "Splunk the-token" {
			t.Errorf("%s, %v", r.URL, r.Header)
		}
		d := json.NewDecoder(r.Body)
		for {
			var e struct {
				Time                     float64
				Host, Source, Sourcetype string
				Event                    struct{ Seq int64 }
			}
			if err := d.Decode(&e); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Error(err)
				return
			}
			if e.Host != "chat.example.org" || e.Sourcetype != "unhidra:audit" || e.Time < 1.7e9 {
				t.Errorf("%+v", e)
			}
			got.got(e.Event.Seq)
		}
		_, _ = io.WriteString(w, `{"text":"Success","code":0}`)
	}))
	defer srv.Close()
	db := testkit.Open(t, testkit.SQLite(t))
	d := deps(t, db.Audit)
	d.Sinks = []audit.Sink{audit.NewHEC(srv.URL, "the-token", nil, "chat.example.org", native())}
	s := audit.New(d)
	run(t, s)
	fill(t, s, 40)
	got.waitFor(t, 40)
	complete(t, got.all(), 40)
}
