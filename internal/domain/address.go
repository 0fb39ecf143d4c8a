package domain

import (
	"strings"
	"unicode/utf8"
)

// Where an address in a text begins and ends. The web client has the same
// rules in web/src/view/room/address.ts, and both are checked against
// testdata/mentions.json.

const (
	hostMarks    = "-._:@[]%"
	behindMarks  = "=-_#:(&~" // what a word of an unspaced script may follow inside an address
	trailingStop = ".,;:!?*_~'([{|"
)

// hostOf is where the http or https address that begins at i has its host; -1
// if none begins there.
func hostOf(s string, i int) int {
	host := -1
	for _, scheme := range []string{"https://", "http://"} {
		if host < 0 && hasPrefixFold(s, i, scheme) {
			host = i + len(scheme)
		}
	}
	if host >= 0 && (runeAt(s, host) == '[' || isWordRune(runeAt(s, host))) {
		return host
	}
	return -1
}

func hasPrefixFold(s string, i int, lower string) bool {
	return i+len(lower) <= len(s) && strings.EqualFold(s[i:i+len(lower)], lower) && s[i+len(lower)-1] < utf8.RuneSelf
}

// addressEnd is the end of the bare address that begins at i; i if none does.
// Brackets belong to it as far as they are pairs; what ends a sentence, and
// marks of Markdown at its end, do not. Text of a script without spaces that
// follows directly ends it, unless it stands behind a mark in the path.
func addressEnd(s string, i int) int {
	host := hostOf(s, i)
	if host < 0 || joinsWord(runeBefore(s, i)) {
		return i
	}
	var open [3]int
	inHost, slashes, before, end := true, 0, rune(-1), host
scan:
	for end < len(s) {
		r, size := utf8.DecodeRuneInString(s[end:])
		inHost = inHost && r != '/' && r != '?' && r != '#'
		switch {
		case endsAddress(r), inHost && !isWordRune(r) && !strings.ContainsRune(hostMarks, r):
			break scan
		case isUnspaced(r) && !isUnspaced(before) && !mayFollow(before, inHost, slashes):
			break scan
		}
		if k := strings.IndexRune("([{", r); k >= 0 {
			open[k]++
		}
		if k := strings.IndexRune(")]}", r); k >= 0 {
			if open[k] == 0 {
				break scan
			}
			open[k]--
		}
		if r == '/' {
			slashes++
		}
		before = r
		end += size
	}
	for end > host && strings.IndexByte(trailingStop, s[end-1]) >= 0 {
		end--
	}
	if end == host {
		return i
	}
	return end
}

func mayFollow(before rune, inHost bool, slashes int) bool {
	switch {
	case inHost:
		return before == -1 || before == '.' || before == '-'
	case before == '/':
		return slashes > 1
	}
	return before != -1 && strings.ContainsRune(behindMarks, before)
}

// angledEnd is the end of <https://...> or <mailto:...> that begins at i; i if
// none does.
func angledEnd(s string, i int) int {
	if hostOf(s, i+1) < 0 && !hasPrefixFold(s, i+1, "mailto:") {
		return i
	}
	for end, r := range s[i+1:] {
		switch {
		case r == '>' && end >= len("mailto:"):
			return i + end + 2
		case r == '<' || isBlank(r):
			return i
		}
	}
	return i
}

// destinationEnd is the end of (https://...) behind the ] at i; -1 if none is
// there. Another ]( ends the search.
func destinationEnd(s string, i int) int {
	from := i + 2
	for from < len(s) && s[from] == ' ' {
		from++
	}
	if from < len(s) && s[from] == '<' {
		if end := angledEnd(s, from); end > from && end < len(s) && s[end] == ')' {
			return end + 1
		}
		return -1
	}
	if hostOf(s, from) < 0 && !hasPrefixFold(s, from, "mailto:") {
		return -1
	}
	open := 0
	for n, r := range s[min(from, len(s)):] {
		switch {
		case r == '(':
			open++
		case r == '<', isBlank(r), r == ']' && strings.HasPrefix(s[from+n:], "]("):
			return -1
		case r == ')' && open == 0:
			return from + n + 1
		case r == ')':
			open--
		}
	}
	return -1
}

// pathEnd is the end of a path of Windows that begins at i, C:\... or
// \\server\...: a backslash in it is no escape. It is i if none does.
func pathEnd(s string, i int) int {
	server := strings.HasPrefix(s[i:], `\\`) && joinsWord(runeAt(s, i+2))
	drive := asciiWord(s[i]) && strings.HasPrefix(s[i+1:], `:\`)
	if !server && !drive || joinsWord(runeBefore(s, i)) {
		return i
	}
	end := i + 2
	for end < len(s) && s[end] != '`' && !isBlank(runeAt(s, end)) {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return end
}
