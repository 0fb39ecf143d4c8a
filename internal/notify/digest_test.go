package notify

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A desk is a store and a mailer for one digest, which notes what becomes of it.
type desk struct {
	Store
	rooms []domain.MissedRoom
	asked [][]int64 // what of rooms is shown

	reports  int // that wait
	reported time.Time

	mail *domain.Mail
	told []domain.MissedRoom
	next time.Time
	did  bool
	off  string // whose digests were ended
}

func (d *desk) Missed(context.Context, string, time.Time, bool) ([]domain.MissedRoom, error) {
	return d.rooms, nil
}

func (d *desk) Shown(_ context.Context, _ string, r domain.MissedRoom, seqs []int64) (string, []domain.Event, error) {
	d.asked = append(d.asked, seqs)
	events := make([]domain.Event, len(seqs))
	for i := range seqs {
		events[i] = domain.Event{Message: &domain.Message{Sender: domain.UserRef{DisplayName: "Ann"},
			Text: "**Tea** " + strings.Repeat("and cake ", 100)}}
	}
	return r.Name, events, nil
}

func (d *desk) ReportsWaiting(context.Context, string, time.Time) (int, time.Time, error) {
	return d.reports, d.reported, nil
}

func (d *desk) FinishDigest(
	_ context.Context, _ domain.DueDigest, mail *domain.QueuedMail, told []domain.MissedRoom, next time.Time,
) (bool, error) {
	if d.did, d.told, d.next = true, told, next; mail == nil {
		d.mail = nil
	}
	return true, nil
}

func (d *desk) PutDigest(_ context.Context, user string, s domain.DigestSettings, next time.Time) error {
	if s.Every == domain.DigestNever && next.IsZero() {
		d.off = user
	}
	return nil
}

func (d *desk) Waiting(context.Context) (int, error) { return 0, nil }

func (d *desk) Prepare(_ context.Context, m domain.Mail) (domain.QueuedMail, error) {
	d.mail = &m
	if m.To == "broken" {
		return domain.QueuedMail{}, domain.InvalidField("/email", "is not an e-mail address")
	}
	return domain.QueuedMail{ID: "mail_1"}, nil
}

func (*desk) Wake() {}

