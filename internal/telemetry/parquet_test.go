package telemetry

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestAParquetFileHasEveryValueInFewBytes(t *testing.T) {
	t.Parallel()
	f, now := &fakes{}, t0
	s := service(f, &now)
	const n = exportAtOnce - 10 // of numbers: as many as are read at once, with the others
	f.points = map[string][]domain.Point{"on": {{At: t0.Add(-2 * time.Hour), Value: domain.Bool(true),
		Quality: domain.AnchoredTime}},
		"mode": {{At: t0.Add(-2 * time.Hour), Value: domain.Text("heat")}}}
	for i := range n {
		f.points["x"] = append(f.points["x"], domain.Point{At: t0.Add(time.Duration(i-n) * 20 * time.Millisecond),
			Value: domain.Number(math.Round(2000+100*math.Sin(float64(i)/5000)) / 100)})
	}
	chosen := []domain.Series{{Name: "x", Unit: "Cel"}, {Name: "on", Kind: domain.BoolValue},
		{Name: "mode", Kind: domain.TextValue}}
	var b bytes.Buffer
	if err := s.writeExport(t.Context(), &b, &exportInput{Format: "parquet"}, chosen, t0.Add(-3*time.Hour),
		t0); err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.Read[parquetRow](bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || len(rows) != n+2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if on, mode := rows[0], rows[1]; *on.Bool != true || on.Number != nil || on.Quality != "anchored" ||
		*mode.Text != "heat" ||
		!mode.Time.Equal(t0.Add(-2*time.Hour)) {
		t.Errorf("%+v, %+v", on, mode)
	}
	for i, row := range rows[2:] {
		want := f.points["x"][i]
		if !row.Time.Equal(want.At) || row.Number == nil || *row.Number != want.Value.Number || row.Series != "x" ||
			row.Unit != "Cel" {
			t.Fatalf("row %d is %+v, want %+v", i, row, want)
		}
	}
	if err := s.writeExport(t.Context(), &b, &exportInput{Format: "parquet"}, nil, t0.Add(-time.Hour),
		t0.Add(-time.Hour)); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	if per := float64(b.Len()) / n; per > 3 {
		t.Errorf("%.1f bytes a value", per)
	}
}
