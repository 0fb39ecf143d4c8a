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
	wwwMarks     = "-._:"     // without a scheme nothing is taken for a name before the host
	behindMarks  = "=-_#:(&~" // what a word of an unspaced script may follow inside an address
	trailingStop = ".,;:!?*_~'([{|"
	mailMarks    = "._+-" // in the name before the @
)

// hostOf is where the http or https address that begins at i has its host, which is i for one that begins with www.
// alone; -1 if none begins there.
func hostOf(s string, i int) int {
	for _, head := range []string{"https://", "http://", "www."} {
		if !hasPrefixFold(s, i, head) {
			continue
		}
		host := i + len(head)
		if r := runeAt(s, host); !isWordRune(r) && (r != '[' || head == "www.") {
			return -1
		}
		if head == "www." {
			return i
		}
		return host
	}
	return -1
}

func hasPrefixFold(s string, i int, lower string) bool {
	return i+len(lower) <= len(s) && strings.EqualFold(s[i:i+len(lower)], lower) && s[i+len(lower)-1] < utf8.RuneSelf
}

// webAddress is where a link to an address leads, if that is a page: what begins with www. is asked for by https.
// It is empty for all else.
func webAddress(address string) string {
	host := hostOf(address, 0)
	switch {
	case host < 0 || mailEnd(address, 0) == len(address):
		return ""
	case host == 0:
		return "https://" + address
	}
	return address
}

// addressEnd is the end of the bare address that begins at i; i if none does: http://..., https://..., www. and more
// of a host, mailto:ann@example.org, or ann@example.org alone. Brackets belong to it as far as they are pairs; what
// ends a sentence, and marks of Markdown at its end, do not. Text of a script without spaces that
// follows directly ends it, unless it stands behind a mark in the path.
func addressEnd(s string, i int) int {
	if !asciiWord(s[i]) || joinsWord(runeBefore(s, i)) {
		return i
	}
	host, marks := hostOf(s, i), hostMarks
	if host <= i {
		if !standsAlone(s, i) {
			return i
		}
		if end := mailEnd(s, i); end > i || host < 0 || !isPlainHost(s, i) {
			return end
		}
		marks = wwwMarks
	}
	var open [3]int
	inHost, slashes, before, end := true, 0, rune(-1), host
scan:
	for end < len(s) {
		r, size := utf8.DecodeRuneInString(s[end:])
		inHost = inHost && r != '/' && r != '?' && r != '#'
		switch {
		case endsAddress(r), inHost && !isWordRune(r) && !strings.ContainsRune(marks, r):
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

// standsAlone reports whether what begins at i is part of no word, name or path before it, also with dots and dashes
// between, so that an address without a scheme may begin there.
func standsAlone(s string, i int) bool {
	for i > 0 && strings.IndexByte(mailMarks+"'%", s[i-1]) >= 0 {
		i--
	}
	before := runeBefore(s, i)
	return !joinsWord(before) && before != '@' && before != '/' && before != '\\'
}

// isPlainHost reports whether a host without a scheme begins at i, as in GitHub's Markdown: its last two labels have no
// underscores. What is before an @ is none.
func isPlainHost(s string, i int) bool {
	end := i
	for end < len(s) && (isWordRune(runeAt(s, end)) || strings.IndexByte("-._", s[end]) >= 0) {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	host := strings.TrimRight(s[i:end], "-._")
	return runeAt(s, i+len(host)) != '@' && !lastLabelsMarked(host)
}

// lastLabelsMarked reports underscores in the last two labels of a host.
func lastLabelsMarked(host string) bool {
	labels := strings.Split(host, ".")
	return strings.Contains(strings.Join(labels[max(0, len(labels)-2):], ""), "_")
}

// mailEnd is the end of the mail address that begins at i, with mailto: or without; i if none does. The rules are those
// of GitHub's Markdown: ASCII alone, a host of at least two labels, and a letter at its end. What goes on with a path
// or another name is no mail address: git@example.org:tools/x.
func mailEnd(s string, i int) int {
	at := i
	if hasPrefixFold(s, i, "mailto:") {
		at += len("mailto:")
	}
	name := at
	for at < len(s) && (asciiWord(s[at]) || strings.IndexByte(mailMarks, s[at]) >= 0) {
		at++
	}
	if at == name || at+1 >= len(s) || s[at] != '@' || !asciiWord(s[name]) || !asciiWord(s[at+1]) {
		return i
	}
	end := at + 1
	for end < len(s) && (asciiWord(s[end]) || s[end] == '-' || s[end] == '_' ||
		s[end] == '.' && end+1 < len(s) && asciiWord(s[end+1])) {
		end++
	}
	if i > 0 && s[i-1] == '_' { // of emphasis
		for s[end-1] == '_' {
			end--
		}
	}
	host := s[at+1 : end]
	after := runeAt(s, end)
	goesOn := joinsWord(after) || (after == ':' || after == '/') && end+1 < len(s) && asciiWord(s[end+1])
	letter := asciiWord(s[end-1]) && s[end-1] > '9'
	if goesOn || after == '@' || !letter || !strings.Contains(host, ".") || lastLabelsMarked(host) {
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

// angledEnd is the end of <https://...>, <www...>, <mailto:...> or <ann@example.org> that begins at i; i if
// none does.
func angledEnd(s string, i int) int {
	if end := mailEnd(s, i+1); end > i+1 && end < len(s) && s[end] == '>' {
		return end + 1
	}
	if hostOf(s, i+1) < 0 && !hasPrefixFold(s, i+1, "mailto:") {
		return i
	}
	for end, r := range s[i+1:] {
		switch {
		case r == '>' && end >= len("www.a"):
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
