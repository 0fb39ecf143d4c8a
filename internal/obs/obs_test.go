package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b, "warn", "auto")
	log.Info("not this")
	log.Warn("this", "took", time.Second, "from", "a\nb")
	if got := b.String(); !strings.HasPrefix(got, "{") || strings.Contains(got, "not this") ||
		strings.Count(got, "\n") != 1 || !strings.Contains(got, `"took":1,`) {
		t.Errorf("got %s", got)
	}
	b.Reset()
	NewLogger(&b, "debug", "text").Debug("that", "took", 1234567*time.Nanosecond, "from", "a\nb\x1b[31m")
	if got := b.String(); !strings.Contains(got, "took=1.23ms") || strings.Count(got, "\n") != 1 ||
		strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}

// TestALogLineIsOneLine: for every reader, whatever stands in a value.
func TestALogLineIsOneLine(t *testing.T) {
	t.Parallel()
	const steers = "a\n\r\v\x1b\x7f\u0085\u009b\u2028\u2029\u202e\u2066\ufeffz"
	for _, format := range []string{"json", "text"} {
		var b bytes.Buffer
		NewLogger(&b, "info", format).With("who", steers).Info(steers, "from", steers, "err", errors.New(steers))
		line, end := strings.CutSuffix(b.String(), "\n")
		if i := strings.IndexFunc(line, IsControl); i >= 0 || !end {
			t.Errorf("%s: raw %q in %q", format, line[max(i, 0):], line)
		}
		var v map[string]string
		if err := json.Unmarshal([]byte(line), &v); format == "json" &&
			(err != nil || v["from"] != steers || v["who"] != steers) {
			t.Errorf("a parser reads %q, %v", v, err)
		}
	}
}

func TestHealth(t *testing.T) {
	var h Health
	ask := func(f http.HandlerFunc) (int, string) {
		rec := httptest.NewRecorder()
		f(rec, httptest.NewRequest("GET", "/", nil))
		return rec.Code, rec.Body.String()
	}
	if code, _ := ask(h.ServeHealth); code != 200 {
		t.Errorf("health: %d", code)
	}
	if code, _ := ask(h.ServeReady); code != 503 {
		t.Errorf("ready before the start: %d", code)
	}
	var err error
	h.Check("store", func(context.Context) error { return err })
	h.SetReady(true)
	if code, _ := ask(h.ServeReady); code != 200 {
		t.Errorf("ready: %d", code)
	}
	err = errors.New("host db7 is away")
	if code, body := ask(h.ServeReady); code != 503 || !strings.Contains(body, "store") || strings.Contains(body, "db7") {
		t.Errorf("store away: %d %s", code, body)
	}
}

func TestMetrics(t *testing.T) {
	rec := httptest.NewRecorder()
	Metrics(NewRegistry("1.2.3")).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`unhidra_build_info{version="1.2.3"} 1`, "go_goroutines", "process_open_fds"} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

type fixed struct{}

func (fixed) Decisions() (allowed, denied uint64) { return 3, 2 }

func TestLimits(t *testing.T) {
	reg := NewRegistry("1.2.3")
	CountLimit(reg, "a", fixed{})
	CountLimit(reg, "b", fixed{})
	allowed, denied := NewDecisions("c")
	reg.MustRegister(allowed, denied)
	rec := httptest.NewRecorder()
	Metrics(reg).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`rate_limit_decisions_total{decision="allowed",rule="a"} 3`,
		`{decision="denied",rule="b"} 2`, `rule="c"} 0`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}
