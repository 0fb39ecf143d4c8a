package wire

import (
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// NotifySettings are what a user wants to be told of.
type NotifySettings struct {
	Level       string     `json:"level" enum:"all,mentions,nothing" doc:"of the account"`
	Keywords    []string   `json:"keywords" nullable:"false" maxItems:"20" doc:"messages with one of them are told, too"`
	Quiet       QuietHours `json:"quiet"`
	PausedUntil *time.Time `json:"paused_until,omitempty" doc:"nothing is told before; at most 31 days from now"`
	HideText    bool       `json:"hide_text,omitempty" doc:"pushes do not say what was written"`
	MuteReports bool       `json:"mute_reports,omitempty" doc:"not told of reports that wait for their decision"`
}

// QuietHours are times of a week in which nothing is told. What came meanwhile and is still unread is told afterwards.
type QuietHours struct {
	Zone  string      `json:"zone,omitempty" maxLength:"64" example:"Europe/Berlin"`
	Spans []QuietSpan `json:"spans" nullable:"false" maxItems:"7"`
}

// QuietSpan is a time of day on some days.
type QuietSpan struct {
	Weekdays []int  `json:"weekdays" nullable:"false" maxItems:"7" doc:"on which it begins: 1 is Monday, 7 Sunday"`
	Start    string `json:"start" pattern:"^[0-2][0-9]:[0-5][0-9]$" example:"22:00" doc:"by clocks in the zone"`
	End      string `json:"end" pattern:"^[0-2][0-9]:[0-5][0-9]$" example:"07:00" doc:"on the next day if it is not after start"`
}

// NotifyChoice is what a user wants to be told of a room or thread.
type NotifyChoice struct {
	Room   string `json:"room"`
	Thread int64  `json:"thread,omitempty" doc:"seq of its first message; absent: of the room"`
	Level  string `json:"level,omitempty" enum:"all,mentions,nothing" doc:"absent: as the room, or the account"`
}

// Notifications are all that a user has chosen.
type Notifications struct {
	NotifySettings
	SilentUntil *time.Time     `json:"silent_until,omitempty" doc:"nothing is told now, until then: paused, or quiet hours"`
	Choices     []NotifyChoice `json:"choices" nullable:"false" doc:"of rooms and threads where it is not the default"`
}

// FromNotifySettings shows settings as they are at a time.
func FromNotifySettings(s domain.NotifySettings, choices []domain.NotifyChoice, now time.Time) Notifications {
	v := Notifications{NotifySettings: NotifySettings{Level: string(s.Level), Keywords: s.Keywords,
		Quiet: QuietHours{Zone: s.Quiet.Zone, Spans: []QuietSpan{}}, HideText: s.HideText, MuteReports: s.MuteReports},
		Choices: make([]NotifyChoice, len(choices))}
	if s.Level == domain.NotifyDefault {
		v.Level = string(domain.NotifyMentions)
	}
	if v.Keywords == nil {
		v.Keywords = []string{}
	}
	for _, span := range s.Quiet.Spans {
		v.Quiet.Spans = append(v.Quiet.Spans,
			QuietSpan{Weekdays: days(span.Weekdays), Start: clock(span.Start), End: clock(span.End)})
	}
	if s.PausedUntil.After(now) {
		v.PausedUntil = &s.PausedUntil
	}
	if until, silent := s.Silent(now); silent {
		v.SilentUntil = &until
	}
	for i, c := range choices {
		v.Choices[i] = NotifyChoice{Room: c.Room, Thread: c.Thread, Level: string(c.Level)}
	}
	return v
}

// Value returns the settings that v shows. Times of day that are none become negative.
func (v NotifySettings) Value() domain.NotifySettings {
	s := domain.NotifySettings{Level: domain.NotifyLevel(v.Level), Keywords: v.Keywords, HideText: v.HideText,
		MuteReports: v.MuteReports, Quiet: domain.QuietHours{Zone: v.Quiet.Zone}}
	if v.PausedUntil != nil {
		s.PausedUntil = v.PausedUntil.UTC()
	}
	for _, shown := range v.Quiet.Spans {
		s.Quiet.Spans = append(s.Quiet.Spans, domain.QuietSpan{Weekdays: weekdays(shown.Weekdays),
			Start: timeOfDay(shown.Start), End: timeOfDay(shown.End)})
	}
	return s
}

func clock(of time.Duration) string {
	minutes := int(of / time.Minute)
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}

func timeOfDay(text string) time.Duration {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return -1
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

// DigestSettings say when a user gets a mail that sums up what they missed.
type DigestSettings struct {
	Every   string `json:"every" enum:"never,day,week"`
	Weekday int    `json:"weekday,omitempty" minimum:"0" maximum:"7" doc:"of week: 1 is Monday, 7 Sunday"`
	Time    string `json:"time,omitempty" pattern:"^[0-2][0-9]:[0-5][0-9]$" example:"08:00" doc:"by clocks in the zone"`
	Zone    string `json:"zone,omitempty" maxLength:"64" example:"Europe/Berlin"`
}

// Digest is what a user has chosen about digests.
type Digest struct {
	DigestSettings
	NextAt *time.Time `json:"next_at,omitempty" doc:"when the next one comes, if there is something to tell"`
	Mail   string     `json:"mail" enum:"ready,no_mail,no_address" doc:"no_mail: the server cannot send it"`
}

// FromDigest shows what a user has chosen about digests. mail: the server can send it; address: they have one.
func FromDigest(d domain.DigestSettings, next time.Time, mail, address bool) Digest {
	v := Digest{DigestSettings: DigestSettings{Every: string(d.Every)}, Mail: "ready"}
	if !mail {
		v.Mail = "no_mail"
	} else if !address {
		v.Mail = "no_address"
	}
	if d.Every == domain.DigestNever {
		return v
	}
	v.Time, v.Zone = clock(d.Time), d.Zone
	if d.Every == domain.DigestWeekly {
		v.Weekday = days([]time.Weekday{d.Weekday})[0]
	}
	if !next.IsZero() {
		v.NextAt = &next
	}
	return v
}

// Value returns the settings that v shows. A day or time of day that is none becomes negative.
func (v DigestSettings) Value() domain.DigestSettings {
	d := domain.DigestSettings{Every: domain.DigestEvery(v.Every), Weekday: -1, Zone: v.Zone, Time: timeOfDay(v.Time)}
	if v.Weekday > 0 {
		d.Weekday = weekdays([]int{v.Weekday})[0]
	}
	return d
}
