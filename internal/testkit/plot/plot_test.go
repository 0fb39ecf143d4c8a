package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSVGIsWellFormed(t *testing.T) {
	svg := SVG("seconds", []Panel{
		{Title: "memory & more", X: []float64{0, 1, 2},
			Lines: []Line{{"a<b", []float64{1, 2, 3}}, {"c", []float64{0, 0, 0}}}},
		{Title: "nothing"},
	})
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	paths := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "path" {
			paths++
		}
	}
	if paths != 2 || strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf") {
		t.Errorf("%d lines in\n%s", paths, svg)
	}
}

func TestNice(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.1: 2, 21: 50, 70: 100, 990: 1000} {
		if got := nice(v); got != want {
			t.Errorf("%g: got %g, want %g", v, got, want)
		}
	}
}
