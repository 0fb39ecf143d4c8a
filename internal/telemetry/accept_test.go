package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

var t0 = time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)

// fakes are a store that takes everything, and devices that declare one sensor.
type fakes struct {
	got    []domain.Report
	err    error
	series []domain.Series
	rows   int // to forget
	forgot []string
	erased []string
	points map[string][]domain.Point
}

func (f *fakes) Append(
	_ context.Context, _ string, reports []domain.Report, _ time.Time,
) (a domain.Appended, err error) {
	if f.err != nil {
		return a, f.err
	}
	for i := range reports {
		a.New = append(a.New, i)
	}
	f.got = reports
	a.Accepted = len(reports)
	return a, nil
}

func (f *fakes) Series(context.Context, string) ([]domain.Series, error) { return f.series, nil }

// Points returns the first points of all series as if these were one: a test that limits them has one.
func (f *fakes) Points(
	_ context.Context, _ string, _ []string, from, to time.Time, limit int,
) (map[string][]domain.Point, error) {
	some := make(map[string][]domain.Point)
	for name, of := range f.points {
		begin := slices.IndexFunc(of, func(p domain.Point) bool { return !p.At.Before(from) && p.At.Before(to) })
		if begin >= 0 {
			some[name] = of[begin:min(len(of), begin+limit)]
		}
	}
	return some, nil
}

func (f *fakes) Buckets(
	context.Context, string, []string, time.Time, time.Time, time.Duration, domain.Resolution,
) (map[string][]domain.Bucket, error) {
	return nil, nil
}

func (f *fakes) Close(context.Context, time.Time, bool) (bool, error) { return false, nil }

func (f *fakes) Capabilities(context.Context, string) (domain.Capabilities, error) {
	return domain.Capabilities{Sensors: []domain.Sensor{{Name: "declared", Kind: domain.NumberArg, Unit: "Cel"}}}, nil
}

func (f *fakes) MaySee(context.Context, domain.Principal, string) (d domain.Device, mine bool, err error) {
	return d, true, nil
}

func (f *fakes) SeenBy(_ context.Context, _ string, devices []string) ([]string, error) {
	return devices, nil
}

func (f *fakes) Forget(_ context.Context, r domain.Resolution, before time.Time, limit int) (int64, error) {
	f.forgot = append(f.forgot, fmt.Sprint(time.Duration(r), " ", before.Format(time.DateOnly)))
	if f.rows -= limit; f.rows >= 0 {
		return int64(limit), nil
	}
	return int64(limit + f.rows), nil
}

func (f *fakes) ForgetNumbers(_ context.Context, before time.Time) error {
	f.forgot = append(f.forgot, "numbers "+before.Format(time.DateOnly))
	return nil
}

func (f *fakes) Compact(context.Context) (bool, error) { return false, nil }

func (f *fakes) Erase(_ context.Context, device string) error {
	f.erased = append(f.erased, device)
	return nil
}

func (f *fakes) ErasedDevices(context.Context, time.Time) ([]string, error) {
	return []string{"dev_gone"}, nil
}

func service(f *fakes, now *time.Time) *Service {
	return New(Deps{Store: f, Cleaner: f, Erased: f, Devices: f, Watchable: f, Bus: bus.NewLocal(), Log: slog.New(slog.DiscardHandler),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return *now },
		Keep: Keep{Raw: 30 * day, Minutes: 400 * day}})
}

func one(name string, v domain.Value) domain.Reading { return domain.Reading{Name: name, Value: v} }

