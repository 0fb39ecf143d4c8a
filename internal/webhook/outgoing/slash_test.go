package outgoing

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/webhook/incoming"
	"github.com/unhidra/unhidra/internal/wire"
)

func (r *room) MayRead(context.Context, domain.Principal, string) error  { return nil }
func (r *room) MayWrite(context.Context, domain.Principal, string) error { return nil }

// notices are what a bus carries.
type notices chan wire.SlashAnswer

func (n notices) Publish(_ string, packed []byte) error {
	var f struct{ Data wire.SlashAnswer }
	_, frame, err := wire.Unpack(packed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(frame, &f); err != nil {
		return err
	}
	n <- f.Data
	return nil
}

// commanded is a room with the command /deploy, which asks an address.
func commanded(t *testing.T, url string, client *http.Client) (*room, domain.SlashCommand, notices) {
	t.Helper()
	db, told := testkit.Open(t, testkit.SQLite(t)), make(notices, 10)
	r := &room{db: db, id: testkit.Room(t, db, 2), ann: domain.Principal{ID: testkit.UserID(0), Kind: domain.KindUser},
		now: time.UnixMilli(time.Now().UnixMilli())}
	r.Service = New(Deps{Store: db.OutHooks, Queue: db.OutHooks, Slash: db.Slash, Chat: r, Bus: told, Audit: r,
		Client: client, Networks: []netip.Prefix{loopback}, Key: []byte("key"), URL: "https://chat.example.org",
		Hash: func(secret string) []byte { return []byte(secret) }, Log: testkit.Logger(t),
		Now: func() time.Time { return r.now }})
	c, err := r.CreateCommand(t.Context(), r.ann, domain.SlashCommand{Room: r.id, Name: "/deploy", URL: url,
		Description: " Deploys\n a service ", Hint: "SERVICE"})
	if err != nil || c.Name != "deploy" || c.Description != "Deploys a service" ||
		!strings.HasPrefix(c.Secret, secretPrefix) {
		t.Fatalf("%+v, %v", c, err)
	}
	return r, c, told
}

// deploy has the first user write "/deploy api".
func (r *room) deploy(t *testing.T) (domain.SlashReply, error) {
	t.Helper()
	reply, _, err := r.RunCommand(t.Context(), r.ann, Written{Room: r.id, Name: "Deploy", Text: "api"})
	return reply, err
}

// A receiver's answer is for whoever wrote the command, or for the room. One that cannot be used is said plainly, and
// kept for the admins.
func TestASlashCommandIsAnswered(t *testing.T) {
	t.Parallel()
	const posted = `> /deploy · User 0 (user0)` + "\n\n"
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	for name, c := range map[string]struct {
		kind, body string
		status     int
		url        string
		text       string // for who wrote it
		said       string // in the room
		code       domain.Code
		failure    string
	}{
		"nothing":        {},
		"a text":         {kind: "text/plain", body: " *done* ", text: "**done**"},
		"Slack's form":   {body: `{"text":"<https://example.org|here>"}`, text: "[here](https://example.org)"},
		"attachments":    {body: `{"response_type":"ephemeral","attachments":[{"title":"api"}]}`, text: "**api**"},
		"to the room":    {body: `{"response_type":"in_channel","text":"on its way"}`, said: posted + "on its way"},
		"nothing to it":  {body: `{"response_type":"in_channel"}`},
		"another type":   {body: `{"response_type":"loud","text":"x"}`, code: domain.CodeSlashAnswer, failure: "response_type"},
		"a wrong type":   {body: `{"text":"x","attachments":1}`, code: domain.CodeSlashAnswer, failure: `"attachments"`},
		"broken JSON":    {body: `{"text":`, code: domain.CodeSlashAnswer, failure: "broken"},
		"a list":         {kind: "application/json", body: `[1]`, code: domain.CodeSlashAnswer, failure: "no JSON object"},
		"a page":         {kind: "text/html", body: "hi", code: domain.CodeSlashAnswer, failure: "web page"},
		"bytes":          {kind: "text/plain", body: "\xff\xfe", code: domain.CodeSlashAnswer, failure: "no text in UTF-8"},
		"too much":       {body: strings.Repeat("x", domain.MaxSlashReply+1), code: domain.CodeSlashAnswer, failure: "64 KiB"},
		"a failure":      {status: 500, code: domain.CodeSlashAnswer, failure: "answers 500"},
		"elsewhere":      {status: 302, code: domain.CodeSlashAnswer, failure: "sends elsewhere (302)"},
		"nobody":         {url: away.URL, code: domain.CodeSlashAway, failure: "cannot be reached"},
		"a private host": {url: "https://10.1.2.3/", code: domain.CodeSlashAway, failure: "private network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.kind)
				w.Header().Set("Location", "/further")
				w.WriteHeader(max(c.status, http.StatusOK))
				_, _ = io.WriteString(w, c.body)
			}))
			t.Cleanup(s.Close)
			if c.url == "" {
				c.url = s.URL
			}
			r, made, _ := commanded(t, c.url, outbound.Client([]netip.Prefix{loopback}, time.Minute))
			reply, err := r.deploy(t)
			if domain.CodeOf(err) != c.code || c.failure != "" && !strings.Contains(err.Error(), c.failure) {
				t.Errorf("%v", err)
			}
			var said []string
			if c.said != "" {
				said = []string{made.ID + ": " + c.said}
			} else if reply.Text != c.text {
				t.Errorf("answered %q", reply.Text)
			}
			if !slices.Equal(r.said, said) {
				t.Errorf("the room has %q", r.said)
			}
			now, err := r.db.Slash.SlashCommand(t.Context(), r.id, made.ID)
			if err != nil || (now.Failure != "") != (c.code != "") || now.UsedAt.IsZero() == (c.code == "") ||
				!strings.Contains(now.Failure, c.failure) {
				t.Errorf("%+v, %v", now, err)
			}
		})
	}
}

