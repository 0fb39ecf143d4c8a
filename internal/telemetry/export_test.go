package telemetry

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestAnExportHasEveryValueInItsOrder(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	f.points = map[string][]domain.Point{
		"x": {{At: t0.Add(-2 * time.Second), Value: domain.Number(21.50)},
			{At: t0.Add(-time.Second), Value: domain.Number(-3)}},
		"mode": {{At: t0.Add(-1500 * time.Millisecond), Value: domain.Text(`=1+1, "x"`), Quality: domain.ReceivedTime}},
	}
	chosen := []domain.Series{{Name: "x", Unit: "Cel"}, {Name: "mode", Kind: domain.TextValue}}
	for format, want := range map[string]string{
		"csv": "time,series,unit,value,quality\n2026-03-14T08:59:58Z,x,Cel,21.5,device\n" +
			"2026-03-14T08:59:58.5Z,mode,,\"'=1+1, \"\"x\"\"\",received\n2026-03-14T08:59:59Z,x,Cel,-3,device\n",
		"jsonl": `{"time":"2026-03-14T08:59:58Z","series":"x","unit":"Cel","value":21.5,"quality":"device"}` + "\n" +
			`{"time":"2026-03-14T08:59:58.5Z","series":"mode","value":"=1+1, \"x\"","quality":"received"}` + "\n" +
			`{"time":"2026-03-14T08:59:59Z","series":"x","unit":"Cel","value":-3,"quality":"device"}` + "\n",
	} {
		var b strings.Builder
		if err := s.writeExport(t.Context(), &b, &exportInput{Format: format}, chosen, t0.Add(-time.Hour), t0); err != nil ||
			b.String() != want {
			t.Errorf("%s: %s, %v", format, b.String(), err)
		}
	}
}

// A long export is read in pieces; what was measured at one time is never torn apart, nor written twice.
func TestALongExportHasEveryValueOnce(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	const n = 2*exportAtOnce + 1000
	all := make([]domain.Point, n)
	for i := range all {
		all[i] = domain.Point{At: t0.Add(time.Duration(i/7)*time.Millisecond - time.Hour), Value: domain.Number(float64(i))}
		if i >= exportAtOnce/2 && i < exportAtOnce*7/4 { // more than is read at once, of one time
			all[i].At = all[exportAtOnce/2-1].At
		}
	}
	f.points = map[string][]domain.Point{"x": all}
	var b strings.Builder
	err := s.writeExport(t.Context(), &b, &exportInput{Format: "csv"}, []domain.Series{{Name: "x"}}, t0.Add(-time.Hour),
		t0)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if err != nil || len(lines) != n+1 {
		t.Fatalf("%d lines, want %d; %v", len(lines), n+1, err)
	}
	for i, line := range lines[1:] {
		if !strings.HasSuffix(line, fmt.Sprintf(",x,,%s,device", strconv.FormatFloat(float64(i), 'g', -1, 64))) {
			t.Fatalf("line %d is %s", i, line)
		}
	}
}
