package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A bound is how much something that people send may have.
type bound struct {
	name    string
	most    int
	pointer string              // of the field that is refused
	send    func(n int) error   // so much of it
	code    client.Code         // of the refusal; empty: that the field or the request is invalid
	then    func() (int, error) // how many of it are kept; nil: they are not counted
}

// check sends as much as there may be, which is taken, and one more, which is refused with what there may be. What was
// taken before stays.
func (b bound) check(t *testing.T) {
	t.Helper()
	if err := b.send(b.most); err != nil {
		t.Errorf("%s: %d are refused: %v", b.name, b.most, err)
		return
	}
	kept := 0
	if b.then != nil {
		n, err := b.then()
		must(t, err)
		kept = n
	}
	err := b.send(b.most + 1)
	said, refused := "", &client.Error{}
	if errors.As(err, &refused) {
		said = fmt.Sprint(refused, refused.Fields)
	}
	good := refused.Code == b.code
	if b.code == "" {
		good = refused.Code == client.CodeInvalidField || refused.Code == client.CodeInvalidRequest
	}
	if !good || !strings.Contains(said, strconv.Itoa(b.most)) || !strings.Contains(said, b.pointer) {
		t.Errorf("%s: %d are answered with %s %+v", b.name, b.most+1, refused.Code, err)
	}
	if b.then != nil {
		if n, err := b.then(); err != nil || n != kept {
			t.Errorf("%s: %d are kept afterwards, and were %d: %v", b.name, n, kept, err)
		}
	}
}

// What people write has its bounds: all of it is taken, and one more is refused with words that say how much there may
// be.
func TestWhatPeopleWriteIsBounded(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "RATE_LIMIT_USER_PER_MINUTE=1000")
	ctx, ann, bob := t.Context(), s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	made := 0
	do := func(method, path string, body func(n int) map[string]any) func(int) error {
		return func(n int) error { return ann.Do(ctx, method, path, body(n), nil) }
	}
	text := func(field string) func(int) map[string]any {
		return func(n int) map[string]any { return map[string]any{field: strings.Repeat("ä", n)} }
	}
	poll := func(change func(n int, p map[string]any)) func(int) map[string]any {
		return func(n int) map[string]any {
			made++
			p := map[string]any{"key": fmt.Sprint("p", made), "question": "Tea?", "choices": []string{"yes", "no"}}
			change(n, p)
			return p
		}
	}
	command := func(change func(n int, c map[string]any)) func(int) map[string]any {
		return func(n int) map[string]any {
			made++
			c := map[string]any{"name": fmt.Sprint("c", made), "url": "https://example.org/"}
			change(n, c)
			return c
		}
	}
	in := "/rooms/" + room
	address := func(n int) string { return "https://example.org/" + strings.Repeat("x", n-len("https://example.org/")) }
	for _, b := range []bound{
		{name: "a key", most: domain.MaxKey, pointer: "/key", send: do("POST", in+"/messages", func(n int) map[string]any {
			return map[string]any{"key": strings.Repeat("k", n), "text": "hello"}
		})},
		{name: "a room's name", most: domain.MaxRoomName, pointer: "/name", send: do("PATCH", in, text("name"))},
		{name: "a topic", most: domain.MaxTopic, pointer: "/topic", send: do("PATCH", in, text("topic"))},
		{name: "a display name", most: domain.MaxDisplayName, pointer: "/display_name",
			send: do("PATCH", "/me", text("display_name"))},
		{name: "what one says of oneself", most: domain.MaxAbout, pointer: "/about", send: do("PATCH", "/me", text("about"))},
		{name: "a status", most: domain.MaxStatusText, pointer: "/text", send: do("PUT", "/me/status", text("text"))},
		{name: "a question", most: domain.MaxQuestion, pointer: "/question", send: do("POST", in+"/polls",
			poll(func(n int, p map[string]any) { p["question"] = strings.Repeat("ä", n) }))},
		{name: "a choice", most: domain.MaxChoice, pointer: "/choices/1", send: do("POST", in+"/polls",
			poll(func(n int, p map[string]any) { p["choices"] = []string{"yes", strings.Repeat("ä", n)} }))},
		{name: "choices", most: domain.MaxChoices, pointer: "/choices", send: do("POST", in+"/polls",
			poll(func(n int, p map[string]any) { p["choices"] = numbered(n) }))},
		{name: "a command's name", most: domain.MaxSlashName, pointer: "/name", send: do("POST", in+"/slash-commands",
			command(func(n int, c map[string]any) { c["name"] = strings.Repeat("x", n) }))},
		{name: "a command's description", most: domain.MaxSlashAbout, pointer: "/description",
			send: do("POST", in+"/slash-commands",
				command(func(n int, c map[string]any) { c["description"] = strings.Repeat("ä", n) }))},
		{name: "a command's hint", most: domain.MaxSlashHint, pointer: "/hint", send: do("POST", in+"/slash-commands",
			command(func(n int, c map[string]any) { c["hint"] = strings.Repeat("ä", n) }))},
		{name: "a command's address", most: domain.MaxHookURL, pointer: "/url", send: do("POST", in+"/slash-commands",
			command(func(n int, c map[string]any) { c["url"] = address(n) }))},
		{name: "a webhook's address", most: domain.MaxHookURL, pointer: "/url", send: func(n int) error {
			_, err := ann.CreateOutgoingHook(ctx, room, client.NewOutgoingHook{Name: "x", URL: address(n)})
			return err
		}, then: func() (int, error) { all, err := ann.OutgoingHooks(ctx, room); return len(all), err }},
		{name: "spans of quiet hours", most: domain.MaxQuietSpans, pointer: "/quiet/spans",
			send: do("PUT", "/notifications", func(n int) map[string]any {
				span := map[string]any{"weekdays": []int{1}, "start": "22:00", "end": "23:00"}
				return map[string]any{"level": "all", "keywords": []string{},
					"quiet": map[string]any{"zone": "UTC", "spans": slices.Repeat([]map[string]any{span}, n)}}
			})},
		{name: "files that links are asked for", most: domain.MaxFileLinks, pointer: "/files",
			send: do("POST", "/files/links", func(n int) map[string]any {
				return map[string]any{"files": slices.Repeat([]string{domain.NewID(domain.FilePrefix)}, n)}
			})},
		{name: "files of a message", most: domain.MaxAttachments, pointer: "/files",
			send: attaches(t, ann, room)},
		{name: "the reason of a removal", most: domain.MaxReason, pointer: "/reason", send: func(n int) error {
			if err := ann.Add(ctx, room, id(t, bob)); codeOf(err) != client.CodeAlreadyMember {
				must(t, err)
			}
			return ann.Kick(ctx, room, id(t, bob), strings.Repeat("ä", n))
		}},
	} {
		b.check(t)
	}
}

