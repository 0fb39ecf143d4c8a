package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// tells connects c, and returns what comes by it about reports.
func tells(t *testing.T, c *client.Client) <-chan client.ReportChanged {
	t.Helper()
	told := make(chan client.ReportChanged, 100)
	l := c.Live(t.Context(), client.LiveOptions{OnReport: func(r client.ReportChanged) { told <- r }})
	t.Cleanup(l.Close)
	must(t, l.Ready(t.Context()))
	return told
}

// Bob reports a message of Eve: Ann, who moderates, hears of it and deletes it, and Bob hears that. Eve hears nothing.
// Of what Ann says, the administrator decides, who leaves a trace by looking and knows no other message.
func TestPeopleReport(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, testkit.SQLite(t)), t.Context()
	admin, ann, bob, eve := root(t, s), s.User("ann"), s.User("bob"), s.User("eve")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Tea"})
	must(t, err)
	must(t, ann.Add(ctx, room.ID, id(t, bob)))
	must(t, ann.Add(ctx, room.ID, id(t, eve)))
	say := func(c *client.Client, text string) int64 {
		said, err := c.Send(ctx, client.Draft{Room: room.ID, Text: text})
		must(t, err)
		return said.Message.Seq
	}
	bad, first := say(eve, "buy pills"), say(bob, "the first of all")
	anns, bobs, eves, roots := tells(t, ann), tells(t, bob), tells(t, eve), tells(t, admin)

	for range 2 { // the second one changes nothing
		r, err := bob.Report(ctx, room.ID, bad, "spam", " again \n")
		if err != nil || r.State != "open" || r.Note != "again" {
			t.Errorf("reported: %+v, %v", r, err)
		}
	}
	if told := next(t, anns); told.Seq != bad || told.State != "open" || told.As != "moderator" {
		t.Errorf("ann hears %+v", told)
	}
	q, err := ann.RoomReports(ctx, room.ID, "")
	if err != nil || q.Waiting != 1 || q.Items[0].Count != 1 || q.Items[0].Reports[0].By.ID != id(t, bob) ||
		q.Items[0].Reports[0].Text != "buy pills" {
		t.Errorf("ann's queue: %+v, %v", q, err)
	}
	must(t, ann.DecideReport(ctx, room.ID, bad, "removed"))
	if told := next(t, bobs); told.Seq != bad || told.State != "removed" || told.As != "reporter" {
		t.Errorf("bob hears %+v", told)
	}
	if m, err := bob.Message(ctx, room.ID, bad); err != nil || m.DeletedAt == nil {
		t.Errorf("the message is %+v, %v", m, err)
	}

	if told := next(t, anns); told.State != "removed" {
		t.Errorf("ann hears %+v", told)
	}
	_, err = ann.Report(ctx, room.ID, first, "other", "")
	must(t, err)
	if told := next(t, anns); told.Seq != first || !told.Own { // her queue has changed, and she knows
		t.Errorf("of her own report ann hears %+v", told)
	}

	for i := range 6 {
		say(bob, fmt.Sprint("tea ", i))
	}
	rude := say(ann, "I moderate here")
	_, err = eve.Report(ctx, room.ID, rude, "harassment", "")
	must(t, err)
	if told := next(t, roots); told.Seq != rude || told.As != "admin" {
		t.Errorf("the administrator hears %+v", told)
	}
	looked(t, admin, room.ID, rude, first)
	must(t, admin.Do(ctx, "POST", fmt.Sprint("/admin/reports/", room.ID, "/", rude), map[string]string{"decision": "kept"},
		nil))
	if told := next(t, eves); told.Seq != rude || told.State != "kept" || told.As != "reporter" {
		t.Errorf("eve hears %+v, before which there was nothing for her", told)
	}
	for what, err := range map[string]error{
		"a reason that is none": reportOf(t, bob, room.ID, rude, "boring", ""),
		"a note too long":       reportOf(t, bob, room.ID, rude, "spam", strings.Repeat("a", domain.MaxReportNote+1)),
	} {
		var refused *client.Error
		if !errors.As(err, &refused) || refused.Kind != string(domain.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := bob.DecideReport(ctx, room.ID, rude, "kept"); codeOf(err) != client.CodeRoleTooLow {
		t.Errorf("a member decides: %v", err)
	}
}

func reportOf(t *testing.T, c *client.Client, room string, seq int64, reason, note string) error {
	t.Helper()
	_, err := c.Report(t.Context(), room, seq, reason, note)
	return err
}

// looked has an administrator look at a reported message of which first is not around.
func looked(t *testing.T, admin *client.Client, room string, seq, first int64) {
	t.Helper()
	ctx := t.Context()
	list, context := "/admin/reports", fmt.Sprint("/admin/reports/", room, "/", seq)
	var raw struct {
		Items []struct {
			Seq     int64
			Reasons []string
			Author  client.User
		}
		Waiting int
	}
	must(t, admin.Do(ctx, "GET", list, nil, &raw))
	if raw.Waiting != 1 || raw.Items[0].Seq != seq || raw.Items[0].Reasons[0] != "harassment" {
		t.Errorf("the administrators' queue: %+v", raw)
	}
	var shown struct {
		Reported client.ReportedMessage
		Around   []client.Message
	}
	must(t, admin.Do(ctx, "GET", context, nil, &shown))
	if shown.Reported.Message.Text != "I moderate here" || len(shown.Around) != domain.ReportContext {
		t.Errorf("an administrator sees %+v", shown)
	}
	err := admin.Do(ctx, "GET", fmt.Sprint("/admin/reports/", room, "/", first), nil, nil)
	if codeOf(err) != client.CodeNoReport {
		t.Errorf("a message that nobody reported: %v", err)
	}
	if _, err := admin.Message(ctx, room, seq); codeOf(err) != client.CodeNoRoom {
		t.Errorf("the room: %v", err)
	}
	n := recorded(t, admin, "target="+room)
	if n[string(domain.AuditReportView)] != 1 || n[string(domain.AuditReportDecide)] != 1 {
		t.Errorf("recorded: %v", n)
	}
}
