package totp

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"rsc.io/qr/coding"
)

// Picture is a QR code as the path of an SVG with the view box "0 0 Size Size". The path covers the
// dark modules. The margin that scanners need is included.
type Picture struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

const margin = 4 // light modules on each side, as the standard requires

// Draw returns the QR code of a text. If the text is a secret, so is the picture: it must be sent
// only to its owner and not be cached.
func Draw(text string) (Picture, error) {
	code, err := encode(coding.String(text))
	if err != nil {
		return Picture{}, fmt.Errorf("qr code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := x - start; n > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", start+margin, y+margin, n, n)
			}
		}
	}
	return Picture{Size: code.Size + 2*margin, Path: path.String()}, nil
}

const masks = 8

// encode returns the smallest code that holds the text, with the mask that scanners read best
// (ISO/IEC 18004, 7.8.3). With a fixed mask, every twentieth code seems to have a fourth finder
// pattern.
func encode(text coding.Encoding) (best *coding.Code, err error) {
	v := coding.Version(coding.MinVersion)
	for ; text.Bits(v) > v.DataBytes(coding.M)*8; v++ {
		if v == coding.MaxVersion {
			return nil, errors.New("the text is too long")
		}
	}
	lowest := math.MaxInt
	for mask := range coding.Mask(masks) {
		plan, err := coding.NewPlan(v, coding.M, mask)
		if err != nil {
			return nil, err
		}
		code, err := plan.Encode(text)
		if err != nil {
			return nil, err
		}
		if p := penalty(code); p < lowest {
			best, lowest = code, p
		}
	}
	return best, nil
}

// penalty returns the penalty of the standard: for long runs and blocks of one colour, for patterns
// that look like a finder, and for an uneven share of dark modules.
func penalty(c *coding.Code) (sum int) {
	dark := 0
	for a := range c.Size {
		sum += line(c.Size, func(b int) bool { return c.Black(b, a) })
		sum += line(c.Size, func(b int) bool { return c.Black(a, b) })
		for b := range c.Size {
			is := c.Black(a, b)
			if is {
				dark++
			}
			if a > 0 && b > 0 && is == c.Black(a-1, b) && is == c.Black(a, b-1) && is == c.Black(a-1, b-1) {
				sum += 3
			}
		}
	}
	percent := 100 * dark / (c.Size * c.Size)
	return sum + 10*(max(percent-50, 50-percent)/5)
}

// A finder pattern is dark, light, three dark, light, dark, with four light modules on one side.
const (
	markBits   = 11
	markAfter  = 0b00001011101
	markBefore = 0b10111010000
)

// line returns the penalty of a row or column.
func line(size int, dark func(i int) bool) (sum int) {
	run, seen, last := 0, 0, false
	for i := range size {
		is := dark(i)
		if is != last {
			run = 0
		}
		last = is
		if run++; run == 5 {
			sum += 3
		} else if run > 5 {
			sum++
		}
		if seen = seen << 1 & (1<<markBits - 1); is {
			seen |= 1
		}
		if i+1 >= markBits && (seen == markAfter || seen == markBefore) {
			sum += 40
		}
	}
	return sum
}
