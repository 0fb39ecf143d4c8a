package totp

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"rsc.io/qr/coding"
)

// Picture is a QR code as the path of an SVG whose view box is
// "0 0 Size Size": dark where the path is, with the margin that readers need.
type Picture struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

const margin = 4 // modules of light around, as the standard has it

// Draw returns the picture of a text. It holds a secret if the text does: it
// is sent to its owner, is not cached, and no other service sees it.
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

// encode takes the smallest size that holds the text, and of all masks the one that
// readers take best (ISO/IEC 18004, 7.8.3): under a mask that is always the same,
// every twentieth code looks as if it had a corner too many.
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

// penalty counts what readers stumble over, as the standard weighs it: long lines of
// one colour, blocks of one colour, what looks like a corner's mark, and an uneven
// share of dark.
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

// Marks of corners are dark, light, three dark, light, dark, with four light on one
// side.
const (
	markBits   = 11
	markAfter  = 0b00001011101
	markBefore = 0b10111010000
)

// line is the penalty of a row or a column.
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
