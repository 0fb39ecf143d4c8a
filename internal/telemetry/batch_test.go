package telemetry

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// documented is the example of docs/packed.md: it was sent at an uptime of 95 s.
const documented = "a80107021828030404826b74656d70657261747572656572656c617905581dc0a9079f8d06000002" +
	"00010106ac0300000203010280060d000002000007816343656c09f50a1a00017318"

func TestAPackedBatchIsAReportForEachOfItsTimes(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	p := domain.Principal{ID: "dev_a", Kind: domain.KindDevice}
	body, _ := hex.DecodeString(documented)
	if _, err := s.Report(t.Context(), p, wire.Report{Packed: base64.StdEncoding.EncodeToString(body)}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"40 -35s anchored [{temperature Cel 21.4} {relay  false}]", "41 -25s anchored [{temperature Cel 21.4}]",
		"42 -15s anchored [{temperature Cel 21.5} {relay  true}]",
		"43 -4.999s anchored [{temperature Cel 21.3} {relay  true}]",
	}
	var got []string
	for _, r := range f.got {
		got = append(got, fmt.Sprint(r.Seq, " ", r.At.Sub(t0), " ", r.Quality, " ", r.Readings))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, d := range []wire.Report{
		{Packed: "!"}, {Packed: "oA=="}, {Packed: documented, Boot: new(uint64(1))},
		{Packed: documented, Readings: map[string]json.RawMessage{}},
		{Readings: map[string]json.RawMessage{}, Uptime: new(int64(1))},
		{Reports: []wire.ReportItem{{At: t0, Uptime: new(int64(1))}}},
	} {
		if _, err := s.Report(t.Context(), p, d); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%+v was taken: %v", d, err)
		}
	}
}

func TestUptimesBecomeTimesByAnchors(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return t0.Add(-d) }
	for name, c := range map[string]struct {
		sent    *int64
		anchors []wire.Anchor
		want    time.Time // of the uptime 60 s
		quality domain.TimeQuality
	}{
		"sent now": {new(int64(90_000)), nil, ago(30 * time.Second), domain.AnchoredTime},
		"an anchor before": {nil, []wire.Anchor{{Uptime: 10_000, At: ago(time.Hour)}},
			ago(time.Hour - 50*time.Second), domain.AnchoredTime},
		"an anchor after": {nil, []wire.Anchor{{Uptime: 70_000, At: ago(time.Hour)}},
			ago(time.Hour + 10*time.Second), domain.AnchoredTime},
		"between two, a clock too slow": {nil, []wire.Anchor{{Uptime: 110_000, At: ago(0)},
			{Uptime: 10_000, At: ago(102 * time.Second)}}, ago(51 * time.Second), domain.AnchoredTime},
		"an anchor that was wrong": {new(int64(90_000)), []wire.Anchor{{Uptime: 59_000, At: time.Unix(5, 0)}},
			ago(30 * time.Second), domain.AnchoredTime},
		"none": {nil, nil, ago(20 * time.Second), domain.EstimatedTime},
	} {
		f, now := &fakes{}, t0
		s := service(f, &now)
		item := func(uptime int64) wire.ReportItem {
			return wire.ReportItem{Uptime: &uptime, Readings: map[string]json.RawMessage{"hum": json.RawMessage("5")}}
		}
		_, err := s.Report(t.Context(), domain.Principal{ID: "dev_a", Kind: domain.KindDevice},
			wire.Report{Uptime: c.sent, Anchors: c.anchors, Reports: []wire.ReportItem{item(60_000), item(80_000)}})
		if err != nil || !f.got[0].At.Equal(c.want) || f.got[0].Quality != c.quality {
			t.Errorf("%s: %v %v, %v; want %v", name, f.got[0].At, f.got[0].Quality, err, c.want)
		}
	}
}
