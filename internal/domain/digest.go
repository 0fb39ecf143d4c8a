package domain

import (
	"cmp"
	"slices"
	"time"
)

// Bounds of a digest.
const (
	DigestRooms    = 10                  // rooms of which it shows something
	DigestLines    = 3                   // messages that it shows of one
	MaxMissedRooms = 200                 // rooms that are looked at for one
	MaxMissedLines = 100                 // messages of a room that are looked at, and replies in its threads
	DigestReach    = 31 * 24 * time.Hour // it tells of nothing older
)

// DigestEvery says how often somebody gets a mail that sums up what they missed.
type DigestEvery string

// How often. DigestNever is what holds for who has chosen nothing.
const (
	DigestNever  DigestEvery = "never"
	DigestDaily  DigestEvery = "day"
	DigestWeekly DigestEvery = "week"
)

// DigestSettings say when somebody gets a digest.
type DigestSettings struct {
	Every   DigestEvery
	Weekday time.Weekday  // of DigestWeekly
	Time    time.Duration // after midnight, as clocks show it
	Zone    string        // of the IANA database
}

// repeat is when digests come.
func (d DigestSettings) repeat() Repeat {
	r := Repeat{Zone: d.Zone, Time: d.Time, Weekdays: []time.Weekday{d.Weekday}}
	if d.Every == DigestDaily {
		r.Weekdays = []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	}
	return r
}

// Next returns when the first digest after a time comes; zero: never.
func (d DigestSettings) Next(after time.Time) time.Time {
	if d.Every != DigestDaily && d.Every != DigestWeekly {
		return time.Time{}
	}
	return d.repeat().Next(after)
}

// CheckDigest refuses settings that make no sense, and returns the others in their usual form.
func CheckDigest(d DigestSettings) (DigestSettings, error) {
	switch d.Every {
	case DigestNever:
		return DigestSettings{Every: DigestNever}, nil
	case DigestDaily:
		d.Weekday = time.Sunday
	case DigestWeekly:
		if d.Weekday < time.Sunday || d.Weekday > time.Saturday {
			return d, InvalidField("/weekday", "name a day: 1 is Monday, 7 Sunday")
		}
	default:
		return d, InvalidField("/every", "this is never, day or week")
	}
	if d.Time < 0 || d.Time >= 24*time.Hour {
		return d, InvalidField("/time", "this is a time of day, such as 08:00")
	}
	if !isZone(d.Zone) {
		return d, InvalidField("/zone", "name a time zone, such as Europe/Berlin")
	}
	return d, nil
}

// isZone reports whether a time zone has a name, and is known by it everywhere.
func isZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "" && name != "Local"
}

// DueDigest is a digest that is to be made now. Whoever has claimed it makes it.
type DueDigest struct {
	User     string
	Username string
	Email    string // empty: they get no mail, because they have no address or the account is disabled
	Settings DigestSettings
	Notify   NotifySettings
	Claim    int64 // who claims it later has a larger one
}

// MissedLine is a message or alarm that somebody has not read, and of which no digest has told them.
type MissedLine struct {
	Seq    int64
	To     Addressed // but Account, Room, Direct and Keyword
	Thread int64     // of a reply
	Text   string    // only where their keywords decide
}

// MissedRoom is a room in which there is something that somebody has not read.
type MissedRoom struct {
	View
	Name   string // empty in direct rooms
	Direct bool
	Level  NotifyLevel // that they have chosen for the room
	Head   int64       // up to here it is looked at
	Lines  []MissedLine
	More   bool // Lines are only the last ones
}

// Digested is what a digest tells of a room.
type Digested struct {
	Room     MissedRoom
	Count    int // what was missed
	Mentions int // of it what is addressed to them
	best     int
	Show     []int64 // numbers of what is shown, in their order
}

// urgent ranks reasons: what is addressed to somebody comes first.
func urgent(r NotifyReason) int {
	switch r {
	case NotifiedDirect, NotifiedMention:
		return 0
	case NotifiedThread, NotifiedRoom, NotifiedKeyword:
		return 1
	}
	return 2
}

// Digest decides what a digest tells of a room, by the decision for everything of which somebody is told
// (Addressed.Reason). The level of the account is for what is told at once: here all counts that their levels of the
// room and its threads let through. keyword reports whether a text has one of their keywords. It is false if there is
// nothing to tell.
func (r MissedRoom) Digest(keyword func(text string) bool) (d Digested, ok bool) {
	type told struct {
		seq    int64
		urgent int
	}
	var all []told
	d.Room, d.best = r, urgent(NotifiedAll)
	for _, l := range r.Lines {
		to := l.To
		to.Account, to.Room, to.Direct = NotifyAll, r.Level, r.Direct
		to.Keyword = l.Text != "" && keyword(l.Text)
		reason := to.Reason()
		if reason == NotNotified {
			continue
		}
		rank := urgent(reason)
		if d.Count++; rank < urgent(NotifiedAll) {
			d.Mentions++
		}
		d.best = min(d.best, rank)
		all = append(all, told{l.Seq, rank})
	}
	slices.SortFunc(all, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.urgent, b.urgent), cmp.Compare(b.seq, a.seq))
	})
	for _, t := range all[:min(len(all), DigestLines)] {
		d.Show = append(d.Show, t.seq)
	}
	slices.Sort(d.Show)
	return d, d.Count > 0
}

// SortDigest puts rooms first in which something is addressed to somebody, and leaves the others in their order.
func SortDigest(all []Digested) {
	slices.SortStableFunc(all, func(a, b Digested) int { return cmp.Compare(a.best, b.best) })
}
