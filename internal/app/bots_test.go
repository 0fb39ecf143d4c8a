package app_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

type madeBot struct {
	User   struct{ ID, Username, Kind string }
	Tokens []struct{ ID, Secret string }
}

type botPage struct {
	Events []client.Event
	Cursor string
}

// makesBot makes a bot with a token of some scopes, and returns it with a client that has the token.
func makesBot(t *testing.T, s *live.Server, owner *client.Client, name string, token map[string]any) (
	madeBot, *client.Client,
) {
	t.Helper()
	var b madeBot
	must(t, owner.Do(t.Context(), "POST", "/bots", map[string]any{"username": name, "token": token}, &b))
	c := client.New(s.URL)
	c.Token(b.Tokens[0].Secret)
	return b, c
}

// A program hears what others say in its rooms from its arrival on, once it has said how far it is, and answers.
func TestABotReadsAndWritesWithItsToken(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		b, bot := makesBot(t, s, bob, "pong", map[string]any{"scopes": []string{"read", "write"}})
		var page botPage
		must(t, bot.Do(ctx, "GET", "/bot/events", nil, &page))
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]any{"user": "pong"}, nil))
		heard := make(chan error, 1)
		before := page.Cursor
		go func() { heard <- bot.Do(ctx, "GET", "/bot/events?wait=25&after="+before, nil, &page) }()
		say := func(key, text string) {
			must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/messages", map[string]any{"key": key, "text": text}, nil))
		}
		say("1", "hello")
		must(t, <-heard)
		if len(page.Events) == 0 { // it heard of its arrival, which is its own beginning
			must(t, bot.Do(ctx, "GET", "/bot/events?wait=25&after="+page.Cursor, nil, &page))
		}
		if len(page.Events) != 1 || page.Events[0].Message.Text != "hello" {
			t.Fatalf("it hears %+v", page.Events)
		}
		answer := map[string]any{"room": room.ID, "key": "a", "text": "hi"}
		for range 2 {
			must(t, bot.Do(ctx, "POST", "/bot/messages", answer, nil))
		}
		say("2", "again")
		var next botPage
		must(t, bot.Do(ctx, "GET", "/bot/events?wait=25&after="+page.Cursor, nil, &next))
		if len(next.Events) != 1 || next.Events[0].Message.Text != "again" || next.Events[0].Seq != page.Events[0].Seq+2 {
			t.Errorf("after its answer it hears %+v", next.Events)
		}
		botsAreBounded(ctx, t, s, ann, bob, bot, b, room.ID)
	})
}

// botsAreBounded tries what tokens do not allow, and ends the bot's stay.
func botsAreBounded(
	ctx context.Context, t *testing.T, s *live.Server, ann, bob, bot *client.Client, b madeBot, room string,
) {
	t.Helper()
	for _, path := range []string{"/me", "/rooms", "/rooms/" + room + "/timeline"} {
		err := bot.Do(ctx, "GET", path, nil, nil)
		if codeOf(err) != client.CodeSignedOut || !strings.Contains(err.Error(), "the token of a bot") {
			t.Errorf("a bot reads %s: %v", path, err)
		}
	}
	if err := bob.Do(ctx, "GET", "/bot/events", nil, nil); err == nil || !strings.Contains(err.Error(), "ubt_") {
		t.Errorf("a person is told, where bots read, %v", err)
	}
	other, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Other"})
	must(t, err)
	must(t, ann.Do(ctx, "POST", "/rooms/"+other.ID+"/members", map[string]any{"user": "pong"}, nil))
	tokens := "/bots/" + b.User.ID + "/tokens"
	strange, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Strange"})
	must(t, err)
	both := map[string]any{"scopes": []string{"write"}, "rooms": []string{room, strange.ID}}
	err = bob.Do(ctx, "POST", tokens, both, nil)
	if codeOf(err) != client.CodeInvalidField || !strings.Contains(err.Error(), strange.ID) {
		t.Errorf("a token for a room of others: %v", err)
	}
	var narrow struct{ ID, Secret string }
	must(t, bob.Do(ctx, "POST", tokens, map[string]any{"scopes": []string{"write"}, "rooms": []string{room}}, &narrow))
	only := client.New(s.URL)
	only.Token(narrow.Secret)
	if err := only.Do(ctx, "GET", "/bot/events", nil, nil); codeOf(err) != client.CodeBotScope {
		t.Errorf("a token to write reads: %v", err)
	}
	message := map[string]any{"room": other.ID, "key": "x", "text": "x"}
	if err := only.Do(ctx, "POST", "/bot/messages", message, nil); codeOf(err) != client.CodeBotScope {
		t.Errorf("a token of one room writes in another: %v", err)
	}
	must(t, bot.Do(ctx, "POST", "/bot/messages", map[string]any{"room": other.ID, "key": "o", "text": "secret"}, nil))
	guess := map[string]any{"room": room, "key": "o", "text": "x"}
	if err := only.Do(ctx, "POST", "/bot/messages", guess, nil); codeOf(err) != client.CodeKeyReused {
		t.Errorf("a token of one room is told of another by a key: %v", err)
	}
	must(t, bob.Do(ctx, "DELETE", tokens+"/"+narrow.ID, nil, nil))
	if err := only.Do(ctx, "POST", "/bot/messages", message, nil); codeOf(err) != client.CodeSignedOut {
		t.Errorf("a revoked token: %v", err)
	}
	must(t, bob.Do(ctx, "POST", "/rooms/"+room+"/leave", nil, nil))
	message["room"] = room
	if err := bot.Do(ctx, "POST", "/bot/messages", message, nil); codeOf(err) != client.CodeNoRoom {
		t.Errorf("it stays after its owner has left: %v", err)
	}
	must(t, bob.Do(ctx, "DELETE", "/bots/"+b.User.ID, nil, nil))
	if err := bot.Do(ctx, "GET", "/bot/events", nil, nil); codeOf(err) != client.CodeSignedOut {
		t.Errorf("a bot that was deleted reads: %v", err)
	}
}

