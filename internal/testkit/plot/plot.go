// Package plot draws measurements as SVG, for the pages in docs/. It reads on
// light and dark ground.
package plot

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// A Panel is one picture: lines over a common x.
type Panel struct {
	Title string
	X     []float64
	Lines []Line
}

// A Line has a value for each x.
type Line struct {
	Name string
	Y    []float64
}

const (
	width, height = 720, 170 // of a panel, with its margins
	left, right   = 64, 16
	top, bottom   = 30, 26
	ticks         = 4
)

var colours = []string{"#2f7ed8", "#d9822b", "#3d9970", "#b0413e"}

// SVG draws panels below one another. Label names what x is.
func SVG(label string, panels []Panel) []byte {
	var b bytes.Buffer
	total := height*len(panels) + 20
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="11">`+"\n", width, total)
	fmt.Fprint(&b, "<style>text{fill:#57606a}.t{font-weight:600}path{fill:none;stroke-width:1.5;stroke-linejoin:round}line{stroke:#8b949e;stroke-opacity:.35}"+
		"@media(prefers-color-scheme:dark){text{fill:#9da7b3}}</style>\n")
	for i, p := range panels {
		p.draw(&b, float64(i*height))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n</svg>\n", (left+width-right)/2, total-6,
		html.EscapeString(label))
	return b.Bytes()
}

func (p Panel) draw(b *bytes.Buffer, y0 float64) {
	fmt.Fprintf(b, `<text class="t" x="%d" y="%.0f">%s</text>`+"\n", left, y0+18, html.EscapeString(p.Title))
	first, last := bounds(p.X)
	highest := 0.0
	for _, l := range p.Lines {
		_, hi := bounds(l.Y)
		highest = max(highest, hi)
	}
	step := nice(highest / ticks)
	highest = step * math.Ceil(max(highest, step)/step)
	x := func(v float64) float64 {
		return left + (v-first)/max(last-first, 1e-9)*(width-left-right)
	}
	y := func(v float64) float64 { return y0 + height - bottom - v/highest*(height-top-bottom) }
	for v := 0.0; v <= highest*1.001; v += step {
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, width-right, y(v), y(v), left-6, y(v)+4, number(v))
	}
	across := nice((last - first) / 6)
	for v := math.Ceil(first/across) * across; v <= last*1.001; v += across {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n", x(v), y0+height-bottom+14, number(v))
	}
	for i, l := range p.Lines {
		colour := colours[i%len(colours)]
		fmt.Fprintf(b, `<path stroke="%s" d="`, colour)
		for j, v := range l.Y {
			fmt.Fprintf(b, "%c%.1f %.1f", "ML"[min(j, 1)], x(p.X[j]), y(v))
		}
		fmt.Fprint(b, `"/>`+"\n")
		if len(p.Lines) > 1 {
			fmt.Fprintf(b, `<text x="%d" y="%.0f" text-anchor="end" style="fill:%s">%s</text>`+"\n",
				width-right-130*(len(p.Lines)-1-i), y0+18, colour, html.EscapeString(l.Name))
		}
	}
}

func bounds(v []float64) (lo, hi float64) {
	if len(v) == 0 {
		return 0, 1
	}
	lo, hi = v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}

// nice rounds a step up to 1, 2 or 5 times a power of ten.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*unit {
			return m * unit
		}
	}
	return 10 * unit
}

func number(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%g", math.Round(v*100)/100)
}