// hangs is a receiver that answers in the time of no request.
type hangs struct{ limit time.Duration }

func (h *hangs) RoundTrip(r *http.Request) (*http.Response, error) {
	until, _ := r.Context().Deadline()
	h.limit = time.Until(until)
	return nil, context.DeadlineExceeded
}

// Who writes a command waits for three seconds at most, for few at a time, and is told of one that is off or gone.
func TestASlashCommandIsBounded(t *testing.T) {
	t.Parallel()
	slow := &hangs{}
	r, c, _ := commanded(t, "https://ci.example.org/", &http.Client{Transport: slow})
	_, err := r.deploy(t)
	if domain.CodeOf(err) != domain.CodeSlashLate || slow.limit <= 0 || slow.limit > slashTimeout {
		t.Errorf("%v after %v", err, slow.limit)
	}
	for range askingOfUser {
		if !r.begin(r.ann.ID, c.ID) {
			t.Fatal("too few may wait")
		}
	}
	if _, err := r.deploy(t); domain.KindOf(err) != domain.RateLimited {
		t.Errorf("one too many at a time: %v", err)
	}
	for range askingOfUser {
		r.end(r.ann.ID, c.ID)
	}
	if len(r.asking) != 0 {
		t.Errorf("%v wait", r.asking)
	}
	for err = nil; domain.KindOf(err) != domain.RateLimited; _, err = r.deploy(t) {
		if err != nil && domain.CodeOf(err) != domain.CodeSlashLate {
			t.Fatal(err)
		}
	}
	off := false
	if _, err := r.ChangeCommand(t.Context(), r.ann, r.id, c.ID, CommandChange{On: &off}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.deploy(t); domain.CodeOf(err) != domain.CodeSlashOff {
		t.Errorf("one that is off: %v", err)
	}
	if err := r.RemoveCommand(t.Context(), r.ann, r.id, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.deploy(t); domain.CodeOf(err) != domain.CodeNoSlash {
		t.Errorf("one that was removed: %v", err)
	}
	if want := []string{"create_command", "change_command", "remove_command"}; !slices.Equal(r.audited, want) {
		t.Errorf("audited are %v", r.audited)
	}
	for _, bad := range []domain.SlashCommand{{Name: "topic"}, {Name: "Deploy"}, {Name: ""}, {Name: "a b"},
		{Name: "x", URL: "http://example.org/"}, {Name: "x", Description: strings.Repeat("x", 101)},
		{Name: "x", Hint: strings.Repeat("x", 61)}} {
		bad.Room = r.id
		if bad.URL == "" {
			bad.URL = "https://example.org/"
		}
		if _, err := r.CreateCommand(t.Context(), r.ann, bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// The receiver of docs/webhooks.md works as it stands there: it checks signatures, answers the room, and later whoever
// wrote the command.
func TestTheReceiverOfTheDocsAnswersSlashCommands(t *testing.T) {
	t.Parallel()
	testkit.NeedPython(t)
	page, err := os.ReadFile("../../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if code == nil {
		t.Fatal("the page has no receiver")
	}
	path := filepath.Join(t.TempDir(), "receiver.py")
	if err := os.WriteFile(path, code[1], 0o600); err != nil {
		t.Fatal(err)
	}
	r, c, told := commanded(t, "https://ci.example.org/", outbound.Client([]netip.Prefix{loopback}, time.Minute))
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err == nil {
			var reply domain.SlashReply
			if reply, err = incoming.ParseAnswer(q.Header.Get("Content-Type"), body); err == nil {
				err = r.Reply(q.Context(), filepath.Base(q.URL.Path), func() (domain.SlashReply, error) { return reply, nil })
			}
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(back.Close)
	r.URL = back.URL
	cmd := exec.CommandContext(t.Context(), "python3", path)
	cmd.Env = append(os.Environ(), "SECRET="+c.Secret, "PORT=0")
	var errs testkit.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v; the receiver says %s", err, errs.String())
	}
	url := "http://127.0.0.1:" + strings.TrimSpace(strings.TrimPrefix(line, "port "))
	if _, err := r.ChangeCommand(t.Context(), r.ann, r.id, c.ID, CommandChange{URL: &url}); err != nil {
		t.Fatal(err)
	}
	reply, _, err := r.RunCommand(t.Context(), r.ann, Written{Room: r.id, Name: "deploy"})
	if err != nil || reply.Text != "Which service? Write `/deploy SERVICE`." {
		t.Errorf("%+v, %v", reply, err)
	}
	if reply, err := r.deploy(t); err != nil || !reply.Room || len(r.said) != 1 ||
		!strings.HasSuffix(r.said[0], "Deploying api") {
		t.Errorf("%+v, %v: %q", reply, err, r.said)
	}
	later := func() {
		t.Helper()
		select {
		case got := <-told:
			if want := (wire.SlashAnswer{Room: r.id, Command: "deploy", Text: "api is deployed."}); got != want {
				t.Errorf("told %+v", got)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no later answer; the receiver says %s", errs.String())
		}
	}
	later()
	if _, err := r.RotateCommand(t.Context(), r.ann, r.id, c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := r.deploy(t); err != nil {
		t.Errorf("with the secret before: %v", err)
	}
	later() // the time goes on only then
	r.now = r.now.Add(domain.HookSecretKept)
	if _, err := r.deploy(t); domain.CodeOf(err) != domain.CodeSlashAnswer {
		t.Errorf("a day after another secret, and in the future: %v", err)
	}
}

// A command of the server answers in the rooms that have it, as a member from its first public answer on, and its
// receiver is told of the room. A command of the room of that name comes first.
func TestACommandOfTheServerIsAnsweredInRooms(t *testing.T) {
	t.Parallel()
	answer := make(chan string, 1)
	asked := make(chan url.Values, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := req.ParseForm(); err != nil {
			t.Error(err)
		}
		asked <- req.PostForm
		_, _ = io.WriteString(w, <-answer)
	}))
	t.Cleanup(s.Close)
	r, _, told := commanded(t, s.URL, s.Client())
	ctx := t.Context()
	if _, err := r.db.Accounts.SetUserRole(ctx, r.ann.ID, domain.SystemAdmin); err != nil {
		t.Fatal(err)
	}
	by := By{AuditActor: domain.AuditActor{Kind: domain.ActorAdmin, ID: r.ann.ID}, Stands: r.ann.ID}
	for _, bad := range []domain.SlashCommand{{Name: "topic"}, {Name: "x", Kind: domain.DirectRoom}} {
		bad.URL = s.URL
		if _, err := r.CreateServerCommand(ctx, by, bad); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	var made []domain.SlashCommand
	for _, name := range []string{"/oncall", "deploy"} {
		c, err := r.CreateServerCommand(ctx, by, domain.SlashCommand{Name: name, URL: s.URL})
		if err != nil || !strings.HasPrefix(c.Secret, secretPrefix) {
			t.Fatalf("%+v, %v", c, err)
		}
		made = append(made, c)
	}
	if all, _, err := r.Commands(ctx, r.ann, r.id); err != nil || len(all) != 2 || all[0].OfServer() || !all[1].OfServer() {
		t.Errorf("the room has %+v, %v", all, err)
	}
	write := func(name, answers string) (domain.SlashReply, url.Values) {
		t.Helper()
		answer <- answers
		reply, _, err := r.RunCommand(ctx, r.ann, Written{Room: r.id, Name: name, Text: "now"})
		if err != nil {
			t.Fatal(err)
		}
		return reply, <-asked
	}
	reply, form := write("oncall", `{"text":"Cat"}`)
	if reply.Text != "Cat" || form.Get("channel_id") != r.id || form.Get("channel_name") == "" ||
		form.Get("user_id") != r.ann.ID || form.Get("command") != "/oncall" {
		t.Errorf("%+v, asked by %v", reply, form)
	}
	members := func() (n int) {
		t.Helper()
		all, err := r.db.Rooms.Members(ctx, r.id, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before := members()
	if write("oncall", `{"response_type":"in_channel","text":"Cat"}`); len(r.said) != 1 ||
		!strings.HasPrefix(r.said[0], made[0].ID) || members() != before+1 {
		t.Errorf("the room has %q, and %d members after %d", r.said, members(), before)
	}
	secret := form.Get("response_url")[strings.LastIndex(form.Get("response_url"), "/")+1:]
	if err := r.Reply(ctx, secret, func() (domain.SlashReply, error) {
		return domain.SlashReply{Text: "later"}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if later := <-told; later.Room != r.id || later.Command != "oncall" || later.Text != "later" {
		t.Errorf("later %+v", later)
	}
	if write("deploy", `{"response_type":"in_channel","text":"x"}`); strings.HasPrefix(r.said[1], made[1].ID) {
		t.Errorf("the room's own command does not come first: %q", r.said)
	}
	off := false
	switchOff := ServerChange{CommandChange: CommandChange{On: &off}}
	if _, err := r.ChangeServerCommand(ctx, by, "oncall", switchOff); err != nil {
		t.Fatal(err)
	}
	_, _, err := r.RunCommand(ctx, r.ann, Written{Room: r.id, Name: "oncall"})
	if domain.CodeOf(err) != domain.CodeSlashOff || !strings.Contains(err.Error(), "administrator of the server") {
		t.Errorf("one that is off: %v", err)
	}
	if all, _, err := r.Commands(ctx, r.ann, r.id); err != nil || len(all) != 1 {
		t.Errorf("the room still has %+v, %v", all, err)
	}
	if err := r.RemoveServerCommand(ctx, by, "oncall"); err != nil || members() != before {
		t.Errorf("removed, the room has %d members: %v", members(), err)
	}
	if want := []string{"create_command", "create", "create", "switch_off", "remove"}; !slices.Equal(r.audited, want) {
		t.Errorf("audited are %v", r.audited)
	}
}
