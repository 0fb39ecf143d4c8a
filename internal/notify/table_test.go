package notify

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
)

var updateTable = flag.Bool("update", false, "write testdata/told.golden")

// testdata/told.golden is the table of what becomes of a message for one who may read it: of what they are told and
// why, whether a push is sent, whether a digest has it, and what the room counts as unread. It is what the code does
// with a database, from the message to the push service.
func TestWhatBecomesOfAMessage(t *testing.T) {
	t.Parallel()
	const file = "testdata/told.golden"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := &tableHouse{db: testkit.Open(t, testkit.SQLite(t)), service: pushtest.NewService(t)}
	testkit.Room(t, h.db, 1)
	h.bot = testkit.Bot(t, h.db, testkit.UserID(0), "robot")
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 7 && !strings.HasPrefix(line, "#") {
			line = tableRow(append(cells[:3:3], h.outcome(t, cells[0], cells[1], cells[2])...))
		}
		out.WriteString(line)
	}
	if *updateTable {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	was := strings.Split(string(text), "\n")
	for i, line := range strings.Split(out.String(), "\n") {
		if i >= len(was) || line != was[i] {
			t.Errorf("line %d of %s is now\n%s", i+1, file, line)
		}
	}
}

func tableRow(cells []string) string {
	return strings.TrimRight(fmt.Sprintf("%-16s | %-15s | %-10s | %-7s | %-5s | %-6s | %s", cells[0], cells[1], cells[2],
		cells[3], cells[4], cells[5], cells[6]), " ") + "\n"
}

// tableHouse is a server with a user who writes, a bot, and for each row a room and a user of its own.
type tableHouse struct {
	db      *all.Store
	service *pushtest.Service
	bot     string
	rows    int
}

// pushOutcome notes what becomes of each push, and has the store do it.
type pushOutcome struct {
	Store
	did []string
}

func (o *pushOutcome) Finish(ctx context.Context, p domain.Push, sent bool, now time.Time) error {
	o.did = append(o.did, map[bool]string{true: "now", false: "never"}[sent])
	return o.Store.Finish(ctx, p, sent, now)
}

func (o *pushOutcome) Postpone(ctx context.Context, p domain.Push, version int64, until time.Time) error {
	o.did = append(o.did, "later")
	return o.Store.Postpone(ctx, p, version, until)
}

