package httpx

import "strings"

// Cell is a text as it stands in a file of CSV. One that a spreadsheet would take for a formula gets a
// quote before it.
func Cell(text string) string {
	if text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		return "'" + text
	}
	return text
}
