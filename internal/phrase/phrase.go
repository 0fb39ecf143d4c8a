// Package phrase reads the times of reminders as people write them: "in 20 minutes", "every weekday at 9:30".
package phrase

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

// Why a text is refused.
var (
	ErrUnclear = errors.New("say when, and of what: /remind in 20 minutes to call Ben, or " +
		"/remind every weekday at 9:30 standup")
	ErrNothing = errors.New("say what to be reminded of: /remind in 20 minutes to call Ben")
	ErrOver    = errors.New("this time is over; name one that is still to come")
	ErrFar     = errors.New("this is more than a year ahead; name a time that is nearer")
	ErrOthers  = errors.New("reminders are for yourself: /remind me in 20 minutes to call Ben")
)

// Reminder is what somebody wants to be reminded of, and when: after some time, at a time that the clock shows, or at a
// time of some days of the week or of a day of each month. Of After, At, Weekdays and MonthDay one is set.
type Reminder struct {
	Text     string
	After    time.Duration
	At       time.Time     // in UTC, whatever the zone of the clock
	Clock    time.Duration // after midnight, on Weekdays or MonthDay
	Weekdays []time.Weekday
	MonthDay int // 31 is the last day of each month
}

const longest = 16 // words of a time after a text

var word = regexp.MustCompile(`\S+`)

// Read reads a time and a text, or a text and a time, in English. now is what the clock shows, in UTC. Errors are those
// of this package. The web client reads the same, in web/src/view/later/phrase.ts; both are held to
// testdata/reminders.json.
func Read(typed string, now time.Time) (r Reminder, err error) {
	p := phrase{now: now.Truncate(time.Minute), typed: typed}
	for _, at := range word.FindAllStringIndex(typed, -1) {
		p.places = append(p.places, at)
		p.words = append(p.words, strings.ToLower(strings.TrimRight(typed[at[0]:at[1]], ",;:.!")))
	}
	first := 0
	if p.word(0) == "me" {
		first = 1
	}
	if name, named := strings.CutPrefix(p.word(first), "@"); named && name != "" {
		return r, ErrOthers
	}
	n := len(p.words)
	w, next, ok := p.when(first)
	from, to := next, n
	for i := max(first+1, n-longest); !ok && i < n; i++ {
		if w, next, ok = p.when(i); ok && next == n {
			from, to = first, i
		} else {
			ok = false
		}
	}
	if !ok {
		return r, ErrUnclear
	}
	if from < to && slices.Contains([]string{"to", "that", "about"}, p.word(from)) {
		from++
	}
	if from == to {
		return r, ErrNothing
	}
	r, err = p.reminder(w)
	r.Text = strings.TrimRightFunc(typed[p.places[from][0]:p.places[to-1][1]], func(c rune) bool {
		return to < n && (strings.ContainsRune(",;:", c) || unicode.IsSpace(c))
	})
	return r, err
}

// phrase is what is typed, with its words in lower case and without the marks that end them.
type phrase struct {
	now    time.Time
	typed  string
	words  []string
	places [][]int
}

// word returns a word; there is none after the last one.
func (p phrase) word(i int) string {
	if i < len(p.words) {
		return p.words[i]
	}
	return ""
}

// when is a time as words name it. What is not named is negative, zero or empty.
type when struct {
	days, minutes float64 // from now
	ahead         bool    // days or minutes are named
	day           time.Time
	moves         int           // days after day on which it comes if it is over on day
	year          bool          // it comes a year after day if it is over on day
	part          int           // hour of the part of the day
	clock         time.Duration // after midnight
	exact         bool          // the clock says which half of the day
	weekdays      []time.Weekday
	monthDay      int
}

// when reads a time from a word on, and returns the number of the word after it.
func (p phrase) when(i int) (w when, next int, ok bool) {
	w = when{part: -1, clock: -1}
	if p.word(i) == "in" {
		if next, ok = p.amounts(i+1, &w); !ok {
			return w, i, false
		}
		if w.minutes == 0 && w.days > 0 {
			next = p.clock(next, &w)
		}
		return w, next, true
	}
	next = p.clock(i, &w)
	before := next
	if next = p.monthly(before, &w); next == before {
		next = p.every(before, &w)
	}
	if next == before {
		next = p.date(before, &w)
	}
	if next > before {
		if hour, ok := parts[p.word(next)]; ok {
			w.part, next = hour, next+1
		}
		if w.clock < 0 {
			next = p.clock(next, &w)
		}
	}
	return w, next, next > i
}