func digests(d *desk, now time.Time) *Service {
	return New(Deps{Store: d, Mail: d, URL: "https://chat.example.org", Key: []byte("secret"),
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
}

func lines(named bool, seqs ...int64) (all []domain.MissedLine) {
	for _, seq := range seqs {
		all = append(all, domain.MissedLine{Seq: seq, To: domain.Addressed{Main: true, Named: named}})
	}
	return all
}

// Who gets a mail, and when the next digest comes.
func TestADigestIsAMailOrNone(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 27, 7, 0, 5, 0, time.UTC) // the day before summer time
	due := domain.DueDigest{User: "usr_1", Username: "bob", Email: "bob@example.org", Settings: domain.DigestSettings{
		Every: domain.DigestDaily, Time: 8 * time.Hour, Zone: "Europe/Berlin"}}
	room := domain.MissedRoom{View: domain.View{Room: "room_1"}, Name: "Garden", Head: 9, Lines: lines(false, 7, 8)}
	for name, c := range map[string]struct {
		rooms  []domain.MissedRoom
		change func(d *domain.DueDigest)
		sent   bool
	}{
		"something": {[]domain.MissedRoom{room}, func(*domain.DueDigest) {}, true},
		"nothing":   {nil, func(*domain.DueDigest) {}, false},
		"nothing told": {[]domain.MissedRoom{{Level: domain.NotifyMentions, Lines: lines(false, 7)}},
			func(*domain.DueDigest) {}, false},
		"no address": {[]domain.MissedRoom{room}, func(d *domain.DueDigest) { d.Email = "" }, false},
		"a bad one":  {[]domain.MissedRoom{room}, func(d *domain.DueDigest) { d.Email = "broken" }, false},
		"a pause": {[]domain.MissedRoom{room}, func(d *domain.DueDigest) {
			d.Notify.PausedUntil = now.Add(time.Minute)
		}, false},
		"after one": {[]domain.MissedRoom{room}, func(d *domain.DueDigest) { d.Notify.PausedUntil = now }, true},
		"quiet hours": {[]domain.MissedRoom{room}, func(d *domain.DueDigest) { // its hour is chosen
			d.Notify.Quiet = domain.QuietHours{Zone: "UTC", Spans: []domain.QuietSpan{{
				Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}}}}
		}, true},
		"levels of pushes": {[]domain.MissedRoom{room}, func(d *domain.DueDigest) {
			d.Notify.Level = domain.NotifyNothing
		}, true},
	} {
		d, mine := &desk{rooms: c.rooms}, due
		c.change(&mine)
		if err := digests(d, now).makeDigest(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if d.did != true || (d.mail != nil) != c.sent || (d.told != nil) != c.sent {
			t.Errorf("%s: %+v", name, d)
		}
		if want := time.Date(2027, 3, 28, 6, 0, 0, 0, time.UTC); !d.next.Equal(want) {
			t.Errorf("%s: the next one comes at %s, not %s", name, d.next, want)
		}
	}
}

// A digest counts the reports that wait. They alone are a reason for one while they are new.
func TestADigestCountsReports(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 27, 7, 0, 5, 0, time.UTC)
	due := domain.DueDigest{User: "usr_1", Username: "bob", Email: "bob@example.org", Settings: domain.DigestSettings{
		Every: domain.DigestDaily, Time: 8 * time.Hour, Zone: "Europe/Berlin"}}
	missed := []domain.MissedRoom{{Name: "Garden", Head: 9, Lines: lines(false, 7)}}
	for name, c := range map[string]struct {
		rooms []domain.MissedRoom
		ago   time.Duration
		mute  bool
		sent  bool
		says  int
	}{
		"new":            {nil, time.Hour, false, true, 3},
		"told before":    {nil, 25 * time.Hour, false, false, 0},
		"beside a room":  {missed, 25 * time.Hour, false, true, 3},
		"not wanted":     {nil, time.Hour, true, false, 0},
		"neither beside": {missed, time.Hour, true, true, 0},
	} {
		d, mine := &desk{rooms: c.rooms, reports: 3, reported: now.Add(-c.ago)}, due
		mine.Notify.MuteReports = c.mute
		if err := digests(d, now).makeDigest(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if !d.did || (d.mail != nil) != c.sent || c.sent && d.mail.Data.Digest.Reports != c.says {
			t.Errorf("%s: %+v", name, d.mail)
		}
	}
}

// A digest shows ten rooms at most, counts the others, and shows no texts to whom they are hidden.
func TestADigestShowsSomeAndCountsTheRest(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 3, 27, 7, 0, 5, 0, time.UTC)
	d := &desk{}
	for i := range 12 {
		d.rooms = append(d.rooms, domain.MissedRoom{View: domain.View{Room: "room_" + string(rune('a'+i))}, Name: "Room",
			Head: 9, Lines: lines(i == 11, 5, 6, 7, 8), More: i == 0})
	}
	due := domain.DueDigest{User: "usr_1", Username: "bob", Email: "bob@example.org", Settings: domain.DigestSettings{
		Every: domain.DigestWeekly, Weekday: time.Saturday, Time: 8 * time.Hour, Zone: "Europe/Berlin"}}
	s := digests(d, now)
	if err := s.makeDigest(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	sum := d.mail.Data.Digest
	if len(sum.Rooms) != 10 || sum.MoreRooms != 2 || sum.MoreThere != 8 || sum.Messages != 48 || !sum.Capped ||
		!sum.Weekly || len(d.told) != 12 {
		t.Errorf("%+v", sum)
	}
	first := sum.Rooms[0]
	if first.Link != "https://chat.example.org/rooms/room_l" || first.Mentions != 4 || len(first.Lines) != 3 ||
		first.Lines[0].From != "Ann" || !strings.HasPrefix(first.Lines[0].Text, "Tea and cake") ||
		len(first.Lines[0].Text) > maxSnippet+len("…") || !sum.Rooms[1].Capped {
		t.Errorf("first comes %+v", first)
	}
	due.Notify.HideText = true
	if err := s.makeDigest(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	if r := d.mail.Data.Digest.Rooms[0]; r.Lines != nil || r.Count != 4 {
		t.Errorf("with hidden texts: %+v", r)
	}
	// Only the link of a mail ends the digests of whom it was sent to.
	_, token, _ := strings.Cut(sum.Unsubscribe, "#token=")
	if sum.OneClick != "https://chat.example.org/api/v1/notifications/digest/unsubscribe?token="+token {
		t.Errorf("one click goes to %s", sum.OneClick)
	}
	for _, bad := range []string{"", "usr_1", "usr_1.", token + "x", strings.Replace(token, "usr_1", "usr_2", 1)} {
		if err := s.EndDigests(t.Context(), bad); domain.KindOf(err) != domain.Invalid || d.off != "" {
			t.Errorf("%q ends the digests of %q: %v", bad, d.off, err)
		}
	}
	if err := s.EndDigests(t.Context(), token); err != nil || d.off != "usr_1" {
		t.Errorf("the link ends the digests of %q: %v", d.off, err)
	}
}
