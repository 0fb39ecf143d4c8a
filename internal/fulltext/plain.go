package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain returns Markdown as it reads: without the marks of headings, quotations, code, emphasis and
// links. Characters that only look like marks stay. It takes linear time, except for links, of
// which a line has few.
func plain(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			b.WriteByte('\n')
			continue
		}
		for strings.HasPrefix(trimmed, ">") {
			trimmed = strings.TrimSpace(trimmed[1:])
		}
		if rest := strings.TrimLeft(trimmed, "#"); len(trimmed)-len(rest) <= 6 && strings.HasPrefix(rest, " ") {
			trimmed = strings.TrimSpace(rest)
		}
		b.WriteString(unmarked(unlinked(trimmed)))
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// unlinked replaces [words](address) by the words.
func unlinked(line string) string {
	var b strings.Builder
	for {
		middle := strings.Index(line, "](")
		if middle < 0 {
			break
		}
		open, end := strings.LastIndexByte(line[:middle], '['), strings.IndexAny(line[middle:], ") ")
		if open < 0 || end < 0 || line[middle+end] != ')' {
			b.WriteString(line[:middle+2])
			line = line[middle+2:]
			continue
		}
		b.WriteString(line[:open] + line[open+1:middle])
		line = line[middle+end+1:]
	}
	return b.String() + line
}

// unmarked removes pairs of marks for emphasis and code. The first stands before a word, and the
// second after one.
func unmarked(line string) string {
	out := []byte(line)
	opened := make(map[string]int)
	gone := make([]bool, len(line))
	before := ' '
	for i := 0; i < len(line); {
		mark := markAt(line[i:])
		if mark == "" {
			r, size := utf8.DecodeRuneInString(line[i:])
			before, i = r, i+size
			continue
		}
		end := i + len(mark)
		after, _ := utf8.DecodeRuneInString(line[end:])
		if end == len(line) {
			after = ' '
		}
		if from, ok := opened[mark]; ok && !unicode.IsSpace(before) && !wordRune(after) {
			for k := range len(mark) {
				gone[from+k], gone[i+k] = true, true
			}
			delete(opened, mark)
		} else if !unicode.IsSpace(after) && !wordRune(before) {
			opened[mark] = i
		}
		i = end
	}
	kept := out[:0]
	for i, c := range []byte(line) {
		if !gone[i] {
			kept = append(kept, c)
		}
	}
	return string(kept)
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// markAt returns the mark that s begins with: one or more of the same character.
func markAt(s string) string {
	if !strings.ContainsRune("*_~`", rune(s[0])) {
		return ""
	}
	n := 1
	for n < len(s) && s[n] == s[0] {
		n++
	}
	if s[0] == '~' && n != 2 {
		return ""
	}
	return s[:n]
}
