package wire

import (
	"strings"
	"testing"
)

func TestWhatCannotBeDecodedIsSaidInWordsOfJSON(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`[]`:                        "it must be an object, not a list",
		`"x"`:                       "it must be an object, not a text",
		``:                          "it is empty",
		`{`:                         "it ends before it is complete",
		`{"type":5}`:                "type must be a text, not a number",
		`{"typ":"x"}`:               `there is no field "typ"`,
		`{} {}`:                     "there is something after the value",
		`{"type":NaN}`:              "JSON has no NaN",
		`{"type"}`:                  `it is not JSON: at byte 8, "}" cannot stand`,
		`{"type":tru€`:              `it is not JSON: at byte 12, "€" cannot stand`,
		"{\"id\":\"\n\"}":           `it is not JSON: at byte 8, "\n" cannot stand`,
		strings.Repeat("[", 20_000): "it is nested too deep",
	} {
		var r Request
		if err := Decode([]byte(data), &r); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), "json:") ||
			strings.Contains(err.Error(), "invalid character") {
			t.Errorf("%s: %v, want %q", data, err, want)
		}
	}
	for data, want := range map[string]string{
		`{"seq":5.5}`:         "seq must be a whole number from 0 to 4294967295, not 5.5",
		`{"seq":-1}`:          "seq must be a whole number from 0 to 4294967295, not -1",
		`{"at":"2026-01-01"}`: "write a time as 2026-01-31T08:00:00Z (RFC 3339)",
		`{"at":5}`:            "write a time as 2026-01-31T08:00:00Z (RFC 3339)",
		`{"old":1}`:           "old must be true or false, not a number",
		`{"readings":[]}`:     "readings must be an object, not a list",
	} {
		var r Report
		if err := Decode([]byte(data), &r); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", data, err, want)
		}
	}
}