func TestEachBadReadingIsRefusedWithItsReason(t *testing.T) {
	t.Parallel()
	at := func(at time.Time, rs ...domain.Reading) domain.Report { return domain.Report{At: at, Readings: rs} }
	good := one("good", domain.Number(1))
	for _, c := range []struct {
		what   string
		report domain.Report
		reason domain.RefusalReason
		name   string
		kept   int // of the readings
	}{
		{"not a number", at(t0, good, one("x", domain.Number(math.NaN()))), domain.RefusedNotFinite, "x", 1},
		{"infinite", at(t0, good, one("x", domain.Number(math.Inf(-1)))), domain.RefusedNotFinite, "x", 1},
		{"in 11 minutes", at(t0.Add(11*time.Minute), good), domain.RefusedFuture, "", 0},
		{"31 days ago", at(t0.Add(-31*day), good), domain.RefusedTooOld, "", 0},
		{"no name", at(t0, good, one("", domain.Number(1))), domain.RefusedName, "", 1},
		{"a name with spaces", at(t0, good, one("a b", domain.Number(1))), domain.RefusedName, "", 1},
		{"a long name", at(t0, good, one(strings.Repeat("a", 65), domain.Number(1))), domain.RefusedName, "", 1},
		{"a long unit", at(t0, good, domain.Reading{Name: "x", Unit: strings.Repeat("u", 17), Value: domain.Number(1)}),
			domain.RefusedUnit, "x", 1},
		{"a long text", at(t0, good, one("x", domain.Text(strings.Repeat("a", 65)))), domain.RefusedText, "x", 1},
		{"bytes", at(t0, good, one("x", domain.Text("\xff"))), domain.RefusedText, "x", 1},
		{"a text of a sensor of numbers", at(t0, good, one("declared", domain.Text("1"))), domain.RefusedKind, "declared", 1},
		{"the word for no number", at(t0, good, one("x", domain.Text("NaN"))), domain.RefusedNotFinite, "x", 1},
		{"the word for infinity", at(t0, good, one("x", domain.Text("-inf"))), domain.RefusedNotFinite, "x", 1},
		{"no kind", at(t0, good, domain.Reading{Name: "x"}), domain.RefusedKind, "x", 1},
		{"twice", at(t0, good, one("x", domain.Number(1)), one("x", domain.Number(2))), domain.RefusedTwice, "x", 2},
	} {
		f, now := &fakes{}, t0
		s := service(f, &now)
		ack, err := s.Accept(t.Context(), "dev_a", []domain.Report{c.report})
		if err != nil || len(ack.Refused) != 1 || ack.Refused[0] != (domain.Refusal{Name: c.name, Reason: c.reason}) {
			t.Errorf("%s: %+v, %v", c.what, ack, err)
		}
		kept := 0
		for _, r := range f.got {
			kept += len(r.Readings)
		}
		if kept != c.kept {
			t.Errorf("%s: %d readings were stored, want %d", c.what, kept, c.kept)
		}
		if n := testutil.ToFloat64(s.metrics.refused.WithLabelValues(string(c.reason))); n != 1 {
			t.Errorf("%s: counted %v times", c.what, n)
		}
	}
}

// One odd value must not turn a chart of numbers into a list of texts. What is declared counts more.
func TestASensorThatWasNotDeclaredKeepsItsKind(t *testing.T) {
	t.Parallel()
	f, now := &fakes{series: []domain.Series{{Name: "stored", Kind: domain.NumberValue},
		{Name: "declared", Kind: domain.TextValue}, {Name: "words", Kind: domain.TextValue}}}, t0
	s := service(f, &now)
	number, text, yes := domain.Number(20), domain.Text("unavailable"), domain.Bool(true)
	for _, c := range []struct {
		name   string
		value  domain.Value
		reason domain.RefusalReason
	}{
		{"soil", number, ""}, {"soil", text, domain.RefusedKind}, {"soil", yes, domain.RefusedKind}, {"soil", number, ""},
		{"m3", yes, ""}, {"m3", number, domain.RefusedKind}, {"m3", domain.Text("off"), domain.RefusedKind}, {"m3", yes, ""},
		{"mode", text, ""}, {"mode", number, domain.RefusedKind}, {"mode", domain.Text("heat"), ""},
		{"stored", text, domain.RefusedKind}, {"stored", number, ""},
		{"declared", number, ""}, {"declared", text, domain.RefusedKind},
		{"words", domain.Text("NaN"), ""},
	} {
		ack, err := s.Accept(t.Context(), "dev_a", []domain.Report{{Readings: []domain.Reading{one(c.name, c.value)}}})
		var reason domain.RefusalReason
		if len(ack.Refused) > 0 {
			reason = ack.Refused[0].Reason
		}
		if err != nil || reason != c.reason {
			t.Errorf("%s %v: %q, %v", c.name, c.value, reason, err)
		}
	}
}

