package capacity

import (
	"math"
	"testing"
)

// What docs/scaling.md says of a hundred thousand devices follows from what was measured.
func TestDevicesAreWhatIsComputed(t *testing.T) {
	t.Parallel()
	figure := func(heading, row, column string) float64 {
		t.Helper()
		cell, err := section(t, "benchmarks.md", heading).cell(row, column)
		if err != nil {
			t.Fatal(err)
		}
		return mean(cell)
	}
	const readings = 6 // of a report
	cpu := func(row string) float64 { return figure("Chat beside readings", row, "CPU-s a second of the server") }
	report := (cpu("the same server") - (cpu("nobody")+cpu("another server"))/2) / (20_000.0 / readings)
	size := figure("Readings of devices", "readings on SQLite", "at rest, bytes a reading")
	rows := section(t, "scaling.md", "A hundred thousand devices").rows[1:]
	every := []float64{10, 60, 300} // seconds
	if len(rows) != len(every) {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for i, r := range rows {
		reports := 100_000 / every[i]
		for column, want := range []float64{
			reports, readings * reports, report * reports, readings * reports * 86_400 * size / 1e9,
		} {
			got := mean(r[1+column])
			if math.Abs(got-want) > max(0.005, 0.01*want) {
				t.Errorf("%s: column %d has %g, and computed is %g", r[0], 1+column, got, want)
			}
		}
	}
}
