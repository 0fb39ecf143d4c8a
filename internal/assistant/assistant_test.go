package assistant

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/chat"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const secretKey = "sk-never-shown"

// speed is how much faster than the real clock that of the tests runs.
const speed = 20

// A bench is a room with two people and an assistant, on an endpoint that a test answers for.
type bench struct {
	t       *testing.T
	s       *Service
	db      *all.Store
	room    string
	bot     string
	log     *testkit.Buffer
	begun   time.Time
	mu      sync.Mutex
	handler func(n int, w http.ResponseWriter, r *http.Request)
	bodies  []string
	headers []http.Header
}

// newBench returns a bench. handler gets each request after its number.
func newBench(t *testing.T, handler func(n int, w http.ResponseWriter, r *http.Request)) *bench {
	t.Helper()
	b := &bench{t: t, db: testkit.Open(t, testkit.SQLite(t)), begun: time.Now()}
	b.room = testkit.Room(t, b.db, 2)
	b.bot = b.member("ask")
	b.anew(handler)
	return b
}

// anew has the bench begin with another endpoint, and a service that knows nothing of the one before.
func (b *bench) anew(handler func(n int, w http.ResponseWriter, r *http.Request)) {
	b.t.Helper()
	b.handler, b.bodies, b.headers, b.log = handler, nil, nil, &testkit.Buffer{}
	server := httptest.NewServer(b)
	b.t.Cleanup(server.Close)
	now := func() time.Time { return b.begun.Add(speed * time.Since(b.begun)) }
	messages := chat.New(chat.Deps{Bus: bus.NewLocal(), Log: testkit.Logger(b.t), Store: chat.Store{RoomStore: b.db.Rooms,
		DepartureStore: b.db.Departure, MessageStore: b.db.Messages, UserStore: b.db.Accounts}})
	b.s = New(Deps{
		Store: b.db.Assistants, RoomLog: b.db.Log, Rooms: b.db.Rooms, Chat: messages, Server: "Unhidra", PerHour: 1000,
		Endpoint: Endpoint{URL: server.URL + "/v1", Host: "models.example.org", Key: secretKey, Model: "small"},
		Client:   outbound.Named(Timeout), Log: slog.New(slog.NewTextHandler(b.log, nil)),
		Metrics: prometheus.NewRegistry(), Now: now,
	})
	b.s.beat = 2 * time.Millisecond
	b.check(b.s.Store.SetAssistant(b.t.Context(), testkit.UserID(0), b.bot, "Answer like a butler.", now()))
}

func (b *bench) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	b.bodies, b.headers = append(b.bodies, string(body)), append(b.headers, r.Header)
	n := len(b.bodies)
	b.mu.Unlock()
	b.handler(n, w, r)
}

func (b *bench) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// member makes a bot of user 0 that is in the room.
func (b *bench) member(name string) string {
	b.t.Helper()
	id := testkit.Bot(b.t, b.db, testkit.UserID(0), name)
	_, err := b.db.Rooms.AddMember(b.t.Context(), testkit.UserID(0), b.room, id, time.Now())
	b.check(err)
	return id
}

// say has a user write something, and the service notice it.
func (b *bench) say(user string, d domain.Draft) domain.Event {
	b.t.Helper()
	d.Room, d.Key = b.room, domain.NewID("key")
	named, _ := domain.Mentions(d.Text)
	e, _, err := b.db.Messages.AppendMessage(b.t.Context(), user, d, named, false, b.s.Now())
	b.check(err)
	b.check(b.s.notice(b.t.Context(), e, map[string]*present{}))
	return e
}

func (b *bench) ask(text string) domain.Event {
	b.t.Helper()
	return b.say(testkit.UserID(1), domain.Draft{Text: "@ask " + text})
}

// answer answers what waits, and returns how many answers that were. What is to be tried again is waited for.
func (b *bench) answer() (n int) {
	b.t.Helper()
	for ; ; n++ {
		a, ok := b.s.claim(b.t.Context())
		for late := 0; !ok && b.waits() && late < 2000; late++ { // as long as a second request waits, at this speed
			time.Sleep(5 * time.Millisecond)
			a, ok = b.s.claim(b.t.Context())
		}
		if !ok {
			return n
		}
		b.s.answer(b.t.Context(), a)
	}
}