var (
	units = map[string]float64{ // in minutes
		"m": 1, "min": 1, "mins": 1, "minute": 1, "minutes": 1, "h": 60, "hr": 60, "hrs": 60, "hour": 60, "hours": 60,
		"d": day, "day": day, "days": day, "w": 7 * day, "week": 7 * day, "weeks": 7 * day,
	}
	dayWords = map[string]int{"today": 0, "tonight": 0, "tomorrow": 1}
	parts    = map[string]int{"morning": 9, "afternoon": 15, "evening": 19}
	week     = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	short    = map[string]string{"mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday",
		"thu": "thursday", "thur": "thursday", "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday"}
	amountForm = regexp.MustCompile(`^(\d{1,5}(?:\.\d{1,3})?)([a-z]*)`)
	clockForm  = regexp.MustCompile(`^(\d{1,2})(?:([:.])(\d{2}))?(am|pm)?$`)
	isoForm    = regexp.MustCompile(`^(\d{4})-(\d{2})-(\d{2})$`)
	nthForm    = regexp.MustCompile(`^(\d{1,2})(?:st|nd|rd|th)?$`)
	yearForm   = regexp.MustCompile(`^\d{4}$`)
)

const day = 24 * 60.0 // minutes

// amounts reads lengths of time: "20 minutes", "1h30m", "half an hour".
func (p phrase) amounts(i int, w *when) (next int, ok bool) {
	for {
		after, read := p.amount(i, w)
		if !read {
			return next, ok
		}
		next, ok = after, true
		if i = after; p.word(i) == "and" {
			i++
		}
	}
}

func (p phrase) amount(i int, w *when) (next int, ok bool) {
	half := 1.0
	if p.word(i) == "half" {
		half, i = 0.5, i+1
	}
	rest := p.word(i)
	if rest == "a" || rest == "an" || rest == "one" {
		return i + 2, w.add(half, p.word(i+1))
	}
	for first := true; rest != "" || first; first = false {
		m := amountForm.FindStringSubmatch(rest)
		if m == nil || half != 1 {
			return i, false
		}
		number, _ := strconv.ParseFloat(m[1], 64)
		unit := m[2]
		if rest = rest[len(m[0]):]; unit == "" && rest == "" {
			i++
			unit = p.word(i)
		}
		if !w.add(number, unit) {
			return i, false
		}
	}
	return i + 1, true
}

// add adds a length of time. It reports whether there is such a unit.
func (w *when) add(number float64, unit string) bool {
	length, ok := units[unit]
	w.ahead = w.ahead || ok
	if days := number * length / day; length >= day && days == float64(int(days)) {
		w.days += days
	} else {
		w.minutes += number * length
	}
	return ok
}

// clock reads a time of day: "at 9", "9:30 pm", "noon".
func (p phrase) clock(i int, w *when) (next int) {
	next, named := i, false
	if p.word(i) == "at" || p.word(i) == "@" {
		next, named = i+1, true
	}
	if p.word(next) == "noon" {
		w.clock, w.exact = 12*time.Hour, true
		return next + 1
	}
	m := clockForm.FindStringSubmatch(p.word(next))
	if m == nil {
		return i
	}
	next++
	half := m[4]
	if word := p.word(next); half == "" && (word == "am" || word == "pm") {
		half = word
		next++
	} else if word == "o'clock" || word == "o’clock" {
		named = true
		next++
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[3])
	if half != "" {
		if hour < 1 || hour > 12 {
			return i
		}
		if hour %= 12; half == "pm" {
			hour += 12
		}
	}
	if hour > 23 || minute > 59 || !named && half == "" && m[2] != ":" {
		return i
	}
	w.clock = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	w.exact = half != ""
	return next
}

// every reads days of the week: "every weekday", "every mon, wed and fri". What is a part of the day is left.
func (p phrase) every(i int, w *when) (next int) {
	switch p.word(i) {
	case "daily":
		w.weekdays = weekdays(1, 7)
		return i + 1
	case "every", "each":
	default:
		return i
	}
	next = i + 2
	switch word := p.word(i + 1); word {
	case "day":
		w.weekdays = weekdays(1, 7)
	case "weekday", "workday":
		w.weekdays = weekdays(1, 5)
	case "weekend":
		w.weekdays = weekdays(6, 7)
	default:
		if _, ok := parts[word]; ok {
			w.weekdays = weekdays(1, 7)
			return i + 1
		}
		next = i
		for at := i + 1; ; {
			d, ok := weekday(p.word(at), true)
			if !ok {
				break
			}
			w.weekdays = append(w.weekdays, d)
			if next, at = at+1, at+1; p.word(at) == "and" {
				at++
			}
		}
	}
	return next
}

// monthly reads a day of each month: "every month on the 15th", "monthly on the last day", "the 1st of every month".
func (p phrase) monthly(i int, w *when) (next int) {
	next = i
	first := p.month(i)
	if first > i {
		next = first
	}
	for _, word := range []string{"on", "the"} {
		if p.word(next) == word {
			next++
		}
	}
	day := 0
	if m := nthForm.FindStringSubmatch(p.word(next)); m != nil {
		day, _ = strconv.Atoi(m[1])
	} else if p.word(next) == "last" && p.word(next+1) == "day" {
		day = 31
		next++
	}
	next++
	if first == i {
		if p.word(next) == "of" {
			next++
		}
		after := p.month(next)
		if after == next {
			return i
		}
		next = after
	}
	if day < 1 || day > 31 {
		return i
	}
	w.monthDay = day
	return next
}

