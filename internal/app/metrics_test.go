package app

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

var update = flag.Bool("update", false, "write docs/metrics.md")

const metricsHead = `# Metrics

The operator's listener (` + "`UNHIDRA_OPERATOR_ADDR`" + `) serves these at ` + "`/metrics`" + `, beside the usual
` + "`go_*` and `process_*`" + `. Prometheus' configuration, rules and alerts for them are in
` + "`deploy/prometheus`, dashboards in `deploy/grafana`" + `, and each alert has a
[page](runbooks/README.md) that says what to do.

No metric has a user, a room or a device as a label. This page is written from the
code: ` + "`go test ./internal/app -run TestMetricsDocs -update`" + `.

| Name | Type | Labels | Meaning |
|---|---|---|---|
`

var (
	described = regexp.MustCompile(
		`fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)"(?:, unit: "[^"]*")?, constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)
	labelName = regexp.MustCompile(`(\w+)="`)
)

// docs/metrics.md lists what a server with everything on registers.
func TestMetricsDocs(t *testing.T) {
	t.Parallel()
	rows := map[string]string{}
	types := map[string]string{}
	reg := everything(t)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		types[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descs := make(chan *prometheus.Desc)
	go func() { reg.Describe(descs); close(descs) }()
	for d := range descs {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s", d)
		}
		name, help := m[1], strings.ReplaceAll(m[2], `\"`, `"`)
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
			continue
		}
		var labels []string
		for _, l := range labelName.FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, "`"+l[1]+"`")
		}
		for l := range strings.SplitSeq(m[4], ",") {
			if l = strings.TrimSpace(l); l != "" {
				labels = append(labels, "`"+l+"`")
			}
		}
		slices.Sort(labels)
		rows[name] = fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind(name, types[name]), strings.Join(labels, ", "), help)
	}
	var b bytes.Buffer
	b.WriteString(metricsHead)
	names := make([]string, 0, len(rows))
	for n := range rows {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		b.WriteString(rows[n])
	}
	path := filepath.Join("..", "..", "docs", "metrics.md")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("docs/metrics.md differs from the code; run: go test ./internal/app -run TestMetricsDocs -update")
	}
}

// kind is the type of a metric, or, for one without a sample yet, what its name
// says.
func kind(name, sampled string) string {
	switch {
	case sampled != "":
		return sampled
	case strings.HasSuffix(name, "_total"):
		return "counter"
	case strings.HasSuffix(name, "_duration_seconds"):
		return "histogram"
	}
	return "gauge"
}

// everything returns the registry of a server that has all parts switched on.
func everything(t *testing.T) *prometheus.Registry {
	t.Helper()
	cert, key := tlstest.NewAuthority(t).Files(t.TempDir(), 1000*time.Hour)
	c, err := config.Load([]string{
		"UNHIDRA_DATA_DIR=" + t.TempDir(), "UNHIDRA_BIND_ADDR=127.0.0.1", "GATEWAY_PORT=0", "AUTH_BIND_ADDR=127.0.0.1:0",
		"UNHIDRA_OPERATOR_ADDR=127.0.0.1:0",
		"UNHIDRA_TLS_CERT=" + cert, "UNHIDRA_TLS_KEY=" + key, "UNHIDRA_SMTP_URL=smtp://127.0.0.1:1",
		"UNHIDRA_MAIL_FROM=chat@example.org", "UNHIDRA_OTLP_URL=http://127.0.0.1:1",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.NATS.Servers = "nats://127.0.0.1:1" // nobody is there, and that is no error
	log := slog.New(slog.DiscardHandler)
	logs := newLogs(Options{Config: c, Log: log})
	db, err := OpenStore(t.Context(), c, StoreOptions{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	repo, err := OpenReadings(t.Context(), db, c, StoreOptions{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = repo.End() })
	s := &server{Options: Options{Config: c, Version: "test", Log: log}, logs: logs, db: db, readings: repo,
		reg:    obs.NewRegistry("test"),
		health: &obs.Health{}}
	logs.Watch(s.reg)
	disk.Watch(s.reg, c.DataDir)
	t.Cleanup(s.closeListeners)
	t.Cleanup(s.closeBus)
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.handlers(); err != nil {
		t.Fatal(err)
	}
	return s.reg
}
