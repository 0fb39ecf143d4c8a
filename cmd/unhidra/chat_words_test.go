package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
)

// A word after a slash means the same in the web client and here.
func TestChatWords(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../web/src/view/room/words.ts")
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]string{"text": " TEXT", "person": " @NAME", "poll": " Q | A | B", "when": " WHEN TEXT",
		"room": " ROOM", "": ""}
	words := regexp.MustCompile(`\{ word: '(\w+)', takes: '(\w*)' \}`).FindAllStringSubmatch(string(source), -1)
	for _, w := range words {
		if line := "/" + w[1] + args[w[2]] + " "; !strings.Contains("\n"+chatHelp, "\n"+line) {
			t.Errorf("the web client has %q, and /help not", line)
		}
	}
	for _, own := range ownWords {
		if !strings.Contains(string(source), "{ word: '"+own[1:]+"', ") {
			t.Errorf("%s is not in the web client", own)
		}
	}
	// No slash command of a room takes a word that there is here or in the web client.
	taken := regexp.MustCompile(`(?m)^/([a-z]+)|\{ word: '(\w+)'`).FindAllStringSubmatch(chatHelp+string(source), -1)
	for _, w := range taken {
		if domain.CheckSlashName(w[1]+w[2]) == nil {
			t.Errorf("a slash command may be called %s", w[1]+w[2])
		}
	}
	if len(words) < len(ownWords) {
		t.Errorf("only %d words were found in the web client", len(words))
	}
}

func TestChatTellsCommandsFromPaths(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{"/me waves": true, "/dance": true, "//me": false,
		"/etc/hosts is wrong": false, "/": false, "/ me": false, "me": false} {
		if isCommand(line) != want {
			t.Errorf("%q is a command: %v", line, !want)
		}
	}
}

// What one does is shown as that. What the room has not is refused, and the other lines go on.
func TestChatRoomCommands(t *testing.T) {
	t.Parallel()
	s, ann, soup := kitchen(t)
	s.User("ben")
	if _, err := ann.CreateSlashCommand(t.Context(), soup.Message.Room, client.NewSlashCommand{Name: "deploy",
		Description: "Brings it out", Hint: "SERVICE", URL: "https://10.0.0.1/"}); err != nil {
		t.Fatal(err)
	}
	out, errs, code := chats(t, s, ann, fmt.Sprintf("/poll Tea? | yes | no\n/vote %d 2\n/vote tea\n", soup.Seq+2)+
		"/me stirs *it*\n/shrug\n/topic Soup at noon\n/topic\n/look\n/look teal 🔧\n/look\n/look teel\n/invite @ben\n/mute\n/unmute\n//me too\n/etc/hosts\n/me\n"+
		"/remind me in 2h to stir *it*\n/remind every weekday at 9:30 soup\n/remind every month on the 31st rent\n"+
		"/remind 2026-02-30 soup\n/remind soup\n"+
		"/invite nobody-here\n/block @ben\n/unblock @ben\n/help\n/open Kitchen\n")
	if code == exitOK || !strings.Contains(errs, "/me waves") || !strings.Contains(errs, `"tea" is no number`) ||
		!strings.Contains(errs, "lines that were refused: 6") ||
		!strings.Contains(errs, "/remind in 20 minutes to call Ben") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"* @ann stirs it\n", "@ann: ¯\\_(ツ)_/¯\n", "* topic: Soup at noon\n", "* this room has no colour, emoji or picture\n",
		"* this room has teal, 🔧\n", "@ann: /me too\n",
		"@ann: /etc/hosts\n", "@ann: Tea?\n    1. yes: 0\n", "    2. no: 1\n", "* @ben is blocked\n",
		"* @ben is blocked no longer\n", "/deploy SERVICE    Brings it out\n", "* I’ll remind you ", ": stir *it*\n",
		"* I’ll remind you every Mon, Tue, Wed, Thu, Fri at 09:30 (Europe/Berlin): soup\n",
		"* I’ll remind you every month on day 31 at 09:00 (Europe/Berlin): rent\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	list, err := ann.Reminders(t.Context())
	if err != nil || len(list) != 3 || !slices.ContainsFunc(list, func(r client.Reminder) bool {
		return r.Text == "stir *it*" && time.Until(*r.At).Round(time.Minute) == 2*time.Hour
	}) {
		t.Errorf("reminders: %+v, %v", list, err)
	}
	if p, err := ann.Members(t.Context(), soup.Message.Room, ""); err != nil || len(p.Items) != 3 {
		t.Errorf("members: %v, %v", p.Items, err)
	}
}

// A poll in which nobody can vote any more says so, also where only its time is over.
func TestChatTellsOpenPolls(t *testing.T) {
	t.Parallel()
	over, soon := time.Now().Add(-time.Second), time.Now().Add(time.Hour)
	for _, c := range []struct {
		poll client.Poll
		want string
	}{
		{client.Poll{}, "(/vote 7 "}, {client.Poll{ClosesAt: &soon}, "(/vote 7 "},
		{client.Poll{ClosesAt: &over}, "(closed)"}, {client.Poll{ClosesAt: &soon, ClosedAt: &over}, "(closed)"},
	} {
		if got := poll(&client.Message{Seq: 7, Poll: &c.poll}); !strings.Contains(got, c.want) {
			t.Errorf("no %q in %q", c.want, got)
		}
	}
}

// What somebody says whom the user has blocked is folded, and what others say is not.
func TestChatFoldsWhoIsBlocked(t *testing.T) {
	t.Parallel()
	chat := chatSession{blocked: map[string]bool{"usr_eve": true}}
	for user, folded := range map[string]bool{"usr_eve": true, "usr_bob": false} {
		who := client.User{ID: user, Username: "somebody"}
		line := chat.line(client.Event{Type: "message.created", Actor: who, Message: &client.Message{Seq: 7, Sender: who,
			Text: "soup"}})
		if strings.Contains(line, "soup") == folded || strings.Contains(line, "/text 7 shows it") != folded {
			t.Errorf("of %s: %s", user, line)
		}
	}
}