// outcome writes a message of a kind for somebody who has chosen something and is somewhere.
func (h *tableHouse) outcome(t *testing.T, kind, chosen, where string) []string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s | %s | %s: %v", kind, chosen, where, err)
		}
	}
	is := func(of, word string) bool { return slices.Contains(strings.Fields(of), word) }
	ctx, now := t.Context(), time.Now()
	h.rows++
	user, name := testkit.UserID(1000+h.rows), fmt.Sprint("reader", h.rows)
	must(h.db.Accounts.CreateUser(ctx, domain.User{ID: user, Kind: domain.KindUser, Role: domain.SystemUser,
		Username: name, DisplayName: name}, "", domain.Signup{}, now))
	h.settle(t, user, chosen, where, now)

	writer := testkit.UserID(0)
	room := domain.NewRoom{Kind: domain.PublicRoom, Name: "Room"}
	if is(kind, "bot") {
		room.Members = []string{h.bot}
	} else if is(kind, "direct") {
		room = domain.NewRoom{Kind: domain.DirectRoom, Members: []string{user}}
	}
	s, _, err := h.db.Rooms.CreateRoom(ctx, writer, room, now)
	must(err)
	if !is(kind, "direct") {
		_, err = h.db.Rooms.Join(ctx, user, s.Room.ID, now)
		must(err)
	}
	said := 0
	say := func(by string, d domain.Draft, named []string, everybody bool) domain.Event {
		said++
		d.Room, d.Key = s.Room.ID, fmt.Sprint("k", h.rows, "-", said)
		e, _, err := h.db.Messages.AppendMessage(ctx, by, d, named, everybody, now)
		must(err)
		return e
	}
	d := domain.Draft{Text: "the weather is fine"}
	if is(kind, "reply") || is(kind, "followed") {
		d.Thread = say(map[bool]string{true: user, false: writer}[is(kind, "followed")], domain.Draft{Text: "root"}, nil,
			false).Seq
		_, err = h.db.Messages.MarkRead(ctx, user, s.Room.ID, d.Thread, true, now)
		must(err)
	}
	if of, level, narrower := strings.Cut(chosen, " "); narrower {
		c := domain.NotifyChoice{Room: s.Room.ID, Level: domain.NotifyLevel(level)}
		if of == "thread" {
			c.Thread = d.Thread
		}
		must(h.db.Notifications.Choose(ctx, user, c, now))
	}
	var named []string
	if is(kind, "mention") || is(kind, "edit") {
		named = []string{name}
	}
	if is(kind, "group") {
		group := fmt.Sprint("team", h.rows)
		must(h.db.UserGroups.CreateUserGroup(ctx, domain.UserGroup{ID: domain.NewID(domain.UserGroupPrefix), Handle: group,
			Name: group}, []string{user}))
		named = []string{group}
	}
	if is(kind, "keyword") {
		d.Text = "the Greenhouse is warm"
	}
	if is(kind, "@here") {
		d.Text = "@here the weather is fine"
	}
	if is(kind, "own") {
		writer = user
	} else if is(kind, "bot") {
		writer = h.bot
	}
	if where == "blocking" {
		_, err = h.db.Rooms.Block(ctx, user, writer)
		must(err)
	}
	by := writer
	if is(kind, "reaction") {
		by = user
	}
	first := named
	if is(kind, "edit") {
		first = nil
	}
	e := say(by, d, first, is(kind, "@room"))
	if is(kind, "edit") {
		e, err = h.db.Messages.EditMessage(ctx, writer, s.Room.ID, e.Message.Seq, d.Text, named, false, now)
		must(err)
	}
	if is(kind, "reaction") {
		e, _, err = h.db.Messages.React(ctx, writer, domain.Reacting{Room: s.Room.ID, Seq: e.Message.Seq, Emoji: "👍"}, now)
		must(err)
	}
	reason, push := h.push(t, user, where, e, now, func() {
		if where == "read" && d.Thread != 0 {
			_, err := h.db.Messages.MarkThread(ctx, user, s.Room.ID, d.Thread, e.Seq, now)
			must(err)
		} else if where == "read" {
			_, err := h.db.Messages.MarkRead(ctx, user, s.Room.ID, e.Seq, true, now)
			must(err)
		}
	})
	missed, err := h.db.Notifications.Missed(ctx, user, now.Add(-domain.DigestReach), true)
	must(err)
	digest := "no"
	if len(digested(missed, []string{"greenhouse"})) > 0 {
		digest = "yes"
	}
	state, err := h.db.Rooms.RoomState(ctx, user, s.Room.ID)
	must(err)
	badge := []string{}
	if n := state.Unread.Messages; n > 0 {
		badge = append(badge, fmt.Sprint(n, " new"))
	}
	if n := state.Unread.Mentions; n > 0 {
		badge = append(badge, fmt.Sprint("@", n))
	}
	if n := state.Unread.Threads; n > 0 {
		badge = append(badge, fmt.Sprint(n, " thread"))
	}
	return []string{orNone(reason), push, digest, orNone(strings.Join(badge, ", "))}
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// settle gives a user a browser, unless they have none, and what they have chosen for the account.
func (h *tableHouse) settle(t *testing.T, user, chosen, where string, now time.Time) {
	t.Helper()
	ctx := t.Context()
	settings := domain.NotifySettings{Keywords: []string{"greenhouse"}}
	if !strings.Contains(chosen, " ") && chosen != "default" {
		settings.Level = domain.NotifyLevel(chosen)
	}
	switch where {
	case "paused":
		settings.PausedUntil = now.Add(time.Hour)
	case "quiet":
		settings.Quiet = domain.QuietHours{Zone: "UTC", Spans: []domain.QuietSpan{{Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5,
			6}}}}
	}
	err := h.db.Notifications.PutSettings(ctx, user, settings)
	if where == "disturb" && err == nil {
		_, err = h.db.Accounts.SetStatus(ctx, user, domain.Status{Mode: domain.DoNotDisturb})
	}
	browsers := 1
	switch where {
	case "no browser":
		browsers = 0
	case "2 browsers":
		browsers = 2
	}
	for range browsers {
		if err == nil {
			err = h.subscribe(t, user, now)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// subscribe has pushes sent to a browser of a user.
func (h *tableHouse) subscribe(t *testing.T, user string, now time.Time) error {
	t.Helper()
	session := domain.NewID(domain.SessionPrefix)
	browser := pushtest.NewBrowser(t, h.service.URL+"/"+session)
	err := h.db.Sessions.BeginSession(t.Context(), domain.Session{ID: session, User: user, CreatedAt: now,
		Idle: now.Add(time.Hour), Expires: now.Add(time.Hour), AuthTime: now}, 0, []byte(session), domain.Proof{})
	if err != nil {
		return err
	}
	_, err = h.db.Notifications.Subscribe(t.Context(), domain.Subscription{ID: domain.NewID(domain.PushPrefix), User: user,
		Session: session, Endpoint: browser.Endpoint, Key: browser.Public(), Auth: browser.Auth,
		CreatedAt: now.Add(-time.Minute)})
	return err
}

// push has the consumer of the feed decide on an event, and tries the pushes of it after before.
func (h *tableHouse) push(
	t *testing.T, user, where string, e domain.Event, now time.Time, before func(),
) (reason, did string) {
	t.Helper()
	ctx := t.Context()
	o := &pushOutcome{Store: h.db.Notifications}
	s := sender(t, nil, where == "active", now, loopback)
	s.Store = o
	err := s.handle(ctx, []feed.Entry[domain.Event]{{Value: e}})
	if err != nil {
		t.Fatal(err)
	}
	err = h.db.QueryRowContext(ctx, `SELECT COALESCE(max(reason), '') FROM notifications WHERE user_id = $1`, user).
		Scan(&reason)
	if err != nil {
		t.Fatal(err)
	}
	before()
	due, err := o.Claim(ctx, 10, time.Hour, now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range due {
		if p.Subscription.User != user {
			continue
		}
		if err := s.attempt(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	switch n := len(o.did); {
	case n == 0:
		return reason, "never"
	case n > 1 && len(slices.Compact(o.did)) == 1:
		return reason, fmt.Sprint(n, " ", o.did[0])
	}
	return reason, strings.Join(o.did, "+")
}

// The table of reasons in docs/notifications.md has all of them, in the order in which they are looked at.
func TestTheDocsHaveEachReason(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| Reason | The message |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []domain.NotifyReason
	for line := range strings.Lines(table) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "| `"), "`")
		got = append(got, domain.NotifyReason(name))
	}
	want := []domain.NotifyReason{domain.NotifiedDirect, domain.NotifiedMention, domain.NotifiedThread, domain.NotifiedRoom,
		domain.NotifiedKeyword, domain.NotifiedAll, domain.NotifiedReport, domain.NotifiedRemind}
	if !slices.Equal(got, want) {
		t.Errorf("it has %q, and should have %q", got, want)
	}
}
