package domain

import (
	"slices"
	"strings"
	"time"
)

// Limits of notifications.
const (
	MaxKeywords       = 20
	MaxKeyword        = 40   // characters
	MaxQuietSpans     = 7    // of quiet hours
	MaxNotifyLevels   = 1000 // rooms and threads for which a user has chosen a level
	MaxSubscriptions  = 10   // of one user; the oldest one gives way to another
	MaxNotifyPause    = 31 * 24 * time.Hour
	NotificationsKept = 3 * 24 * time.Hour // for what has not been delivered by then nobody is told
)

// NotifyLevel says what of a room somebody wants to be told of.
type NotifyLevel string

// The levels. That of a thread wins over that of its room, and that over the one of the account.
const (
	NotifyDefault  NotifyLevel = ""         // as the next wider level
	NotifyAll      NotifyLevel = "all"      // every message
	NotifyMentions NotifyLevel = "mentions" // what is addressed to them
	NotifyNothing  NotifyLevel = "nothing"
)

// NotifyReason is why somebody is told of a message.
type NotifyReason string

// The reasons, in the order in which the first that applies is given.
const (
	NotNotified     NotifyReason = ""
	NotifiedDirect  NotifyReason = "direct"   // in a direct room
	NotifiedMention NotifyReason = "mention"  // it names them
	NotifiedThread  NotifyReason = "thread"   // a reply in a thread that they follow
	NotifiedRoom    NotifyReason = "room"     // it names @room, or an alarm was escalated to the room
	NotifiedKeyword NotifyReason = "keyword"  // it has one of their keywords
	NotifiedAll     NotifyReason = "all"      // they want every message
	NotifiedRemind  NotifyReason = "reminder" // they asked for it; no level decides on it
	NotifiedReport  NotifyReason = "report"   // they decide on reports of messages, and some wait
)

// NotifySettings are what a user has chosen. The zero value is what holds for who has chosen nothing.
type NotifySettings struct {
	Level       NotifyLevel // of the account; NotifyDefault is NotifyMentions
	Keywords    []string
	Quiet       QuietHours
	PausedUntil time.Time // zero: not paused
	HideText    bool      // pushes do not say what was written
	MuteReports bool      // they are not told that reports wait for their decision
}

// TellsReports says whether a user is told of reports that wait for them in a room for which they have chosen a level,
// or with NotifyDefault of those that administrators decide on.
func (s NotifySettings) TellsReports(room NotifyLevel) bool {
	if room == NotifyDefault {
		room = s.Level
	}
	return !s.MuteReports && room != NotifyNothing
}

// NotifyChoice is the level that a user has chosen for a room or a thread.
type NotifyChoice struct {
	Room   string
	Thread int64 // number of its first message; 0: of the room
	Level  NotifyLevel
}

// QuietHours are the times of a week in which a user is not disturbed.
type QuietHours struct {
	Zone  string // of the IANA database
	Spans []QuietSpan
}

// QuietSpan is a time of day on some days. It ends on the next day if End is not after Start.
type QuietSpan struct {
	Weekdays   []time.Weekday // on which it begins
	Start, End time.Duration  // after midnight, as clocks show it
}

// Until returns the end of quiet hours if now is within them. Spans that meet count as one.
func (q QuietHours) Until(now time.Time) (until time.Time, quiet bool) {
	zone, err := time.LoadLocation(q.Zone)
	if err != nil { // the zone is known no more
		return time.Time{}, false
	}
	until = now
	for range 2 * MaxQuietSpans * 7 { // a week that is quiet throughout has no end
		end, in := q.spanAt(until.In(zone))
		if !in {
			break
		}
		until, quiet = end, true
	}
	return until.UTC(), quiet
}

// spanAt returns the latest end of the spans that a local time is in. A time that the clocks skip, midnight in some
// zones, is as much later.
func (q QuietHours) spanAt(local time.Time) (end time.Time, in bool) {
	for _, s := range q.Spans {
		for back := range 2 { // one of yesterday may last until today
			y, month, d := local.AddDate(0, 0, -back).Date()
			day := time.Date(y, month, d, 12, 0, 0, 0, local.Location())
			begin, last := ClockTime(day, s.Start), ClockTime(day, s.End)
			if s.End <= s.Start {
				last = ClockTime(day.AddDate(0, 0, 1), s.End)
			}
			if slices.Contains(s.Weekdays, day.Weekday()) && !local.Before(begin) && local.Before(last) && last.After(end) {
				end, in = last, true
			}
		}
	}
	return end, in
}

// Silent returns until when a user is not to be disturbed, by a pause or by quiet hours.
func (s NotifySettings) Silent(now time.Time) (until time.Time, silent bool) {
	until, silent = s.Quiet.Until(now)
	if now.Before(s.PausedUntil) {
		if end, after := s.Quiet.Until(s.PausedUntil); after {
			return end, true
		}
		if !silent || s.PausedUntil.After(until) {
			return s.PausedUntil, true
		}
	}
	return until, silent
}

