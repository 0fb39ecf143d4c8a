// Package obs is how the server is observed: its log, its metrics, and whether
// it is well. It has no globals: what is made here is passed on.
package obs

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewLogger returns a logger that writes to w lines for people (text), or JSON.
// The format auto is text if w is a terminal, and JSON otherwise.
func NewLogger(w io.Writer, level, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: levelOf(level)}
	if format == "text" || format == "auto" && terminal(w) {
		o.ReplaceAttr = short
		return slog.New(slog.NewTextHandler(w, o))
	}
	o.ReplaceAttr = seconds
	return slog.New(slog.NewJSONHandler(JSONLines(w), o))
}

// seconds writes durations in the unit of all metrics.
func seconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}

func levelOf(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(name))); err != nil {
		return slog.LevelInfo
	}
	return l
}

// short leaves to the reader of a terminal the date, which they know.
func short(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.String("time", a.Value.Time().Format(time.TimeOnly))
	}
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().Round(10*time.Microsecond).String())
	}
	return a
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// NewRegistry returns a registry of metrics that has those of the process and
// of the Go runtime.
func NewRegistry(version string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "unhidra_build_info", Help: "1, with the version of the server as a label.",
		ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), info)
	return reg
}

// Observe adds a time to a histogram. A trace that is exported is an exemplar of it: an example
// of a request that took so long. traceID is empty for others.
func Observe(o prometheus.Observer, seconds float64, traceID string) {
	if e, ok := o.(prometheus.ExemplarObserver); ok && traceID != "" {
		e.ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": traceID})
		return
	}
	o.Observe(seconds)
}

// Metrics serves reg in Prometheus' formats. Exemplars are in OpenMetrics alone.
func Metrics(reg *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		Registry: reg, MaxRequestsInFlight: 3, Timeout: 10 * time.Second, EnableOpenMetrics: true,
	})
}