func TestARefusedReportThatIsNumberedIsAcknowledged(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	r := domain.Report{At: t0.Add(time.Hour), Boot: 1, Seq: 5, HasSeq: true,
		Readings: []domain.Reading{one("x", domain.Number(1))}}
	ack, err := s.Accept(t.Context(), "dev_a", []domain.Report{r})
	if err != nil || ack.Accepted != 1 || len(ack.Refused) != 1 || ack.Refused[0].Reason != domain.RefusedFuture {
		t.Fatalf("%+v, %v", ack, err) // its number counts as come, its readings do not
	}
	r.HasSeq = false
	if ack, err := s.Accept(t.Context(), "dev_b", []domain.Report{r}); err != nil || ack.Accepted != 0 {
		t.Errorf("without a number: %+v, %v", ack, err)
	}
	if len(f.got) != 1 || f.got[0].Seq != 5 || len(f.got[0].Readings) != 0 {
		t.Errorf("stored %+v, want its number alone", f.got)
	}
}

func TestTimesOfAClockThatWasNeverSetAreWorkedOut(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	boot := time.Unix(0, 0)
	var reports []domain.Report
	for _, at := range []time.Time{boot.Add(10 * time.Second), boot.Add(40 * time.Second), {}, t0.Add(-time.Hour)} {
		reports = append(reports, domain.Report{At: at, Readings: []domain.Reading{one("x", domain.Number(1))}})
	}
	if _, err := s.Accept(t.Context(), "dev_a", reports); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		at      time.Time
		quality domain.TimeQuality
	}{
		{t0.Add(-30 * time.Second), domain.EstimatedTime}, {t0, domain.EstimatedTime}, {t0, domain.ReceivedTime},
		{t0.Add(-time.Hour), domain.DeviceTime},
	} {
		if got := f.got[i]; !got.At.Equal(want.at) || got.Quality != want.quality {
			t.Errorf("report %d: %v, %d", i, got.At, got.Quality)
		}
	}
}

// What a clock that was never set says can be of before all that a server can have, also where readings
// are kept for ever.
func TestATimeFromBeforeAnyReadingIsRefused(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	s.Keep.Raw = 0
	var reports []domain.Report
	for _, at := range []time.Time{time.Time{}.Add(time.Second), time.Unix(0, 0), clocksBegin.Add(-time.Hour)} {
		reports = append(reports, domain.Report{At: at, Readings: []domain.Reading{one("x", domain.Number(1))}})
	}
	ack, err := s.Accept(t.Context(), "dev_a", reports)
	if err != nil || len(f.got) != 1 || !f.got[0].At.Equal(t0) ||
		!slices.Equal(ack.Refused, []domain.Refusal{{Reason: domain.RefusedTooOld}}) {
		t.Errorf("%+v, %v; stored %+v", ack, err, f.got)
	}
}

