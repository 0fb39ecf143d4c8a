package telemetry

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// What is wrong with one value costs no other: null is no reading, and all else that is none is refused.
func TestTheGoodValuesOfAReportAreStored(t *testing.T) {
	t.Parallel()
	const readings = `{"air":null,"hum":5,"huge":1e999,"list":[1],"object":{"a":1},"relay":true}`
	for form, frame := range map[string]string{
		"one report": `{"readings":` + readings + `}`,
		"a list":     `{"reports":[{"readings":{"hum":4}},{"readings":` + readings + `}]}`,
	} {
		f, now := &fakes{}, t0
		s := service(f, &now)
		var d wire.Report
		if err := json.Unmarshal([]byte(frame), &d); err != nil {
			t.Fatal(err)
		}
		ack, err := s.Report(t.Context(), domain.Principal{ID: "dev_a", Kind: domain.KindDevice}, d)
		want := []wire.Refusal{{Name: "huge", Reason: "not_finite"}, {Name: "list", Reason: "wrong_kind"},
			{Name: "object", Reason: "wrong_kind"}}
		if err != nil || !slices.Equal(ack.Refused, want) {
			t.Errorf("%s: %+v, %v", form, ack, err)
		}
		if len(f.got) == 0 || !slices.Equal(f.got[len(f.got)-1].Readings,
			[]domain.Reading{one("hum", domain.Number(5)), one("relay", domain.Bool(true))}) {
			t.Errorf("%s: stored %+v", form, f.got)
		}
	}
}

// A device without any value now still counts its reports.
func TestAReportOfNullsIsAcknowledged(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	ack, err := s.Report(t.Context(), domain.Principal{ID: "dev_a", Kind: domain.KindDevice},
		wire.Report{Boot: new(uint64(1)), Seq: new(uint32(4)),
			Readings: map[string]json.RawMessage{"air": json.RawMessage("null")}})
	if err != nil || len(ack.Refused) > 0 || len(f.got) != 1 || f.got[0].Seq != 4 || len(f.got[0].Readings) > 0 {
		t.Errorf("%+v, %v; stored %+v", ack, err, f.got)
	}
}

func TestAPackIsAReportForEachOfItsTimes(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	p := domain.Principal{ID: "dev_a", Kind: domain.KindDevice}
	boot, seq := uint64(7), uint32(40)
	begin := t0.Add(-time.Minute).Unix()
	ack, err := s.Report(t.Context(), p, wire.Report{Boot: &boot, Seq: &seq, SenML: json.RawMessage(fmt.Sprintf(
		`[{"bn":"a/","bt":%d,"n":"x","u":"Cel","v":1},{"n":"y","t":10,"v":3},{"n":"y","v":2},{"n":"z","vd":"aGk"}]`, begin))})
	if err != nil || ack.Accepted != 2 || len(ack.Refused) != 1 || ack.Refused[0].Name != "a/z" {
		t.Fatalf("%+v, %v", ack, err)
	}
	for i, want := range []string{"40 1 a/x a/y", "41 2 a/y"} {
		r := f.got[i]
		got := fmt.Sprint(r.Seq, " ", (r.At.Unix()-begin)/10+1)
		for _, reading := range r.Readings {
			got += " " + reading.Name
		}
		if got != want {
			t.Errorf("report %d: %s, want %s", i, got, want)
		}
	}
	for _, bad := range []wire.Report{
		{}, {SenML: json.RawMessage(`{}`)}, {SenMLCBOR: "?"}, {SenMLCBOR: "gQE="}, {Seq: &seq, SenML: json.RawMessage(`[]`)},
		{SenML: json.RawMessage(`[]`), SenMLCBOR: "gA=="},
	} {
		if _, err := s.Report(t.Context(), p, bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// A time that is absurd must not become now.
func TestAbsurdTimesAreRefused(t *testing.T) {
	t.Parallel()
	uptime := int64(math.MaxInt64)
	sent := int64(1000)
	for name, c := range map[string]struct {
		report wire.Report
		reason domain.RefusalReason
	}{
		"1e300":       {wire.Report{SenML: []byte(`[{"bt":1e300,"n":"a","v":1}]`)}, domain.RefusedFuture},
		"9e18":        {wire.Report{SenML: []byte(`[{"bt":9e18,"n":"a","v":1}]`)}, domain.RefusedFuture},
		"1e18":        {wire.Report{SenML: []byte(`[{"n":"a","t":1e18,"v":1}]`)}, domain.RefusedFuture},
		"-1e300":      {wire.Report{SenML: []byte(`[{"bt":-1e300,"n":"a","v":1}]`)}, domain.RefusedTooOld},
		"3 years ago": {wire.Report{SenML: []byte(`[{"n":"a","t":-9.5e7,"v":1}]`)}, domain.RefusedTooOld},
		"an uptime": {wire.Report{Reports: []wire.ReportItem{{Uptime: &uptime,
			Readings: map[string]json.RawMessage{"a": []byte("1")}}}},
			domain.RefusedFuture},
		"an uptime after the sending": {wire.Report{Uptime: &sent, Reports: []wire.ReportItem{{Uptime: &uptime,
			Readings: map[string]json.RawMessage{"a": []byte("1")}}}}, domain.RefusedFuture},
	} {
		f, now := &fakes{}, t0
		s := service(f, &now)
		got, err := s.Report(t.Context(), domain.Principal{ID: "dev_a", Kind: domain.KindDevice}, c.report)
		if err != nil || len(got.Refused) != 1 || got.Refused[0].Reason != string(c.reason) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
