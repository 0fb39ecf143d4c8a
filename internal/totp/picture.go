package totp

import (
	"fmt"
	"strings"

	"rsc.io/qr"
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
	code, err := qr.Encode(text, qr.M)
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
