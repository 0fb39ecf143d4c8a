package domain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A digest comes when clocks of its user show its time, also when summer time begins or ends.
func TestADigestComesByTheClocksOfItsUser(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	daily := domain.DigestSettings{Every: domain.DigestDaily, Time: 8 * time.Hour, Zone: "Europe/Berlin"}
	early := domain.DigestSettings{Every: domain.DigestDaily, Time: 150 * time.Minute, Zone: "Europe/Berlin"}
	weekly := domain.DigestSettings{Every: domain.DigestWeekly, Weekday: time.Monday, Time: 8 * time.Hour,
		Zone: "America/New_York"}
	for name, c := range map[string]struct {
		d           domain.DigestSettings
		after, want string
	}{
		"today":                   {daily, "2027-03-27T06:59:59Z", "2027-03-27T07:00:00Z"},
		"not at the same moment":  {daily, "2027-03-27T07:00:00Z", "2027-03-28T06:00:00Z"}, // summer time has begun
		"when summer time ends":   {daily, "2027-10-30T06:00:00Z", "2027-10-31T07:00:00Z"},
		"a time that is skipped":  {early, "2027-03-27T12:00:00Z", "2027-03-28T01:30:00Z"}, // clocks show 3:30
		"a time that comes twice": {early, "2027-10-30T12:00:00Z", "2027-10-31T00:30:00Z"},
		"and once only":           {early, "2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"},
		"a weekday":               {weekly, "2027-03-09T00:00:00Z", "2027-03-15T12:00:00Z"}, // summer time since the 14th
		"the same day later":      {weekly, "2027-03-15T11:59:00Z", "2027-03-15T12:00:00Z"},
	} {
		if got := c.d.Next(at(c.after)); !got.Equal(at(c.want)) {
			t.Errorf("%s: after %s comes %s, not %s", name, c.after, got, c.want)
		}
	}
	if got := (domain.DigestSettings{Every: domain.DigestNever}).Next(at("2027-03-27T06:59:59Z")); !got.IsZero() {
		t.Errorf("never comes at %s", got)
	}
}

func TestDigestSettingsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	good := domain.DigestSettings{Every: domain.DigestWeekly, Weekday: time.Friday, Time: 8 * time.Hour,
		Zone: "Europe/Berlin"}
	if got, err := domain.CheckDigest(good); err != nil || got != good {
		t.Errorf("%+v %v", got, err)
	}
	for field, change := range map[string]func(d *domain.DigestSettings){
		"every":   func(d *domain.DigestSettings) { d.Every = "hour" },
		"weekday": func(d *domain.DigestSettings) { d.Weekday = -1 },
		"time":    func(d *domain.DigestSettings) { d.Time = 24 * time.Hour },
		"zone":    func(d *domain.DigestSettings) { d.Zone = "Local" },
	} {
		bad := good
		change(&bad)
		if _, err := domain.CheckDigest(bad); err == nil {
			t.Errorf("a bad %s is taken", field)
		}
	}
	if got, err := domain.CheckDigest(domain.DigestSettings{Every: domain.DigestNever, Time: -1}); err != nil ||
		got != (domain.DigestSettings{Every: domain.DigestNever}) {
		t.Errorf("never is %+v %v", got, err)
	}
}

// What a digest tells of a room is what its user wants to be told of it, what is addressed to them first.
func TestADigestTellsWhatItsUserWants(t *testing.T) {
	t.Parallel()
	line := func(seq int64, to domain.Addressed) domain.MissedLine {
		to.Main = true
		return domain.MissedLine{Seq: seq, To: to}
	}
	plain, named := domain.Addressed{}, domain.Addressed{Named: true}
	reply := func(seq int64, to domain.Addressed) domain.MissedLine {
		return domain.MissedLine{Seq: seq, Thread: 1, To: to}
	}
	kettle := line(4, plain)
	kettle.Text = "the kettle is on"
	for name, c := range map[string]struct {
		room            domain.MissedRoom
		count, mentions int
		show            []int64
	}{
		"everything, mentions shown first": {domain.MissedRoom{Lines: []domain.MissedLine{line(1, named), line(2, plain),
			line(3, plain), line(4, plain), line(5, plain)}}, 5, 1, []int64{1, 4, 5}},
		"only what is addressed": {domain.MissedRoom{Level: domain.NotifyMentions, Lines: []domain.MissedLine{
			line(1, named), line(2, plain), line(3, domain.Addressed{NamesRoom: true}), kettle}}, 3, 3, []int64{1, 3, 4}},
		"nothing": {domain.MissedRoom{Level: domain.NotifyNothing, Lines: []domain.MissedLine{line(1, named)}}, 0, 0, nil},
		"threads": {domain.MissedRoom{Lines: []domain.MissedLine{reply(2, domain.Addressed{Follows: true}),
			reply(3, plain), reply(4, named), reply(5, domain.Addressed{Follows: true, Thread: domain.NotifyNothing})}}, 2, 2,
			[]int64{2, 4}},
		"a direct room": {domain.MissedRoom{Direct: true, Lines: []domain.MissedLine{line(7, plain)}}, 1, 1, []int64{7}},
	} {
		d, ok := c.room.Digest(func(text string) bool { return strings.Contains(text, "kettle") })
		if ok != (c.count > 0) || d.Count != c.count || d.Mentions != c.mentions || !slices.Equal(d.Show, c.show) {
			t.Errorf("%s: %d, %d for them, %v is shown", name, d.Count, d.Mentions, d.Show)
		}
	}
	var all []domain.Digested
	for _, r := range []domain.MissedRoom{
		{Name: "lively", Lines: []domain.MissedLine{line(1, plain)}},
		{Name: "thread", Lines: []domain.MissedLine{reply(1, domain.Addressed{Follows: true})}},
		{Name: "mention", Lines: []domain.MissedLine{line(1, named)}},
		{Name: "quiet", Lines: []domain.MissedLine{line(1, plain)}},
	} {
		d, _ := r.Digest(nil)
		all = append(all, d)
	}
	domain.SortDigest(all)
	var names []string
	for _, d := range all {
		names = append(names, d.Room.Name)
	}
	if want := []string{"mention", "thread", "lively", "quiet"}; !slices.Equal(names, want) {
		t.Errorf("in the order %v, not %v", names, want)
	}
}