// A value of the future would stay the latest one until its time has come.
func TestAValueOfTheFutureGivesWayToTheNext(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	send := func(reports ...domain.Report) {
		t.Helper()
		if ack, err := s.Accept(t.Context(), "dev_a", reports); err != nil || len(ack.Refused) > 0 {
			t.Fatalf("%+v, %v", ack, err)
		}
	}
	at := func(at time.Time, v float64) domain.Report {
		return domain.Report{At: at, Readings: []domain.Reading{one("x", domain.Number(v))}}
	}
	send(at(t0.Add(-time.Minute), 0), at(t0.Add(8*time.Minute), 1), at(t0.Add(9*time.Minute), 2),
		at(t0.Add(clockJitter), 3))
	for i, want := range []struct {
		at      time.Time
		quality domain.TimeQuality
	}{
		{t0.Add(-time.Minute), domain.DeviceTime}, {t0.Add(-time.Minute), domain.EstimatedTime},
		{t0, domain.EstimatedTime}, {t0.Add(clockJitter), domain.DeviceTime},
	} {
		if got := f.got[i]; !got.At.Equal(want.at) || got.Quality != want.quality {
			t.Errorf("report %d: %v, %d", i, got.At, got.Quality)
		}
	}
	now = t0.Add(2 * time.Second)
	send(at(t0.Add(9*time.Minute), 4))
	now = now.Add(time.Millisecond)
	send(at(time.Time{}, 5))
	if l := s.live.latest["dev_a"]; l.values["x"] != 5.0 || !l.at.Equal(now) {
		t.Errorf("to be told: %v of %v", l.values, l.at)
	}
}

func TestADeviceCannotMakeAnyNumberOfSeries(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	send := func(from, to int, more ...domain.Reading) domain.ReportAck {
		for i := from; i < to; i++ {
			more = append(more, one(fmt.Sprint("s", i), domain.Number(1)))
		}
		ack, err := s.Accept(t.Context(), "dev_a", []domain.Report{{Readings: more}})
		if err != nil {
			t.Fatal(err)
		}
		return ack
	}
	if ack := send(0, domain.MaxLearned); len(ack.Refused) > 0 {
		t.Errorf("the first ones: %+v", ack.Refused)
	}
	ack := send(domain.MaxLearned, domain.MaxLearned+3, one("declared", domain.Number(1)))
	if len(ack.Refused) != 3 || ack.Refused[0] != (domain.Refusal{Name: "s64", Reason: domain.RefusedUndeclared}) {
		t.Errorf("%+v", ack.Refused)
	}
	if ack := send(0, domain.MaxLearned); len(ack.Refused) > 0 {
		t.Errorf("those that are known: %+v", ack.Refused)
	}
}

func TestASensorCannotSayAnyNumberOfTexts(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	say := func(i int) int {
		ack, err := s.Accept(t.Context(), "dev_a",
			[]domain.Report{{Readings: []domain.Reading{one("mode", domain.Text(fmt.Sprint(i)))}}})
		if err != nil {
			t.Fatal(err)
		}
		return len(ack.Refused)
	}
	for i := range domain.MaxReadingTexts {
		if say(i) > 0 {
			t.Fatalf("text %d was refused", i)
		}
	}
	if say(1000) == 0 || say(3) > 0 {
		t.Error("one too many was taken, or a known one was not")
	}
	now = now.Add(time.Hour)
	if say(1000) > 0 {
		t.Error("refused in another hour")
	}
}

func TestWhatCannotBeTakenNowIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	full := domain.Unavailable.Errorf(domain.CodeDiskFull, "full")
	many := make([]domain.Reading, domain.MaxReadings+1)
	for i := range many {
		many[i] = one("x", domain.Number(1))
	}
	few := []domain.Report{{Readings: many[:1]}}
	for _, c := range []struct {
		what string
		code domain.Code
		send func(s *Service, f *fakes) error
	}{
		{"the disk is full", domain.CodeDiskFull, func(s *Service, _ *fakes) error {
			s.DiskFull = func() error { return full }
			_, err := s.Accept(t.Context(), "dev_a", few)
			return err
		}},
		{"the database is away", domain.CodeStoreUnavailable, func(s *Service, f *fakes) error {
			f.err = domain.Unavailable.Errorf(domain.CodeStoreUnavailable, "away")
			_, err := s.Accept(t.Context(), "dev_a", few)
			return err
		}},
		{"too many in one request", domain.CodeTooManyReadings, func(s *Service, _ *fakes) error {
			_, err := s.Accept(t.Context(), "dev_a", []domain.Report{{Readings: many}})
			return err
		}},
		{"too many a second", domain.CodeReadings, func(s *Service, _ *fakes) error {
			for range readingsBurst / domain.MaxReadings {
				if _, err := s.Accept(t.Context(), "dev_a", []domain.Report{{Readings: many[:domain.MaxReadings]}}); err != nil {
					return nil
				}
			}
			_, err := s.Accept(t.Context(), "dev_a", few)
			return err
		}},
	} {
		f, now := &fakes{}, t0
		s := service(f, &now)
		if err := c.send(s, f); domain.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestABufferedReportMovesNoLiveValueBack(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	send := func(at time.Time, old bool, v float64) {
		t.Helper()
		if _, err := s.Accept(t.Context(), "dev_a", []domain.Report{{At: at, Old: old,
			Readings: []domain.Reading{one("x", domain.Number(v))}}}); err != nil {
			t.Fatal(err)
		}
	}
	send(t0, false, 1) // told at once
	send(t0.Add(-time.Minute), false, 2)
	send(t0.Add(time.Second), true, 3)
	if l := s.live.latest["dev_a"]; len(l.values) != 0 {
		t.Errorf("to be told: %v", l.values)
	}
	send(t0.Add(2*time.Second), false, 4)
	if l := s.live.latest["dev_a"]; l.values["x"] != 4.0 {
		t.Errorf("to be told: %v", l.values)
	}
}

func TestAStepIsTheShortestThatIsEnoughAndStillKept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		span    time.Duration
		points  int
		atLeast domain.Resolution
		want    time.Duration
	}{
		{day, 500, domain.Raw, 5 * time.Minute}, {time.Minute, 500, domain.Raw, time.Second},
		{30 * day, 500, domain.Raw, 2 * time.Hour}, {time.Hour, 5000, domain.PerHour, time.Hour},
		{365 * day, 400, domain.PerMinute, day}, {20 * 365 * day, 1, domain.Raw, 364 * day},
	} {
		if got := stepFor(c.span, c.points, c.atLeast); got != c.want {
			t.Errorf("%v in %d points of at least %v: %v, want %v", c.span, c.points, time.Duration(c.atLeast), got, c.want)
		}
	}
	for i, step := range steps {
		if i > 0 && step <= steps[i-1] {
			t.Errorf("%v comes after %v", step, steps[i-1])
		}
		if r := slices.IndexFunc([]time.Duration{time.Minute, time.Hour, day}, func(r time.Duration) bool {
			return step >= r && step%r != 0
		}); r >= 0 {
			t.Errorf("%v is not whole in a stored resolution", step)
		}
	}
}

func TestEachResolutionIsForgottenInItsTime(t *testing.T) {
	t.Parallel()
	f, now := &fakes{rows: 1500}, t0
	s := service(f, &now)
	if err := s.forget(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	want := []string{"0s 2026-02-11", "0s 2026-02-11", "1m0s 2025-02-06", "numbers 2026-02-11"}
	if !slices.Equal(f.forgot, want) { // hours and days are kept
		t.Errorf("%q, want %q", f.forgot, want)
	}
	if err := s.eraseSince(t.Context(), time.Time{}); err != nil || !slices.Equal(f.erased, []string{"dev_gone"}) {
		t.Errorf("%v, %v", f.erased, err)
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

func TestAnExportHasEveryValueInItsOrder(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	f.points = map[string][]domain.Point{
		"x":    {{At: t0.Add(-2 * time.Second), Value: domain.Number(21.50)}, {At: t0.Add(-time.Second), Value: domain.Number(-3)}},
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
	err := s.writeExport(t.Context(), &b, &exportInput{Format: "csv"}, []domain.Series{{Name: "x"}}, t0.Add(-time.Hour), t0)
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
