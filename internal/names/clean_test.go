package names

import (
	"strings"
	"testing"
)

func TestNamesOfProgramsAreCleaned(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Grafana":                         "Grafana",
		"  Uptime \t\n Kuma ":             "Uptime Kuma",
		"@ann":                            "ann",
		"an\u200bn":                       "ann",
		"\u202egro.elpmaxe\u202c":         "gro.elpmaxe",
		"a\u2066b\u2069\x00\x1b[31m":      "ab[31m",
		"\ufeff\u00ad":                    "",
		"room":                            "",
		"@ here":                          "",
		"p\u0430ypal":                     "", // a Cyrillic letter
		"e\u0301":                         "é",
		"bad \xff bytes":                  "bad bytes",
		"":                                "",
		strings.Repeat("x", 90):           strings.Repeat("x", 64),
		strings.Repeat("\u200b", 1<<20):   "",
		"z" + strings.Repeat("\u0301", 9): "",
		"👩\u200d🚒 Fire":                   "👩\u200d🚒 Fire",
	} {
		if got := Clean(name, 64); got != want {
			t.Errorf("%.40q becomes %q, not %q", name, got, want)
		}
	}
}
