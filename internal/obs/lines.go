package obs

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// IsControl reports whether r does something to a line of text that it stands in: ends the
// line for some reader, moves a terminal's cursor, or turns the direction of what stands
// around it. Somebody's name must not do that to a log.
func IsControl(r rune) bool {
	return r == '\ufeff' || unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// EscapeJSON returns a JSON text with \u escapes in place of the characters of its
// strings that encoders leave raw, although they steer. What a parser reads from it is the same.
func EscapeJSON(text []byte) []byte {
	if bytes.IndexFunc(text, raw) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		if raw(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// raw is what JSON allows raw within a string: the line feed at the end is none.
func raw(r rune) bool { return r >= 0x7f && IsControl(r) }

// JSONLines returns a writer to w for lines of JSON, each by one Write.
func JSONLines(w io.Writer) io.Writer { return jsonLines{w} }

type jsonLines struct{ w io.Writer }

// Write writes a line, escaped.
func (l jsonLines) Write(line []byte) (int, error) {
	if _, err := l.w.Write(EscapeJSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
