package domain

import (
	"strings"
	"unicode"
)

// mdRun is a run of one mark of emphasis, and what became of it: the pairs
// that it closes, then those that it opens.
type mdRun struct {
	char           byte
	size, left     int
	opens          []bool // for each pair, whether it is a spoiler
	closes         int
	canOpen, close bool
	said           int // how many tokens before it say something
}

// newRun describes the run of marks from i to end.
func newRun(s string, i, end, said int) *mdRun {
	r := &mdRun{char: s[i], size: end - i, left: end - i, said: said}
	before, after := runeBefore(s, i), runeAt(s, end)
	next := rune(-1)
	if after >= 0 {
		next = runeAt(s, end+len(string(after)))
	}
	r.canOpen, r.close = sides(before, after, next, r.char, r.size)
	if r.char == '_' && r.size == 2 && r.canOpen && isDunder(s[end:]) {
		r.canOpen = false
	}
	return r
}

func isMark(r rune) bool { return r >= 0 && strings.ContainsRune("*_~", r) }
func isWide(r rune) bool { return r >= 0x80 && !joinsWord(r) }

// sides reports whether a run between two characters can open or close
// emphasis. Formulas, paths, globs and names of variables have marks within
// words: these do nothing. next is the character behind after.
func sides(before, after, next rune, char byte, size int) (canOpen, canClose bool) {
	free := isBlank(before)
	leads := free || isMark(before) || isWide(before) || strings.ContainsRune("([{\"',:;!?|-", before)
	begins := isWordRune(after) || isMark(after) || isWide(after) || strings.ContainsRune("([{\"'`\\<@#$", after)
	if free {
		begins = !strings.ContainsRune("/=);", after)
	}
	// A stop within a word ends nothing: __init__.py
	trails := strings.ContainsRune(")]}\"'`.,:;!?|/-", after) && (after != '.' || !isWordRune(next))
	ends := isBlank(after) || isMark(after) || isWide(after) || trails ||
		size > 1 && char != '_' && isWordRune(after)
	return !isBlank(after) && leads && begins, !free && ends
}

// dunders are names of Python and PHP that are written with the marks of bold
// text.
var dunders = strings.Fields("init main name file dict doc all call class construct del dirname enter exit eq get " +
	"getitem hash iter len new next repr set setitem str toString")

func isDunder(s string) bool {
	for _, name := range dunders {
		if strings.HasPrefix(s, name+"__") {
			return true
		}
	}
	return false
}

// says reports whether text has anything that emphasis could be meant for.
// Faces such as *_* have not.
func says(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return isWordRune(r) || unicode.Is(unicode.So, r) })
}

type runKind struct {
	char byte
	mod  int
	both bool
}

// pairRuns pairs runs that open and close emphasis, by the algorithm of
// CommonMark. What stays single is text. Each run is looked at a bounded number
// of times.
func pairRuns(runs []*mdRun) {
	var stack []*mdRun
	// Below these places there is no opener for a run of that kind: nothing is searched twice.
	floors := map[runKind]int{}
	for _, r := range runs {
		for r.close && r.left > 0 {
			kind := runKind{r.char, r.size % 3, r.canOpen}
			k, floor := len(stack)-1, floors[kind]
			for k >= floor && !stack[k].fits(r) {
				k--
			}
			if k < floor || stack[k].said == r.said {
				floors[kind] = len(stack)
				break
			}
			opener := stack[k]
			count := min(2, opener.left, r.left)
			opener.opens = append(opener.opens, r.char == '|')
			r.closes++
			opener.left -= count
			r.left -= count
			stack = stack[:k]
			if opener.left > 0 {
				stack = append(stack, opener)
			}
			for key, at := range floors {
				floors[key] = min(at, len(stack))
			}
		}
		if r.canOpen && r.left > 0 {
			stack = append(stack, r)
		}
	}
}

// fits is CommonMark's rule of three: of runs that could do both, a mark of one
// and two of another are no pair.
func (opener *mdRun) fits(r *mdRun) bool {
	if opener.char != r.char {
		return false
	}
	return !opener.close && !r.canOpen || (opener.size+r.size)%3 != 0 || opener.size%3 == 0 && r.size%3 == 0
}
