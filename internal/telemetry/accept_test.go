package telemetry

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
)

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
		{"before any clock began", at(time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), good), domain.RefusedTooOld, "", 0},
		{"in the year 287396", at(time.UnixMilli(1<<53), good), domain.RefusedFuture, "", 0},
		{"no number for a sensor that is described", at(t0, good, one("declared", domain.Text("inf"))),
			domain.RefusedNotFinite, "declared", 1},
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
