package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/eventtest"
	"github.com/unhidra/unhidra/internal/wire"
)

// Chat has a text for each type of event that it may receive, and for no other. An event of a newer
// type cannot write control characters to the terminal.
func TestChatKnowsEveryEvent(t *testing.T) {
	t.Parallel()
	for _, s := range domain.EventSpecs() {
		if _, ok := described[s.Type]; ok != (s.Audience == domain.ForMembers) {
			t.Errorf("chat describes %s: %v", s.Type, ok)
		}
	}
	ann, bob := domain.UserRef{ID: "usr_1", Username: "ann"}, domain.UserRef{ID: "usr_2", Username: "bob"}
	lines := make(map[string]string)
	for _, s := range eventtest.Samples("room_1", ann, bob) {
		if s.Event.Type == domain.MemberAsked {
			continue
		}
		line := describe(wire.FromEvent(s.Event))
		spec, _ := s.Event.Type.Spec()
		if spec.Subject && !strings.Contains(line, "@bob") || strings.Contains(line, "update this program") {
			t.Errorf("%s: %q", s.Name, line)
		}
		lines[s.Name] = line[len("15:04:05 "):]
	}
	for name, want := range map[string]string{
		"message.edited":       "@ann edited: hello all",
		"member.muted":         "* @bob: muted by @ann",
		"member.muted no more": "* @bob: unmuted by @ann",
		"member.role":          "* @bob: now moderator, by @ann",
		"alarm.raised":         "! @bob: Too warm (temperature 31.5, limit 30)",
		"alarm.cleared":        "* @bob: over: Too warm (temperature 31.5, limit 30)",
		"alarm.acknowledged":   "* @bob: Too warm (temperature 31.5, limit 30): @ann noted: the window is open",
		"alarm.escalated":      "! @bob: nobody has acknowledged: Too warm (temperature 31.5, limit 30)",
		"chart.posted": "* @bob: chart of 10m0s by @ann\n    temperature: 21 Cel (18.5 to 22, mean 20)\n    fan: " +
			"no readings",
		"group.commanded":  "* @ann told group pumps: fan on=true (0 of 12 done, 10 waiting, 2 not told)",
		"group.changed":    "* group pumps: fan on=true (8 of 12 done, 1 waiting, 1 failed, 2 not told)",
		"reaction.added":   "* @ann reacted with 👍 (message 1)",
		"reaction.removed": "* @ann took a reaction away: 👍 (message 1)",
		"command.sent":     "* @bob: fan speed=40 (queued) by @ann",
		"command.changed":  `* @bob: fan speed=40 (done: {"rpm":900})`,
	} {
		if lines[name] != want {
			t.Errorf("%s: %q, want %q", name, lines[name], want)
		}
	}
	newer := describe(client.Event{Type: "reading.taken\x1b[2J", Actor: client.User{Username: "ann"}})
	if !strings.Contains(newer, "reading.taken") || strings.Contains(newer, "\x1b") {
		t.Errorf("a newer event is %q", newer)
	}
}

// Webhooks and slash commands have only an id for a username, and are called by their names.
func TestProgramsOfARoomAreCalledByTheirNames(t *testing.T) {
	t.Parallel()
	ann := client.User{ID: "usr_1", Kind: "user", Username: "ann", DisplayName: "Ann"}
	deploy := client.User{ID: "sls_1", Kind: "bot", Username: "sls_1", DisplayName: "/deploy\x1b[2J"}
	message := &client.Message{Seq: 2, Sender: deploy, Text: "done"}
	for want, ev := range map[string]client.Event{
		"* /deploy[2J joined":                  {Type: "member.joined", Actor: ann, Subject: &deploy},
		"/deploy[2J: done":                     {Type: "message.created", Actor: deploy, Message: message},
		"@ann deleted a message of /deploy[2J": {Type: "message.deleted", Actor: ann, Message: message},
		"@ann: (to /deploy[2J) thanks": {Type: "message.created", Actor: ann,
			Message: &client.Message{Seq: 3, Sender: ann, Text: "thanks", ReplyTo: &client.Quote{Seq: 2, Sender: deploy}}},
		"* @ann joined": {Type: "member.joined", Actor: ann, Subject: &ann},
	} {
		if line := describe(ev)[len("15:04:05 "):]; line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
}

// What an assistant writes is printed once, as it comes in.
func TestAnAnswerIsPrintedAsItGrows(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := &chatSession{out: &out, answers: map[string]int{}, mine: map[string]int64{}, heard: map[string]int64{},
		last: map[string]int64{}, rooms: map[string]client.RoomState{}, open: "r"}
	for i, text := range []string{"Tea", "Tea is", "Tea is", "Tea is ready."} {
		e := client.Event{Room: "r", Seq: int64(i + 1), Type: "message.edited", Actor: client.User{ID: "a", Username: "ask"},
			Message: &client.Message{Room: "r", Seq: 1, Text: text, ContentType: domain.ContentAnswer}}
		if i == 0 {
			e.Type = "message.created"
		}
		s.event(e)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimSpace(line[len("15:04:05 "):]))
	}
	if want := []string{"@ask: Tea", "@ask … is", "@ask … ready."}; !slices.Equal(lines, want) {
		t.Errorf("printed %q", lines)
	}
}