// month reads "every month" and "monthly".
func (p phrase) month(i int) (next int) {
	switch word := p.word(i); {
	case word == "monthly":
		return i + 1
	case (word == "every" || word == "each") && p.word(i+1) == "month":
		return i + 2
	}
	return i
}

// weekdays returns the days of the week from one to another, where Monday is 1.
func weekdays(from, to int) (days []time.Weekday) {
	for d := from; d <= to; d++ {
		days = append(days, time.Weekday(d%7))
	}
	return days
}

func weekday(word string, alsoShort bool) (time.Weekday, bool) {
	if long := short[word]; alsoShort && long != "" {
		word = long
	}
	d := slices.Index(week, word)
	return time.Weekday(d), d >= 0
}

// date reads a day: "tomorrow", "next monday", "2026-12-24", "the 24th of December 2026".
func (p phrase) date(i int, w *when) (next int) {
	next = i
	lead := p.word(i)
	if lead == "on" || lead == "next" || lead == "this" {
		next++
	}
	if p.word(next) == "the" {
		next++
	}
	word := p.word(next)
	today := midnight(p.now)
	if days, ok := dayWords[word]; ok && next == i {
		if w.day = today.AddDate(0, 0, days); word == "tonight" {
			w.part = parts["evening"]
		}
		return next + 1
	}
	if _, ok := parts[word]; ok && lead == "this" {
		w.day = today
		return next
	}
	if d, ok := weekday(word, next > i); ok {
		days := (int(d-today.Weekday()) + 7) % 7
		w.moves = 7
		if days == 0 && lead == "next" {
			days = 7
		}
		w.day = today.AddDate(0, 0, days)
		return next + 1
	}
	if m := isoForm.FindStringSubmatch(word); m != nil {
		return p.numbered(i, next+1, w, m[1], m[2], m[3])
	}
	return p.named(i, next, w)
}

// named reads a day with the name of its month: "24 December", "December 24th, 2026".
func (p phrase) named(i, next int, w *when) int {
	month, nth := p.word(next), p.word(next+1)
	if nthForm.MatchString(month) {
		if nth == "of" {
			next++
			nth = p.word(next + 1)
		}
		month, nth = nth, month
	}
	m := nthForm.FindStringSubmatch(nth)
	number := slices.IndexFunc(months(), func(name string) bool {
		return name == month || name[:3] == month || name == "september" && month == "sept"
	})
	if m == nil || number < 0 {
		return i
	}
	next += 2
	year := ""
	if yearForm.MatchString(p.word(next)) {
		year = p.word(next)
		next++
	}
	return p.numbered(i, next, w, year, strconv.Itoa(number+1), m[1])
}

func months() (names []string) {
	for m := time.January; m <= time.December; m++ {
		names = append(names, strings.ToLower(m.String()))
	}
	return names
}

// numbered sets the day of w, and returns next, or i if there is no such day. Without a year it is the next one.
func (p phrase) numbered(i, next int, w *when, year, month, number string) int {
	y, err := strconv.Atoi(year)
	if err != nil {
		y, w.year = p.now.Year(), true
	}
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(number)
	w.day = time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if w.day.Day() != d || int(w.day.Month()) != m {
		return i
	}
	return next
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

// reminder returns the time that w names. Without a time of day it is the one of the part of the day, or nine o'clock.
func (p phrase) reminder(w when) (r Reminder, err error) {
	clock := w.clock
	switch {
	case clock < 0 && w.part >= 0:
		clock = time.Duration(w.part) * time.Hour
	case clock < 0:
		clock = 9 * time.Hour
	case w.part >= 12 && clock < 12*time.Hour && !w.exact: // "tonight at 8"
		clock += 12 * time.Hour
	}
	if w.monthDay > 0 {
		return Reminder{Clock: clock, MonthDay: w.monthDay}, nil
	}
	if len(w.weekdays) > 0 {
		slices.Sort(w.weekdays)
		return Reminder{Clock: clock, Weekdays: slices.Compact(w.weekdays)}, nil
	}
	over := func(at time.Time) bool { return !at.Add(clock).After(p.now) }
	switch {
	case w.ahead && w.minutes > 0:
		r.After = time.Duration((w.days*day + w.minutes) * float64(time.Minute))
	case w.ahead && w.clock < 0:
		r.At = p.now.AddDate(0, 0, int(w.days))
	case w.ahead:
		r.At = midnight(p.now).AddDate(0, 0, int(w.days)).Add(clock)
	case w.day.IsZero(): // a time of day alone
		w.day, w.moves = midnight(p.now), 1
		fallthrough
	default:
		if over(w.day) {
			w.day = w.day.AddDate(0, 0, w.moves)
			if w.year {
				w.day = w.day.AddDate(1, 0, 0)
			}
		}
		r.At = w.day.Add(clock)
	}
	switch {
	case r.At.IsZero() && r.After <= 0, !r.At.IsZero() && !r.At.After(p.now):
		return r, ErrOver
	case r.After > domain.MaxAhead, r.At.After(p.now.Add(domain.MaxAhead)):
		return r, ErrFar
	}
	return r, nil
}