// CheckNotifySettings refuses settings that make no sense, and returns the others in their usual form.
func CheckNotifySettings(s NotifySettings, now time.Time) (NotifySettings, error) {
	if err := CheckNotifyLevel(s.Level); err != nil {
		return s, err
	}
	if len(s.Keywords) > MaxKeywords {
		return s, InvalidField("/keywords", "there can be at most %d keywords", MaxKeywords)
	}
	words := make([]string, 0, len(s.Keywords))
	for _, word := range s.Keywords {
		word, err := CheckLine("/keywords", strings.TrimSpace(word), MaxKeyword, true)
		if err != nil {
			return s, err
		}
		if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) }) {
			words = append(words, word)
		}
	}
	s.Keywords = words
	if s.PausedUntil.After(now.Add(MaxNotifyPause)) {
		return s, InvalidField("/paused_until", "a pause lasts at most %d days", int(MaxNotifyPause/(24*time.Hour)))
	}
	return s, checkQuiet(s.Quiet)
}

func checkQuiet(q QuietHours) error {
	if len(q.Spans) == 0 {
		return nil
	}
	if len(q.Spans) > MaxQuietSpans {
		return InvalidField("/quiet/spans", "there can be at most %d", MaxQuietSpans)
	}
	if !isZone(q.Zone) {
		return InvalidField("/quiet/zone", "name a time zone, such as Europe/Berlin")
	}
	for _, s := range q.Spans {
		if len(s.Weekdays) == 0 || slices.Min(s.Weekdays) < time.Sunday || slices.Max(s.Weekdays) > time.Saturday {
			return InvalidField("/quiet/spans", "days are 1, which is Monday, to 7, and there is at least one")
		}
		if s.Start < 0 || s.End < 0 || s.Start >= 24*time.Hour || s.End >= 24*time.Hour {
			return InvalidField("/quiet/spans", "start and end are times of day, such as 22:30")
		}
	}
	return nil
}

// CheckNotifyLevel refuses levels that there are not.
func CheckNotifyLevel(l NotifyLevel) error {
	if !slices.Contains([]NotifyLevel{NotifyDefault, NotifyAll, NotifyMentions, NotifyNothing}, l) {
		return InvalidField("/level", "this is all, mentions, nothing, or empty for the wider level")
	}
	return nil
}

// Addressed is what a message is to one of the members who may read it.
type Addressed struct {
	Account, Room, Thread NotifyLevel // what they have chosen; Thread of the thread of a reply
	Direct                bool        // it is in a direct room
	Named                 bool
	NamesRoom             bool
	Follows               bool // it is a reply in a thread that they follow
	Keyword               bool // it has one of their keywords
	Main                  bool // it is a line of the room
}

// Reason decides whether a member is told of a message, by their levels and by what it is to them. This is the one
// decision for pushes, mails and clients; testdata/notify.json has it as a table.
func (a Addressed) Reason() NotifyReason {
	level := a.Account
	for _, narrower := range []NotifyLevel{a.Room, a.Thread} {
		if narrower != NotifyDefault {
			level = narrower
		}
	}
	mentionsAlone := a.Room == NotifyMentions || a.Thread == NotifyMentions
	switch {
	case level == NotifyNothing:
		return NotNotified
	case a.Direct && a.Main && !mentionsAlone:
		return NotifiedDirect
	case a.Named:
		return NotifiedMention
	case a.Follows && a.Thread != NotifyMentions:
		return NotifiedThread
	case a.NamesRoom:
		return NotifiedRoom
	case a.Keyword:
		return NotifiedKeyword
	case level == NotifyAll && (a.Main || a.Thread == NotifyAll):
		return NotifiedAll
	}
	return NotNotified
}

// Recipient is a member of a room who may be told of what is written there.
type Recipient struct {
	User     string
	Direct   bool // the room is a direct one
	Settings NotifySettings
	Room     NotifyLevel
	Threads  map[int64]NotifyLevel // that they have chosen in the room
	Follows  map[int64]bool        // of the threads that were asked about
}

// Notification tells a user of a message, once.
type Notification struct {
	User   string
	Room   string
	Thread int64 // of a reply that is no line of the room; else 0
	Seq    int64 // of the message
	Reason NotifyReason
	At     time.Time // of the event that tells of it: later subscriptions get nothing
}

// Subscription is a browser or app that gets pushes. It ends with its session.
type Subscription struct {
	ID        string
	User      string
	Session   string
	Endpoint  string
	Key, Auth []byte
	Name      string // the browser, as its session tells it
	CreatedAt time.Time
	SentAt    time.Time // when its push service took the last one; zero: never
	FailedAt  time.Time // since when it takes none; zero: it does, or was not asked
	Failure   string    // why
}

// Push is what waits to be sent to a subscription about a room, or a thread in it: all that came is one push. Or it is
// about a reminder, or about reports that wait for who moderates a room, or for an administrator.
type Push struct {
	Subscription Subscription
	Room         string // of reports empty: administrators decide on them
	Thread       int64
	Reminder     string    // id; empty: it is about a room, or about reports
	Reports      bool      // it is about reports
	Seq          int64     // of the last message; of a reminder or report when it came, in Unix milliseconds
	Since        time.Time // when the first message of it came
	Tries        int
}

// PushState is what a push is about, as it is when it is sent.
type PushState struct {
	Settings NotifySettings
	Version  int64        // of the settings
	Mode     Availability // DoNotDisturb: they want to be left alone
	Direct   bool
	Name     string // of the room
	Picture  string // of the room, as RoomLook.Avatar; empty: it has none
	Count    int    // messages to be told of that are not read yet, or that wait reported; 0: there is nothing to say
	Reason   NotifyReason
	Last     Event     // the last of them; of a reminder the event of its message
	Reminder *Reminder // nil: it is about a room
}