func (b *bench) waits() (is bool) {
	b.t.Helper()
	b.check(b.db.QueryRowContext(b.t.Context(), `SELECT EXISTS (SELECT 1 FROM assistant_answers WHERE due_at > 0)`).
		Scan(&is))
	return is
}

// events returns the events after one.
func (b *bench) events(after int64) []domain.Event {
	b.t.Helper()
	all, err := b.db.Log.Replay(b.t.Context(), domain.WholeLog(b.room), after, 1000)
	b.check(err)
	return all
}

// answers returns the messages of the assistant.
func (b *bench) answers() (all []domain.Message) {
	b.t.Helper()
	for _, e := range b.events(0) {
		if e.Type == domain.MessageCreated && e.Message.Sender.ID == b.bot {
			all = append(all, *e.Message)
		}
	}
	return all
}

func (b *bench) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bodies)
}

// piece writes a part of a stream.
func piece(w http.ResponseWriter, text, finish string) {
	w.Header().Set("Content-Type", "text/event-stream")
	data, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"delta": map[string]any{"content": text},
		"finish_reason": finish}}})
	_, _ = fmt.Fprintf(w, "data: %s\n\n", data)
	w.(http.Flusher).Flush()
}

func done(w http.ResponseWriter) {
	piece(w, "", "stop")
	_, _ = io.WriteString(w, `data: {"choices":[],"usage":{"prompt_tokens":40,"completion_tokens":7}}`+"\n\n")
	_, _ = io.WriteString(w, "data: [DONE]\n\n")
}

// An answer is one message whose text grows by few edits, and that names nobody. The model sees the last messages with
// the names of people, and nothing that was deleted.
func TestAnAnswerGrowsWhileItComesIn(t *testing.T) {
	t.Parallel()
	const words = 60
	b := newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for i := range words {
			piece(w, fmt.Sprintf("word%d @user1 ", i), "")
			time.Sleep(5 * time.Millisecond)
		}
		done(w)
	})
	ctx := t.Context()
	b.say(testkit.UserID(0), domain.Draft{Text: "the lift is stuck"})
	gone := b.say(testkit.UserID(0), domain.Draft{Text: "nobody reads this"})
	_, err := b.db.Messages.DeleteMessage(ctx, testkit.UserID(0), b.room, gone.Seq, time.Now())
	b.check(err)
	b.say(b.member("other"), domain.Draft{Text: "I am a program"})
	asked := b.ask("what is stuck?")
	if n := b.answer(); n != 1 {
		t.Fatalf("%d answers", n)
	}
	got := b.answers()
	if len(got) != 1 || !strings.HasSuffix(got[0].Text, "word59 @user1") ||
		!strings.HasPrefix(got[0].Text, "word0 @user1 word1") || got[0].ContentType != domain.ContentAnswer ||
		got[0].ReplyTo.Seq != asked.Seq || !got[0].EditedAt.IsZero() || len(got[0].Mentions) > 0 {
		t.Fatalf("the answer is %+v", got)
	}
	edits := 0
	for _, e := range b.events(asked.Seq) {
		if e.Type == domain.MessageEdited {
			edits++
		}
	}
	if edits < 2 || edits > maxEdits || edits != got[0].Edits {
		t.Errorf("%d edits, and the message says %d", edits, got[0].Edits)
	}
	if old, err := b.db.Log.Versions(ctx, domain.WholeLog(b.room), got[0].Seq); err != nil || len(old) > 0 {
		t.Errorf("earlier texts: %v, %v", old, err)
	}
	var sent struct {
		Model    string
		Stream   bool
		Messages []turn
	}
	b.check(json.Unmarshal([]byte(b.bodies[0]), &sent))
	if sent.Model != "small" || !sent.Stream || len(sent.Messages) != 2 || sent.Messages[0].Role != "system" ||
		!strings.Contains(sent.Messages[0].Content, "machine") ||
		!strings.HasSuffix(sent.Messages[0].Content, "\n\nAnswer like a butler.") ||
		sent.Messages[1] != (turn{"user", "User 0: the lift is stuck\n\nUser 1: @ask what is stuck?"}) {
		t.Errorf("it was sent %s", b.bodies[0])
	}
	if b.headers[0].Get("Authorization") != "Bearer "+secretKey {
		t.Error("the key was not sent")
	}
	if n := testutil.ToFloat64(b.s.metrics.tokens.WithLabelValues("completion")); n != 7 {
		t.Errorf("%v tokens are counted", n)
	}
}

