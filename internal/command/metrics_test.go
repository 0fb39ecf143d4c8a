package command

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestACommandCountsOnceItHasEnded(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := newMetrics(reg)
	given := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, state := range []domain.CommandState{
		domain.CommandSent, domain.CommandReceived, domain.CommandRunning, domain.CommandDone, domain.CommandDone,
		domain.CommandExpired,
	} {
		m.end(domain.Command{State: state, CreatedAt: given}, given.Add(2*time.Second))
	}
	const want = `# HELP command_ended_total Commands to devices that ended, by their last state.
# TYPE command_ended_total counter
command_ended_total{state="cancelled"} 0
command_ended_total{state="done"} 2
command_ended_total{state="expired"} 1
command_ended_total{state="failed"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "command_ended_total"); err != nil {
		t.Error(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "command_answer_seconds" {
			continue
		}
		if h := f.GetMetric()[0].GetHistogram(); h.GetSampleCount() != 2 || h.GetSampleSum() != 4 {
			t.Errorf("%d answers in %v s, want 2 in 4 s", h.GetSampleCount(), h.GetSampleSum())
		}
	}
}
