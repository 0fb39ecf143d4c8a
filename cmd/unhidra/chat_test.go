package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A search result shows its room. A conversation is named after its members.
func TestChatSearchNamesRooms(t *testing.T) {
	t.Parallel()
	s := live.Start(t, store.Options{Path: t.TempDir() + "/unhidra.db"})
	ann, bob := s.User("ann"), s.User("bob")
	me, err := bob.Me(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kitchen, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Kitchen"})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := ann.Direct(t.Context(), me.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []string{kitchen.ID, direct.ID} {
		if _, err := ann.Send(t.Context(), client.Draft{Room: room, Text: "the soup is ready"}); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(2 * time.Minute)
	for n := 0; n < 2; time.Sleep(10 * time.Millisecond) { // the index follows by a moment
		found, err := ann.Search(t.Context(), "soup", "newest", "")
		if n = len(found.Items); err != nil || time.Now().After(deadline) {
			t.Fatalf("found %d messages, %v", n, err)
		}
	}
	var out, errs strings.Builder
	e := &env{
		stdin: strings.NewReader("/search soup\n"), stdout: &out, stderr: &errs,
		environ: []string{"UNHIDRA_TOKEN=" + ann.Tokens().Access},
	}
	if code := run(t.Context(), e, []string{"chat", "--server", s.URL}); code != exitOK {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	for _, want := range []string{"[Kitchen] ", "[@bob] "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

// kitchen starts a server on which Ann has asked in a room, the Kitchen, whether there is soup.
func kitchen(t *testing.T) (s *live.Server, ann *client.Client, soup client.Sent) {
	t.Helper()
	s = live.Start(t, store.Options{Path: t.TempDir() + "/unhidra.db"})
	ann = s.User("ann")
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Kitchen"})
	if err == nil {
		soup, err = ann.Send(t.Context(), client.Draft{Room: room.ID, Text: "soup?"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, ann, soup
}

// chats runs `unhidra chat` for ann in the Kitchen, with lines as they would be typed.
func chats(t *testing.T, s *live.Server, ann *client.Client, lines string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr strings.Builder
	e := &env{stdout: &stdout, stderr: &stderr, stdin: strings.NewReader(lines),
		environ: []string{"UNHIDRA_TOKEN=" + ann.Tokens().Access, "TZ=Europe/Berlin"}}
	code = run(t.Context(), e, []string{"chat", "--server", s.URL, "--room", "Kitchen"})
	return stdout.String(), stderr.String(), code
}

// Reactions are shown under a message, with the number by which it can be named. Without a number, one goes to the
// last message.
func TestChatReacts(t *testing.T) {
	t.Parallel()
	s, ann, soup := kitchen(t)
	if _, err := ann.Send(t.Context(), client.Draft{Room: soup.Message.Room, Text: "tea?"}); err != nil {
		t.Fatal(err)
	}
	out, errs, code := chats(t, s, ann, fmt.Sprintf("/react 👍\n/react 🎉 %d\n/react 👀 %[1]d\n"+
		"/unreact 👀 %[1]d\n"+
		"/unreact 👀\n/open Kitchen\n", soup.Seq))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{
		fmt.Sprintf("@ann: soup?\n    🎉 1  (message %d)\n", soup.Seq),
		fmt.Sprintf("@ann: tea?\n    👍 1  (message %d)\n", soup.Seq+1), "* nothing to change\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// A reply goes into the thread of the message that is named, and the thread is shown.
func TestChatRepliesInThreads(t *testing.T) {
	t.Parallel()
	s, ann, soup := kitchen(t)
	out, errs, code := chats(t, s, ann,
		fmt.Sprintf("/thread %d with bread\n/thread soup\n/open Kitchen\n/thread %[1]d\n", soup.Seq))
	if code == exitOK {
		t.Error("a line was refused, and the exit code does not say so")
	}
	for _, want := range []string{
		fmt.Sprintf("@ann: (thread %d) with bread\n", soup.Seq), "/thread 412 TEXT",
		fmt.Sprintf("@ann: soup?\n    1 in the thread (/thread %d)\n", soup.Seq),
	} {
		if !strings.Contains(out+errs, want) {
			t.Errorf("no %q in:\n%s%s", want, out, errs)
		}
	}
}

// A message is pinned by its number, listed with who pinned it, and unpinned.
func TestChatPins(t *testing.T) {
	t.Parallel()
	s, ann, soup := kitchen(t)
	out, errs, code := chats(t, s, ann, fmt.Sprintf("/pin %d\n/pin %[1]d\n/pin\n/unpin %[1]d\n/pin\n", soup.Seq))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{
		"* nothing to change\n", fmt.Sprintf("message %d, pinned by ann\n", soup.Seq), "* nothing is pinned here\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// A message is saved by its number, listed with its room, also before a room is open, and taken off again.
func TestChatSaves(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, store.Options{Path: t.TempDir() + "/unhidra.db"}), t.Context()
	ann := s.User("ann")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Kitchen"})
	if err != nil {
		t.Fatal(err)
	}
	soup, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: "soup?"})
	if err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	e := &env{stdout: &out, stderr: &errs, environ: []string{"UNHIDRA_TOKEN=" + ann.Tokens().Access},
		stdin: strings.NewReader(fmt.Sprintf("/saved\n/saved %d\n/saved\n/unsave %[1]d\n/saved\n/saved soup\n", soup.Seq))}
	if code := run(ctx, e, []string{"chat", "--server", s.URL, "--room", "Kitchen"}); code != exitFail {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	none, listed := "* you have saved nothing\n", fmt.Sprintf("message %d in Kitchen\n", soup.Seq)
	for _, want := range []string{none, fmt.Sprintf("* message %d is saved\n", soup.Seq), listed,
		fmt.Sprintf("* message %d is no longer saved\n", soup.Seq), none} {
		_, after, found := strings.Cut(out.String(), want)
		if !found {
			t.Fatalf("no %q in:\n%s", want, &out)
		}
		out.Reset()
		out.WriteString(after)
	}
	if !strings.Contains(errs.String(), "give the number of a message") {
		t.Errorf("what is no number: %s", &errs)
	}
}

// A message is forwarded by its number to a room by its name, and shown there with whose it is, unless that person is
// blocked.
func TestChatForwards(t *testing.T) {
	t.Parallel()
	s, ann, soup := kitchen(t)
	if _, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Tea Room"}); err != nil {
		t.Fatal(err)
	}
	out, errs, code := chats(t, s, ann, fmt.Sprintf("/forward %d tea room\n/forward soup\n/forward %[1]d Cellar\n"+
		"/open Tea Room\n", soup.Seq))
	if code == exitOK || !strings.Contains(errs, "/forward 412 Kitchen") || !strings.Contains(errs, `no room "Cellar"`) {
		t.Errorf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{fmt.Sprintf("* message %d is in Tea Room now\n", soup.Seq), "    [forwarded from @ann, ",
		"]\n    soup?\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	chat := chatSession{blocked: map[string]bool{"usr_eve": true}}
	line := chat.line(client.Event{Type: "message.created", Message: &client.Message{Seq: 7,
		Forward: &client.Forward{Sender: client.User{ID: "usr_eve"}, Text: "soup"}}})
	if strings.Contains(line, "soup") || !strings.Contains(line, "/text 7 shows it") {
		t.Errorf("of a blocked person: %s", line)
	}
}