// The cursor of a bot has a place for each of its rooms, and is taken back however many these are.
func TestABotInManyRoomsGoesOn(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann := s.User("ann")
		_, bot := makesBot(t, s, ann, "pong", map[string]any{"scopes": []string{"read"}})
		var room client.RoomState
		for i := range 30 {
			var err error
			room, err = ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: fmt.Sprint("Room ", i)})
			must(t, err)
			must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]any{"user": "pong"}, nil))
		}
		var page botPage
		must(t, bot.Do(ctx, "GET", "/bot/events", nil, &page))
		say := map[string]any{"key": "1", "text": "hello"}
		must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/messages", say, nil))
		must(t, bot.Do(ctx, "GET", "/bot/events?wait=25&after="+page.Cursor, nil, &page))
		if len(page.Events) != 1 || page.Events[0].Message.Text != "hello" {
			t.Errorf("it hears %+v", page.Events)
		}
	})
}

// The bots of docs/bots.md answer, as they stand there.
func TestBotsOfTheDocsAnswer(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/bots.md")
	must(t, err)
	s := live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	for language, how := range map[string]func(t *testing.T, dir, code string) *exec.Cmd{
		"python": pythonBot, "go": goBot, "typescript": typescriptBot,
	} {
		t.Run(language, func(t *testing.T) {
			code := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
			if code == nil {
				t.Fatal("the page has no bot")
			}
			cmd := how(t, t.TempDir(), string(code[1]))
			_, bot := makesBot(t, s, ann, language, map[string]any{"scopes": []string{"read", "write"}})
			cmd.Env = append(os.Environ(), "SERVER="+s.URL, "TOKEN="+bot.Tokens().Access)
			answers(t, ann, cmd, language)
		})
	}
}

// answers runs a bot until it has answered in a room, though it is muted in another where it is asked as well.
func answers(t *testing.T, ann *client.Client, cmd *exec.Cmd, name string) {
	t.Helper()
	ctx := t.Context()
	muted, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: name})
	must(t, err)
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: name})
	must(t, err)
	silent, at := "/rooms/"+muted.ID, "/rooms/"+room.ID
	for _, in := range []string{silent, at} {
		must(t, ann.Do(ctx, "POST", in+"/members", map[string]any{"user": name}, nil))
	}
	must(t, ann.Do(ctx, "PATCH", silent+"/members/"+name, map[string]any{"muted_until": time.Now().Add(time.Hour)}, nil))
	var said testkit.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for n := 0; ; n++ { // it hears what is said after its first request
		for _, in := range []string{silent, at} {
			must(t, ann.Do(ctx, "POST", in+"/messages", map[string]any{"key": fmt.Sprint(in, n), "text": "!ping"}, nil))
		}
		last, err := ann.Timeline(ctx, room.ID, "", 20)
		must(t, err)
		pongs := 0 // the second one is after what it may not answer
		for _, e := range last.Items {
			if m := e.Message; m != nil && m.Text == "pong" && m.Sender.Username == name && m.ReplyTo != nil {
				pongs++
			}
		}
		if pongs > 1 {
			return
		}
		if n == 600 {
			t.Fatalf("no answer; it says %s", said.String())
		}
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func program(t *testing.T, path, code string) string {
	t.Helper()
	must(t, os.WriteFile(path, []byte(code), 0o600))
	return path
}

func pythonBot(t *testing.T, dir, code string) *exec.Cmd {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the bot of docs/bots.md in Python is not tried")
	}
	return exec.Command(python, program(t, filepath.Join(dir, "bot.py"), code))
}

func goBot(t *testing.T, dir, code string) *exec.Cmd {
	t.Helper()
	out := filepath.Join(dir, "bot")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", out, program(t, filepath.Join(dir, "bot.go"), code))
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return exec.Command(out)
}

func typescriptBot(t *testing.T, dir, code string) *exec.Cmd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed: the bot of docs/bots.md in TypeScript is not tried")
	}
	file := program(t, filepath.Join(dir, "bot.mts"), code)
	check := exec.CommandContext(t.Context(), node, program(t, filepath.Join(dir, "typed.mts"), "const n: number = 1;"))
	if text, err := check.CombinedOutput(); err != nil {
		t.Skipf("this node runs no TypeScript, as version 22.18 and later do: the bot of docs/bots.md in it is not tried: %s",
			strings.SplitN(string(text), "\n", 2)[0])
	}
	return exec.Command(node, file)
}
