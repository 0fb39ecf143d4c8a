package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/bot"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// asBot sends a request with a token, and returns the status and the code of a refusal.
func asBot(ctx context.Context, t *testing.T, method, url, token, body string) (status int, code, detail string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	must(t, err)
	var p struct{ Code, Detail string }
	_ = json.Unmarshal(data, &p)
	return res.StatusCode, p.Code, p.Detail
}

// Each operation of the REST API needs a scope of a bot's token, or takes no bot at all.
func TestEveryOperationSaysWhichScopeABotNeeds(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den"})
	must(t, err)
	other, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Office"})
	must(t, err)
	needs := map[string]string{"bot-events": "read", "bot-send": "write"}
	for id, scope := range bot.Operations() {
		needs[id] = string(scope)
	}
	all := []string{"read", "write", "files", "manage"}
	tokens := make(map[string]string) // by the scope that each lacks
	var b madeBot
	must(t, ann.Do(ctx, "POST", "/bots", map[string]any{"username": "pong", "token": map[string]any{"scopes": all}}, &b))
	token := func(scopes []string, rooms ...string) string {
		t.Helper()
		var made struct{ Secret string }
		must(t, ann.Do(ctx, "POST", "/bots/"+b.User.ID+"/tokens", map[string]any{"scopes": scopes, "rooms": rooms}, &made))
		return made.Secret
	}
	for i, lacks := range all {
		tokens[lacks] = token(append(append([]string{}, all[:i]...), all[i+1:]...))
	}
	elsewhere := token(all, other.ID)
	join := map[string]any{"user": "pong"}
	must(t, ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", join, nil))
	must(t, ann.Do(ctx, "POST", "/rooms/"+other.ID+"/members", join, nil))
	doc, err := os.ReadFile("../../docs/bots.md")
	must(t, err)
	documented := make(map[string]string)
	row := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `[A-Z]+ .* \\| `([a-z]+)`")
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		documented[m[1]] = m[2]
	}
	for id, scope := range needs {
		if documented[id] != scope {
			t.Errorf("docs/bots.md says of %s that it needs %q, and it is %q", id, documented[id], scope)
		}
	}
	seen := 0
	fill := func(path string) string {
		return anything(strings.ReplaceAll(path, "{room}", room.ID))
	}
	for _, o := range operations(t, s, fill) {
		body := ""
		if o.id == "bot-send" {
			body = `{"room":"` + room.ID + `","key":"k","text":"x"}`
		}
		scope := needs[o.id]
		if scope == "" {
			if status, code, _ := asBot(ctx, t, o.method, s.URL+o.path, b.Tokens[0].Secret, body); !o.open && status < 500 &&
				(status != 401 || code != "bad_token") {
				t.Errorf("%s takes a bot's token: %d %s", o.id, status, code)
			}
			continue
		}
		seen++
		status, code, detail := asBot(ctx, t, o.method, s.URL+o.path, tokens[scope], body)
		if status != 403 || code != "bot_scope" || !strings.Contains(detail, `"`+scope+`"`) {
			t.Errorf("%s without the scope %s: %d %s, %s", o.id, scope, status, code, detail)
		}
		if o.id == "bot-events" { // it has no room, and leaves out others
			continue
		}
		if status, code, _ := asBot(ctx, t, o.method, s.URL+o.path, elsewhere, body); status != 403 || code != "bot_scope" {
			t.Errorf("%s in another room than the token's: %d %s", o.id, status, code)
		}
		if status, code, _ := asBot(ctx, t, o.method, s.URL+o.path, b.Tokens[0].Secret, body); status == 401 ||
			code == "bot_scope" {
			t.Errorf("%s with all scopes: %d %s", o.id, status, code)
		}
	}
	if seen != len(needs) {
		t.Errorf("%d of %d operations of bots were seen", seen, len(needs))
	}
}

// A bot with the scopes uploads a file, posts it, loads that of others, and manages the room as its role allows.
func TestABotHandlesFilesAndManagesItsRoom(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		s.User("cid")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Den"})
		must(t, err)
		at := "/rooms/" + room.ID
		b, pong := makesBot(t, s, bob, "pong", map[string]any{"scopes": []string{"write", "files", "manage"}})
		joins(t, ann, bob, room.ID)
		must(t, ann.Do(ctx, "POST", at+"/members", map[string]any{"user": "pong"}, nil))
		file := uploadsFile(ctx, t, s, room.ID, b.Tokens[0].Secret)
		say := map[string]any{"room": room.ID, "key": "1", "text": "", "files": []string{file}}
		var small struct{ Secret string }
		must(t, bob.Do(ctx, "POST", "/bots/"+b.User.ID+"/tokens", map[string]any{"scopes": []string{"write"}}, &small))
		writer := client.New(s.URL)
		writer.Token(small.Secret)
		if err := writer.Do(ctx, "POST", "/bot/messages", say, nil); codeOf(err) != client.CodeBotScope {
			t.Errorf("a token without files posts one: %v", err)
		}
		var sent client.Sent
		must(t, pong.Do(ctx, "POST", "/bot/messages", say, &sent))
		if len(sent.Message.Files) != 1 {
			t.Fatalf("the message has %+v", sent.Message.Files)
		}
		content := s.URL + "/api/v1/files/" + file + "/content"
		if status, code, _ := asBot(ctx, t, "GET", content, small.Secret, ""); status != 403 || code != "bot_scope" {
			t.Errorf("a token without files loads one: %d %s", status, code)
		}
		if status, _, _ := asBot(ctx, t, "GET", content, b.Tokens[0].Secret, ""); status != 200 {
			t.Errorf("a bot loads a file: %d", status)
		}

		own, err := bob.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Workshop"})
		must(t, err)
		must(t, bob.Do(ctx, "POST", "/bots/"+b.User.ID+"/tokens",
			map[string]any{"scopes": []string{"files"}, "rooms": []string{own.ID}}, &small))
		if status, code, _ := asBot(ctx, t, "GET", content, small.Secret, ""); status != 403 || code != "bot_scope" {
			t.Errorf("a token for another room loads a file: %d %s", status, code)
		}

		topic := map[string]any{"topic": "Deployed by a bot"}
		if err := pong.Do(ctx, "PATCH", at, topic, nil); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a bot that is a plain member changes the topic: %v", err)
		}
		must(t, ann.Do(ctx, "PATCH", at+"/members/"+b.User.ID, map[string]any{"role": "admin"}, nil))
		must(t, pong.Do(ctx, "PATCH", at, topic, nil))
		for _, change := range []map[string]any{{"name": "Mine"}, {"topic": "x", "kind": "public"}, {"archived": true},
			{"topic": "x", "look": map[string]any{"colour": "teal"}}} {
			if err := pong.Do(ctx, "PATCH", at, change, nil); codeOf(err) != client.CodeBotScope {
				t.Errorf("a bot changes %v: %v", change, err)
			}
		}
		must(t, pong.Do(ctx, "PUT", at+"/messages/"+fmt.Sprint(sent.Seq)+"/pin", nil, nil))
		must(t, pong.Do(ctx, "POST", at+"/members", map[string]any{"user": "cid"}, nil))
		if err := pong.Do(ctx, "POST", at+"/hooks", map[string]any{"name": "x"}, nil); codeOf(err) != client.CodeSignedOut {
			t.Errorf("a bot makes a webhook: %v", err)
		}
		must(t, bob.Do(ctx, "DELETE", "/bots/"+b.User.ID+"/tokens/"+b.Tokens[0].ID, nil, nil))
		if err := pong.Do(ctx, "PATCH", at, topic, nil); codeOf(err) != client.CodeSignedOut {
			t.Errorf("a token that was revoked changes the topic: %v", err)
		}
	})
}

func uploadsFile(ctx context.Context, t *testing.T, s *live.Server, room, token string) (id string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/api/v1/rooms/"+room+"/files?name=report.txt",
		bytes.NewReader([]byte("all is well")))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/octet-stream")
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	var f struct{ ID string }
	must(t, json.NewDecoder(res.Body).Decode(&f))
	if res.StatusCode != 201 || f.ID == "" {
		t.Fatalf("a bot uploads a file: %d %+v", res.StatusCode, f)
	}
	return f.ID
}
