package phrase_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/phrase"
)

// What is typed is read as in the web client. German words are read only there.
func TestRead(t *testing.T) {
	t.Parallel()
	type row struct {
		Typed, Language, At, Time, Text, Error string
		Minutes                                float64
		Weekdays                               []int
		MonthDay                               int `json:"month_day"`
	}
	var table struct {
		Now                 string
		Understood, Refused []row
	}
	b, err := os.ReadFile("testdata/reminders.json")
	if err == nil {
		err = json.Unmarshal(b, &table)
	}
	if err != nil {
		t.Fatal(err)
	}
	const form = "2006-01-02T15:04"
	now, err := time.Parse(form, table.Now)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]error{"unclear": phrase.ErrUnclear, "nothing": phrase.ErrNothing, "over": phrase.ErrOver,
		"far": phrase.ErrFar, "others": phrase.ErrOthers, "": nil}
	read := 0
	for _, r := range append(table.Understood, table.Refused...) {
		if r.Language != "" {
			continue
		}
		read++
		got, err := phrase.Read(r.Typed, now.Add(12*time.Second))
		if !errors.Is(err, reasons[r.Error]) {
			t.Errorf("%q: %v", r.Typed, err)
		}
		if err != nil {
			continue
		}
		is := row{Typed: r.Typed, Text: got.Text, Minutes: got.After.Minutes(), MonthDay: got.MonthDay}
		if !got.At.IsZero() {
			is.At = got.At.Format(form)
		}
		if len(got.Weekdays) > 0 || got.MonthDay > 0 {
			is.Time = time.Time{}.Add(got.Clock).Format("15:04")
		}
		if is.At != r.At || is.Time != r.Time || is.Text != r.Text || is.Minutes != r.Minutes ||
			is.MonthDay != r.MonthDay || len(got.Weekdays) != len(r.Weekdays) {
			t.Errorf("%q is %+v", r.Typed, is)
		}
		for _, d := range got.Weekdays {
			if !slices.Contains(r.Weekdays, (int(d)+6)%7+1) {
				t.Errorf("%q is on %s too", r.Typed, d)
			}
		}
	}
	if read < 60 {
		t.Errorf("only %d lines were read", read)
	}
}