// What people have of one kind, and how many are in a conversation, is bounded as well.
func TestWhatPeopleHaveIsBounded(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "RATE_LIMIT_USER_PER_MINUTE=1000")
	ctx, ann := t.Context(), s.User("ann")
	token := map[string]any{"scopes": []string{"read"}}
	bot, _ := makesBot(t, s, ann, "first", token)
	bots := func() (all struct{ Items []madeBot }, err error) {
		err = ann.Do(ctx, "GET", "/bots", nil, &all)
		return all, err
	}
	var peers []string
	for i := range domain.MaxDirect {
		peers = append(peers, id(t, s.User(fmt.Sprint("peer", i))))
	}
	for _, b := range []bound{
		{name: "tokens of a bot", most: domain.MaxBotTokens, code: client.CodeTooManyBots,
			send: more(1, func(int) error { return ann.Do(ctx, "POST", "/bots/"+bot.User.ID+"/tokens", token, nil) }),
			then: func() (int, error) { all, err := bots(); return len(all.Items[0].Tokens), err }},
		{name: "bots", most: domain.MaxBots, code: client.CodeTooManyBots, send: more(1, func(n int) error {
			return ann.Do(ctx, "POST", "/bots", map[string]any{"username": fmt.Sprint("bot", n), "token": token}, nil)
		}), then: func() (int, error) { all, err := bots(); return len(all.Items), err }},
		{name: "others of a conversation", most: domain.MaxDirect - 1, pointer: "/users", send: func(n int) error {
			_, err := ann.Direct(ctx, peers[:n]...)
			return err
		}, then: func() (int, error) { all, err := ann.Rooms(ctx); return len(all), err }},
	} {
		b.check(t)
	}
}

// more returns a function that makes something until there are n, of which some are there. The first that is refused
// ends it.
func more(there int, do func(n int) error) func(n int) error {
	return func(n int) error {
		for there < n {
			if err := do(there); err != nil {
				return err
			}
			there++
		}
		return nil
	}
}

// numbered are n different words.
func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("choice ", i))
	}
	return all
}

// attaches returns a function that sends a message with n files.
func attaches(t *testing.T, c *client.Client, room string) func(n int) error {
	var files []string
	return func(n int) error {
		for len(files) < n {
			u, err := c.UploadFile(t.Context(), room, "a.txt", strings.NewReader("tea"), 3)
			must(t, err)
			files = append(files, u.ID)
		}
		sent := files[:n]
		files = files[n:]
		return c.Do(t.Context(), http.MethodPost, "/rooms/"+room+"/messages",
			map[string]any{"key": fmt.Sprint("files", n), "files": sent}, nil)
	}
}
