package incoming

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A word is a JSON value that is shown as text, whichever type its sender gave it.
type word string

// UnmarshalJSON takes strings, numbers and booleans; null is empty.
func (w *word) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
	case string:
		*w = word(v)
	case bool:
		*w = word(fmt.Sprint(v))
	default:
		*w = word(b)
	}
	return nil
}

// escaper takes from a text what Markdown would read in it, names of people among it.
var escaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "[", `\[`, "]", `\]`,
	"<", `\<`, ">", `\>`, "@", `\@`, "#", `\#`, "|", `\|`)

// plain is a text of others in one line, without any Markdown.
func plain(s string) string { return escaper.Replace(line(s)) }

// line is a text in one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// firstLine is a text up to its first line break.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// short is the beginning of a text.
func short(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return strings.TrimSpace(string(r[:most])) + "…"
	}
	return s
}

// begin is the beginning of a text, of at most most bytes, without a part of a character at its end.
func begin(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// web returns an address of the web in a form that a link may have; empty: it is none.
func web(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E").Replace(u.String())
}

// link shows a Markdown text that leads to an address, if that is one.
func link(text, address string) string {
	at := web(address)
	switch {
	case at == "":
		return text
	case text == "":
		return at
	}
	return "[" + text + "](" + at + ")"
}

// bold is a Markdown text in bold, also what is bold in it already.
func bold(text string) string {
	if text == "" {
		return ""
	}
	return "**" + strings.ReplaceAll(text, "**", "") + "**"
}

// quote puts "> " before each line.
func quote(text string) string {
	if text == "" {
		return ""
	}
	return "> " + strings.ReplaceAll(text, "\n", "\n> ")
}

// fenced is a text as a block of code. Its fence is longer than any backticks in a row that the text has.
func fenced(text string) string {
	longest, run := 2, 0
	for i := range len(text) {
		if text[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	ticks := strings.Repeat("`", longest+1)
	return ticks + "\n" + strings.Trim(text, "\n") + "\n" + ticks
}

// joined puts those of some texts that are not empty together.
func joined(sep string, texts ...string) string {
	kept := texts[:0:0]
	for _, t := range texts {
		if strings.TrimSpace(t) != "" {
			kept = append(kept, t)
		}
	}
	return strings.Join(kept, sep)
}