// Whatever the endpoint does, the answer comes to an end, and the key is in no log.
func TestWhateverTheEndpointDoes(t *testing.T) {
	t.Parallel()
	away := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	t.Cleanup(away.Close)
	cut := "*" + cutNote + "*"
	b, answered := newBench(t, nil), 0
	for name, c := range map[string]struct {
		handler  func(n int, w http.ResponseWriter, r *http.Request)
		want     string
		requests int
		health   string // the level of what administrators are told
	}{
		"no key": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "your key "+secretKey+" is wrong", http.StatusUnauthorized)
		}, failedText, 1, "fails"},
		"too busy": {func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			piece(w, "At last.", "")
			done(w)
		}, "At last.", 2, ""},
		"broken": {func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			failedText, maxTries, "may fail"},
		"a redirect": {func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, away.URL, http.StatusTemporaryRedirect)
		}, failedText, 1, "fails"},
		"half a stream": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			piece(w, "Well, `` `", "")
			piece(w, "\n```go\nfunc", "")
			panic(http.ErrAbortHandler)
		}, "Well, `` `\n```go\nfunc\n```\n\n" + cut, 1, "may fail"},
		"a hang before": {func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				<-r.Context().Done()
				return
			}
			piece(w, "Sorry.", "")
			done(w)
		}, "Sorry.", 2, ""},
		"a hang within": {func(_ int, w http.ResponseWriter, r *http.Request) {
			piece(w, "One moment", "")
			<-r.Context().Done()
		}, "One moment\n\n" + cut, 1, "may fail"},
		"garbage between": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			piece(w, "Fi", "")
			_, _ = io.WriteString(w, ": a comment\nevent: x\ndata: {\"choices\":[{\"del\ndata: \ndata: 7\nnonsense\n")
			piece(w, "ne.\x00\u0007", "stop")
		}, "Fine.", 1, ""},
		"garbage alone": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, strings.Repeat("data: {]\n", 50))
		}, failedText, maxTries, "may fail"},
		"a long line": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: "+strings.Repeat("x", 2*maxLine))
		}, failedText, maxTries, "may fail"},
		"an error within": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			piece(w, "I think", "")
			_, _ = io.WriteString(w, `data: {"error":{"message":"`+secretKey+`"}}`+"\n\n")
		}, "I think\n\n" + cut, 1, "may fail"},
		"no words": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			piece(w, " \n ", "")
			done(w)
		}, failedText, maxTries, "may fail"},
		"no stream": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"Whole."},"finish_reason":"stop"}],
				"error":null}`)
		}, "Whole.", 1, ""},
		"no JSON": {func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "<html>")
		}, failedText, maxTries, "may fail"},
		"its own bound": {func(_ int, w http.ResponseWriter, _ *http.Request) { piece(w, "Once upon", "length") },
			"Once upon\n\n*" + longNote + "*", 1, ""},
		"without end": {func(_ int, w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				piece(w, strings.Repeat("ä", 500), "")
			}
		}, strings.Repeat("ä", maxAnswer/2) + "\n\n*" + longNote + "*", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.anew(c.handler)
			asked := b.ask("how are you?")
			b.answer()
			got := b.answers()[answered:]
			answered++
			if len(got) != 1 || got[0].Text != c.want || got[0].ReplyTo.Seq != asked.Seq || b.requests() != c.requests {
				t.Errorf("after %d requests: %+v", b.requests(), got)
			}
			if b.waits() {
				t.Error("it is not at its end")
			}
			level := b.health()
			if level != c.health || bytes.Contains([]byte(b.log.String()), []byte(secretKey)) {
				t.Errorf("health %q; the log says %s", level, b.log)
			}
		})
	}
}

// health returns what administrators are told of the endpoint.
func (b *bench) health() (level string) {
	b.t.Helper()
	var r domain.HealthReport
	b.check(b.s.CheckHealth(b.t.Context(), &r))
	for _, p := range r.Problems {
		level = map[bool]string{true: "fails", false: "may fail"}[p.Failure]
	}
	return level
}

// An assistant is asked by people alone, in rooms that it is in: by name, by a reply, in a thread that it wrote in, or
// in a conversation of two.
func TestWhatIsAQuestion(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		piece(w, "Yes.", "")
		done(w)
	})
	ctx := t.Context()
	other := b.member("other")
	b.check(b.s.Store.SetAssistant(ctx, testkit.UserID(0), other, "", time.Now()))
	for what, asked := range map[string]func(){
		"nobody is named": func() { b.say(testkit.UserID(1), domain.Draft{Text: "hello all"}) },
		"a bot asks":      func() { b.say(other, domain.Draft{Text: "@ask hello"}) },
		"an old one":      func() { b.notice(domain.Event{At: b.s.Now().Add(-maxAge - time.Second)}) },
		"an edited one":   func() { b.notice(domain.Event{Type: domain.MessageEdited}) },
	} {
		if asked(); b.waits() {
			t.Errorf("%s, and it is a question", what)
		}
	}
	begun := b.ask("are you there?")
	if b.answer() != 1 {
		t.Fatal("by name it was not asked")
	}
	first := b.answers()[0]
	b.say(testkit.UserID(1), domain.Draft{Text: "and you?", ReplyTo: first.Seq})
	if b.answer() != 1 {
		t.Error("by a reply it was not asked")
	}
	b.say(testkit.UserID(0), domain.Draft{Text: "really?", Thread: begun.Seq})
	if b.answer() != 0 {
		t.Error("it is asked in a thread that it did not write in")
	}
	b.say(testkit.UserID(0), domain.Draft{Text: "@ask really?", Thread: begun.Seq})
	b.say(testkit.UserID(1), domain.Draft{Text: "good", Thread: begun.Seq})
	if b.answer() != 1 { // the second came before the answer
		t.Error("in a thread it was not asked by name")
	}
	b.say(testkit.UserID(1), domain.Draft{Text: "very good", Thread: begun.Seq})
	if all := b.answers(); b.answer() != 1 || b.answers()[len(all)].Thread != begun.Seq {
		t.Error("in a thread that it wrote in it was not asked, or answered elsewhere")
	}
	_, err := b.db.Departure.Kick(ctx, testkit.UserID(0), b.room, b.bot, "", time.Now())
	b.check(err)
	b.say(testkit.UserID(1), domain.Draft{Text: "@ask hello", ReplyTo: first.Seq})
	if b.answer() != 0 {
		t.Error("it answers in a room that it is not in")
	}
	n := domain.NewRoom{Kind: domain.DirectRoom, Members: []string{b.bot}}
	direct, _, err := b.db.Rooms.CreateRoom(ctx, testkit.UserID(0), n, time.Now())
	b.check(err)
	b.room = direct.Room.ID
	b.say(testkit.UserID(0), domain.Draft{Text: "just us"})
	if b.answer() != 1 {
		t.Error("in a conversation of two it was not asked")
	}
}

// notice has the service see a question that is as e says.
func (b *bench) notice(e domain.Event) {
	b.t.Helper()
	if e.Type == "" {
		e.Type = domain.MessageCreated
	}
	if e.At.IsZero() {
		e.At = b.s.Now()
	}
	e.Room = b.room
	asker := domain.UserRef{ID: testkit.UserID(1), Kind: domain.KindUser}
	e.Message = &domain.Message{Room: b.room, Seq: 1, Sender: asker, ContentType: domain.ContentMarkdown,
		Text: "@ask", Mentions: []string{b.bot}}
	b.check(b.s.notice(b.t.Context(), e, map[string]*present{}))
}

// Somebody who deletes the question or the answer, reacts with the stop sign, or removes the bot ends the answer.
func TestAnAnswerIsStopped(t *testing.T) {
	t.Parallel()
	b, answered := newBench(t, nil), 0
	for _, c := range []struct {
		what       string
		stop       func(b *bench, question, answer int64)
		begin, end string
	}{
		{"the question is deleted", func(b *bench, question, _ int64) {
			e, err := b.db.Messages.DeleteMessage(b.t.Context(), testkit.UserID(1), b.room, question, b.s.Now())
			b.check(err)
			b.check(b.s.notice(b.t.Context(), e, nil))
		}, "First", "*" + stoppedNote + "*"},
		{"the answer is deleted", func(b *bench, _, answer int64) {
			e, err := b.db.Messages.DeleteMessage(b.t.Context(), testkit.UserID(0), b.room, answer, b.s.Now())
			b.check(err)
			b.check(b.s.notice(b.t.Context(), e, nil))
		}, "", ""},
		{"a stop sign", func(b *bench, _, answer int64) {
			e, _, err := b.db.Messages.React(b.t.Context(), testkit.UserID(1),
				domain.Reacting{Room: b.room, Seq: answer, Emoji: StopEmoji}, b.s.Now())
			b.check(err)
			b.check(b.s.notice(b.t.Context(), e, nil))
		}, "First", "*" + stoppedNote + "*"},
		{"it is no assistant any more", func(b *bench, _, _ int64) {
			b.check(b.s.Store.EndAssistant(b.t.Context(), testkit.UserID(0), b.bot))
		}, "First", "*" + stoppedNote + "*"},
		{"the bot is removed", func(b *bench, _, _ int64) {
			_, err := b.db.Departure.Kick(b.t.Context(), testkit.UserID(0), b.room, b.bot, "", b.s.Now())
			b.check(err)
		}, "First", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			left := make(chan struct{})
			b.anew(func(_ int, w http.ResponseWriter, r *http.Request) {
				defer close(left)
				piece(w, "First", "")
				for r.Context().Err() == nil { // it would go on for ever
					time.Sleep(20 * time.Millisecond)
					piece(w, ".", "")
				}
			})
			question := b.ask("go on")
			a, ok := b.s.claim(t.Context())
			if !ok {
				t.Fatal("nothing is asked")
			}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				b.s.answer(context.WithoutCancel(t.Context()), a)
			}()
			var answer int64
			traffic.Wait(t.Context(), t, "the answer is begun", func() bool {
				b.check(b.db.QueryRowContext(t.Context(), `SELECT answer FROM assistant_answers WHERE seq = $1`,
					question.Seq).Scan(&answer))
				return answer != 0
			})
			c.stop(b, question.Seq, answer)
			<-ended
			<-left
			begin, end, _ := strings.Cut(b.answers()[answered].Text, "\n\n")
			answered++
			if strings.TrimRight(begin, ".") != c.begin || end != c.end || b.waits() {
				t.Errorf("it is %q, and ends with %q", begin, end)
			}
		})
	}
}

// A server that stops ends an answer with a note, and has one asked anew of which nothing was shown. Of one that died,
// another node ends what it has begun.
func TestAnAnswerOutlivesItsServer(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 4)
	b := newBench(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n <= 2 {
			if n == 2 {
				piece(w, "Half", "")
			}
			begun <- struct{}{}
			<-r.Context().Done()
			return
		}
		piece(w, "Anew", "")
		done(w)
	})
	run := func(until func()) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			_ = b.s.Run(ctx)
			close(ended)
		}()
		until()
		stop()
		<-ended
	}
	b.ask("one")
	run(func() { <-begun })
	if len(b.answers()) != 0 || !b.waits() {
		t.Fatal("what nothing was shown of is not asked anew")
	}
	run(func() {
		<-begun
		traffic.Wait(t.Context(), t, "something is answered", func() bool { return len(b.answers()) > 0 })
	})
	if got := b.answers(); got[0].Text != "Half\n\n*"+cutNote+"*" || b.waits() {
		t.Errorf("a stop leaves %+v", got)
	}

	for i, stored := range []bool{false, true} {
		b.ask("two")
		a, _ := b.s.claim(t.Context())
		w := &writing{Service: b.s, a: &a, p: domain.Principal{ID: b.bot, Kind: domain.KindBot}}
		b.check(w.show(t.Context(), "Begun"))
		if stored {
			_, _, err := b.s.Store.RenewAnswer(t.Context(), &a, b.s.Now().Add(lease))
			b.check(err)
		}
		b.answer() // the node died: nobody takes it before the lease is over
		if got := b.answers(); len(got) != 2+i || got[1+i].Text != "Begun\n\n*"+cutNote+"*" || b.waits() {
			t.Errorf("a node that died leaves %+v", got)
		}
	}
	if n := b.requests(); n != 3 {
		t.Errorf("%d requests: what was begun is not to be asked anew if that is known", n)
	}
}

// Who asks too much is told so once.
func TestQuestionsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		piece(w, "Yes.", "")
		done(w)
	})
	b.s.PerHour = 3
	for i := range b.s.PerHour + 3 {
		b.ask(fmt.Sprint(i))
	}
	b.answer()
	got := b.answers()
	if len(got) != b.s.PerHour+1 || got[b.s.PerHour].Text != refusedText || b.requests() != b.s.PerHour {
		t.Errorf("after %d requests: %+v", b.requests(), got)
	}
	b.say(testkit.UserID(0), domain.Draft{Text: "@ask and I?"})
	if b.answer() != 1 || b.answers()[len(got)].Text != "Yes." {
		t.Error("another person is refused")
	}
}
