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

// outcome returns what becomes of a message of a kind for somebody who has chosen something and is somewhere.
func (h *tableHouse) outcome(t *testing.T, kind, chosen, where string) []string {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	h.rows++
	c := &scene{tableHouse: h, t: t, row: kind + " | " + chosen + " | " + where, kind: strings.Fields(kind), now: now,
		user: testkit.UserID(1000 + h.rows), name: fmt.Sprint("reader", h.rows), writer: testkit.UserID(0)}
	c.must(h.db.Accounts.CreateUser(ctx, domain.User{ID: c.user, Kind: domain.KindUser, Role: domain.SystemUser,
		Username: c.name, DisplayName: c.name}, "", domain.Signup{}, now))
	h.settle(t, c.user, chosen, where, now)
	c.enter(chosen)
	if where == "blocking" {
		_, err := h.db.Rooms.Block(ctx, c.user, c.writer)
		c.must(err)
	}
	e := c.happens()
	reason, push := h.push(t, c.user, where, e, now, func() {
		if where == "read" {
			c.read(e.Seq)
		}
	})
	missed, err := h.db.Notifications.Missed(ctx, c.user, now.Add(-domain.DigestReach), true)
	c.must(err)
	digest := "no"
	if len(digested(missed, []string{"greenhouse"})) > 0 {
		digest = "yes"
	}
	return []string{orNone(reason), push, digest, orNone(c.badge())}
}

// A scene is a row of the table: somebody in a room of their own, in which something of a kind happens.
type scene struct {
	*tableHouse
	t                        *testing.T
	row                      string
	kind                     []string
	now                      time.Time
	user, name, writer, room string
	thread                   int64 // in which it happens; 0: in none
	said                     int
}

func (c *scene) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatalf("%s: %v", c.row, err)
	}
}

func (c *scene) is(word string) bool { return slices.Contains(c.kind, word) }

func (c *scene) say(by, text string, named ...string) domain.Event {
	c.t.Helper()
	c.said++
	e, _, err := c.db.Messages.AppendMessage(c.t.Context(), by, domain.Draft{Room: c.room, Text: text, Thread: c.thread,
		Key: fmt.Sprint("k", c.rows, "-", c.said)}, named, c.is("@room"), c.now)
	c.must(err)
	return e
}

// enter makes the room, and the thread if there is one, and has the user choose what they want to be told of there.
func (c *scene) enter(chosen string) {
	c.t.Helper()
	ctx := c.t.Context()
	room := domain.NewRoom{Kind: domain.PublicRoom, Name: "Room"}
	if c.is("direct") {
		room = domain.NewRoom{Kind: domain.DirectRoom, Members: []string{c.user}}
	} else if c.is("bot") {
		room.Members = []string{c.bot}
	}
	s, _, err := c.db.Rooms.CreateRoom(ctx, c.writer, room, c.now)
	c.must(err)
	c.room = s.Room.ID
	if !c.is("direct") {
		_, err = c.db.Rooms.Join(ctx, c.user, c.room, c.now)
		c.must(err)
	}
	switch {
	case c.is("followed"): // who began it follows it
		c.thread = c.say(c.user, "root").Seq
	case c.is("reply"):
		c.thread = c.say(c.writer, "root").Seq
	}
	if c.thread != 0 {
		_, err = c.db.Messages.MarkRead(ctx, c.user, c.room, c.thread, true, c.now)
		c.must(err)
	}
	if of, level, narrower := strings.Cut(chosen, " "); narrower {
		choice := domain.NotifyChoice{Room: c.room, Level: domain.NotifyLevel(level)}
		if of == "thread" {
			choice.Thread = c.thread
		}
		c.must(c.db.Notifications.Choose(ctx, c.user, choice, c.now))
	}
}

// happens writes a message, or edits one, or reacts to one of the user.
func (c *scene) happens() (e domain.Event) {
	c.t.Helper()
	ctx, by, text := c.t.Context(), c.writer, "the weather is fine"
	switch {
	case c.is("own"):
		by = c.user
	case c.is("bot"):
		by = c.bot
	}
	switch {
	case c.is("keyword"):
		text = "the Greenhouse is warm"
	case c.is("@here"):
		text = "@here the weather is fine"
	}
	switch {
	case c.is("mention"):
		return c.say(by, text, c.name)
	case c.is("group"):
		handle := fmt.Sprint("team", c.rows)
		c.must(c.db.UserGroups.CreateUserGroup(ctx, domain.UserGroup{ID: domain.NewID(domain.UserGroupPrefix),
			Handle: handle, Name: handle}, []string{c.user}))
		return c.say(by, text, handle)
	case c.is("edit"):
		var err error
		e, err = c.db.Messages.EditMessage(ctx, by, c.room, c.say(by, text).Seq, text, []string{c.name}, false, c.now)
		c.must(err)
		return e
	case c.is("reaction"):
		e, _, err := c.db.Messages.React(ctx, by, domain.Reacting{Room: c.room, Seq: c.say(c.user, text).Seq, Emoji: "👍"},
			c.now)
		c.must(err)
		return e
	}
	return c.say(by, text)
}

// read has the user read up to seq, where it happens.
func (c *scene) read(seq int64) {
	c.t.Helper()
	var err error
	if c.thread != 0 {
		_, err = c.db.Messages.MarkThread(c.t.Context(), c.user, c.room, c.thread, seq, c.now)
	} else {
		_, err = c.db.Messages.MarkRead(c.t.Context(), c.user, c.room, seq, true, c.now)
	}
	c.must(err)
}

// badge returns what the room counts as unread.
func (c *scene) badge() string {
	c.t.Helper()
	state, err := c.db.Rooms.RoomState(c.t.Context(), c.user, c.room)
	c.must(err)
	var counts []string
	if n := state.Unread.Messages; n > 0 {
		counts = append(counts, fmt.Sprint(n, " new"))
	}
	if n := state.Unread.Mentions; n > 0 {
		counts = append(counts, fmt.Sprint("@", n))
	}
	if n := state.Unread.Threads; n > 0 {
		counts = append(counts, fmt.Sprint(n, " thread"))
	}
	return strings.Join(counts, ", ")
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
	browsers, other := map[string]int{"no browser": 0, "2 browsers": 2}[where]
	if !other {
		browsers = 1
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

// push has the consumer of the feed decide on an event, calls before, and tries the pushes of the event.
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
	if want := append(decidedReasons(), domain.NotifiedRemind); !slices.Equal(got, want) {
		t.Errorf("it has %q, and should have %q", got, want)
	}
}
