// Package svg draws a few curves over a logarithmic axis: the plots of what
// must not grow.
package svg

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// Plot is a drawing. X is logarithmic, Y begins at 0.
type Plot struct {
	Title, X, Y string
	Curves      []Curve
}

// Curve is a line through points, in the order in which they are given.
type Curve struct {
	Name   string
	Points [][2]float64
}

const (
	width, height            = 720, 400
	left, right, top, bottom = 64, 150, 48, 56
)

// Colours that differ in lightness too, and are legible on white and on dark.
var colours = []string{"#2f6fde", "#d9822b", "#7a869a", "#2a9d6f"}

// Write draws the plot into a file.
func (p Plot) Write(path string) error { return os.WriteFile(path, []byte(p.String()), 0o644) }

// String returns the drawing.
func (p Plot) String() string {
	s := p.scale()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%%" height="100%%" fill="#fff"/>
<text x="%d" y="26" font-size="16" font-weight="600">%s</text>
`, width, height, p.Title, left, p.Title)
	p.axes(&b, s)
	for i, c := range p.Curves {
		var at []string
		for _, point := range c.Points {
			at = append(at, fmt.Sprintf("%.1f,%.1f", s.x(point[0]), s.y(point[1])))
		}
		if len(at) == 0 {
			continue
		}
		colour := colours[i%len(colours)]
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(at, " "),
			colour)
		for _, xy := range at {
			x, y, _ := strings.Cut(xy, ",")
			fmt.Fprintf(&b, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`+"\n", x, y, colour)
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			width-right+16, top+22*i, colour, width-right+34, top+11+22*i, c.Name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p Plot) axes(b *strings.Builder, s scale) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, p.X)
	fmt.Fprintf(b, `<text x="16" y="%d" transform="rotate(-90 16 %d)" text-anchor="middle">%s</text>`+"\n",
		(top+height-bottom)/2, (top+height-bottom)/2, p.Y)
	for e := math.Floor(math.Log10(s.minX)); e <= math.Ceil(math.Log10(s.maxX)); e++ {
		if v := math.Pow(10, e); v >= s.minX && v <= s.maxX {
			fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#e3e6eb"/><text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n",
				s.x(v), top, s.x(v), height-bottom, s.x(v), height-bottom+18, v)
		}
	}
	for i := range 5 {
		v := s.maxY * float64(i) / 4
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#e3e6eb"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`+"\n",
			left, s.y(v), width-right, s.y(v), left-8, s.y(v)+4, v)
	}
}

// scale maps values to places.
type scale struct{ minX, maxX, maxY float64 }

func (p Plot) scale() scale {
	s := scale{minX: math.Inf(1), maxX: 1, maxY: 1}
	for _, c := range p.Curves {
		for _, point := range c.Points {
			s.minX, s.maxX, s.maxY = min(s.minX, point[0]), max(s.maxX, point[0]), max(s.maxY, point[1])
		}
	}
	step := math.Pow(10, math.Floor(math.Log10(s.maxY)))
	s.maxY = math.Ceil(s.maxY*1.05/step*2) / 2 * step
	s.minX = max(min(s.minX, s.maxX/10), 1e-9)
	return s
}

func (s scale) x(v float64) float64 {
	return left + (width-left-right)*(math.Log(v)-math.Log(s.minX))/(math.Log(s.maxX)-math.Log(s.minX))
}

func (s scale) y(v float64) float64 { return top + (height-top-bottom)*(1-v/s.maxY) }
