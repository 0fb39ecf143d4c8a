package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
)

// ofBots says whether the operation takes tokens of bots instead of people's.
func (o operation) ofBots() bool { return strings.HasPrefix(o.path, "/api/v1/bot/") }

// An operation of the OpenAPI document, its path filled in with what is Ann's.
type operation struct {
	id, method, path string
	template         string // the path as the document has it
	open             bool
	fields           []string // of its body, if that is JSON
}

// operations reads them, in the order of their names.
func operations(t *testing.T, s *live.Server, fill func(string) string) []operation {
	t.Helper()
	_, body := get(t, s.URL+"/openapi.json")
	type schema struct {
		Ref        string         `json:"$ref"`
		Properties map[string]any `json:"properties"`
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Security    []any  `json:"security"`
			RequestBody struct {
				Content map[string]struct{ Schema schema }
			} `json:"requestBody"`
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	var ops []operation
	for path, methods := range doc.Paths {
		for method, op := range methods {
			o := operation{id: op.OperationID, method: strings.ToUpper(method), template: path, path: fill(path),
				open: len(op.Security) == 0}
			if strings.ContainsAny(o.path, "{}") {
				t.Errorf("%s: nothing to put into %s; add it to the test", o.id, o.path)
			}
			if b, ok := op.RequestBody.Content["application/json"]; ok {
				name := b.Schema.Ref[strings.LastIndexByte(b.Schema.Ref, '/')+1:]
				for field := range doc.Components.Schemas[name].Properties {
					o.fields = append(o.fields, field)
				}
			}
			ops = append(ops, o)
		}
	}
	slices.SortFunc(ops, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return ops
}

// anything puts a number into every place of a path.
func anything(path string) string { return regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "1") }

// try calls an operation and returns the answer.
func try(t *testing.T, s *live.Server, o operation, body, bearer string) (status int, code domain.Code) {
	t.Helper()
	if body == "" && o.fields != nil {
		body = "{}"
	}
	req, err := http.NewRequestWithContext(t.Context(), o.method, s.URL+o.path, strings.NewReader(body))
	must(t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if o.id == "set-avatar" || o.id == "set-hook-avatar" || o.id == "set-room-avatar" || o.id == "add-emoji" {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader([]byte("x"))), 1
		req.Header.Set("Content-Type", "image/png")
	}
	if o.id == "add-part" {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader([]byte("x"))), 1
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if o.id == "import-devices" {
		req.Header.Set("Content-Type", "application/x-ndjson")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	var p struct{ Code domain.Code }
	_ = json.NewDecoder(res.Body).Decode(&p) // not every answer is JSON
	return res.StatusCode, p.Code
}

// A house is what belongs to Ann: Bob is a plain member of her room.
type house struct {
	*live.Server
	ann, bob *client.Client
	fixed    []string // pairs for a replacer: what is there once
	bobID    string
	file     string // an upload of hers
}

func newHouse(t *testing.T) *house {
	t.Helper()
	o := testkit.SQLite(t)
	h := &house{Server: live.Start(t, o, "UNHIDRA_DEVICES_PER_USER=1000", "UNHIDRA_ROOMS_MADE_PER_USER=1000")}
	h.ann, h.bob = h.User("ann"), h.User("bob")
	me, err := h.ann.Me(t.Context())
	must(t, err)
	bob, err := h.bob.Me(t.Context())
	must(t, err)
	banned, err := h.User("cy").Me(t.Context())
	must(t, err)
	var sessions struct{ Items []struct{ ID string } }
	must(t, h.ann.Do(t.Context(), "GET", "/me/sessions", nil, &sessions))
	o.Tool = true
	db := testkit.Open(t, o)
	now := time.Now()
	must(t, db.Factors.AddPasskey(t.Context(), domain.Passkey{ID: "anns-key", User: me.ID, Name: "Phone",
		Credential: []byte("{}")}, 0, nil, now))
	must(t, db.Factors.Remember(t.Context(), domain.Remembered{ID: "rem_anns", User: me.ID, CreatedAt: now, UsedAt: now,
		Expires: now.Add(time.Hour)}, []byte("hash")))
	h.bobID = bob.ID
	var product, release, upload, subscription struct{ ID string }
	must(t, h.ann.Do(t.Context(), "POST", "/push/subscriptions",
		pushtest.NewBrowser(t, "https://push.invalid/anns").Keys(), &subscription))
	must(t, h.ann.Do(t.Context(), "POST", "/firmware/products", map[string]any{"name": "door"}, &product))
	at := "/firmware/products/" + product.ID
	must(t, h.ann.Do(t.Context(), "POST", at+"/releases", map[string]any{"version": "1.0", "version_code": 1}, &release))
	hash := noFile
	must(t, h.ann.Do(t.Context(), "POST", at+"/uploads", map[string]any{"kind": "raw", "size": 3, "sha256": hash},
		&upload))
	rollout, err := db.Rollouts.Create(t.Context(), domain.Rollout{ID: domain.NewID(domain.RolloutPrefix),
		Product: product.ID, Name: "door", Owner: me.ID, Release: release.ID, Code: 1, Version: "1.0",
		State: domain.RolloutAwaiting, CreatedBy: domain.UserRef{ID: me.ID}, CreatedAt: now}, now)
	must(t, err)
	var program struct {
		User   struct{ ID string }
		Tokens []struct{ ID string }
	}
	must(t, h.ann.Do(t.Context(), "POST", "/bots", map[string]any{"username": "deploy",
		"token": map[string]any{"scopes": []string{"read"}}}, &program))
	_, err = h.ann.AddEmoji(t.Context(), "anns", []byte(dot))
	must(t, err)
	var den, scheduled, reminder struct{ ID string }
	must(t, h.ann.Do(t.Context(), "POST", "/rooms", map[string]any{"kind": "private", "name": "Den"}, &den))
	must(t, h.ann.Do(t.Context(), "POST", "/me/scheduled", map[string]any{"key": "1", "room": den.ID, "text": "a secret",
		"at": now.Add(time.Hour)}, &scheduled))
	must(t, h.ann.Do(t.Context(), "POST", "/me/reminders", map[string]any{"key": "1", "text": "a secret",
		"at": now.Add(time.Hour)}, &reminder))
	h.fixed = []string{
		"{user}", me.ID, "{bob}", bob.ID, "{banned}", banned.ID, "{session}", sessions.Items[0].ID,
		"{command}", domain.NewID(domain.CommandPrefix), "{batch}", domain.NewID(domain.BatchPrefix),
		"{alarm}", domain.NewID(domain.AlarmPrefix),
		"{window}", domain.NewID(domain.MaintenancePrefix),
		"{rule}", domain.NewID(domain.AlarmRulePrefix),
		"{usergroup}", "anns", "{name}", "anns",
		"{group}", "anns", "{template}", "anns", "{browser}", "rem_anns", "{passkey}", "anns-key", "{hash}", "nothing",
		"{preview}", "nothing", "{model}", "greet",
		"{provider}", "oidc", "{product}", product.ID, "{release}", release.ID, "{upload}", upload.ID, "{sha256}", hash,
		"{subscription}", subscription.ID, "{scheduled}", scheduled.ID, "{reminder}", reminder.ID,
		"{bot}", program.User.ID, "{token}", program.Tokens[0].ID,
		"{n}", "0", "{start}", "0", "{rollout}", rollout.ID, "{update}", domain.NewID(domain.UpdatePrefix),
	}
	return h
}

// fill makes a room, a message, an invitation and a device of Ann's, and returns
// what puts them into paths and bodies.
func (h *house) fill(t *testing.T) func(string) string {
	t.Helper()
	ctx := t.Context()
	must(t, h.bob.Unblock(ctx, "ann")) // whom the operation before may have blocked
	var room struct{ ID string }
	must(t, h.ann.Do(ctx, "POST", "/rooms", map[string]any{"kind": "private", "name": "Den", "members": []string{h.bobID}},
		&room))
	at := "/rooms/" + room.ID
	banned := h.fixed[5]
	must(t, h.ann.Do(ctx, "PUT", at+"/bans/"+banned, map[string]any{}, nil))
	var message struct{ Seq json.Number }
	must(t, h.ann.Do(ctx, "POST", at+"/messages", map[string]any{"key": room.ID, "text": "a secret of Ann's"}, &message))
	var invite struct{ ID, Code string }
	must(t, h.ann.Do(ctx, "POST", at+"/invites", map[string]any{}, &invite))
	var hook struct{ ID string }
	must(t, h.ann.Do(ctx, "POST", at+"/hooks", map[string]any{"name": "Grafana"}, &hook))
	var outgoing struct{ ID string }
	must(t, h.ann.Do(ctx, "POST", at+"/outgoing-hooks",
		map[string]any{"name": "Tickets", "url": "https://tickets.example.org/"}, &outgoing))
	var slash struct{ ID string }
	must(t, h.ann.Do(ctx, "POST", at+"/slash-commands", map[string]any{"name": "deploy", "url": "https://ci.example.org/"},
		&slash))
	_ = h.ann.DeleteFile(ctx, h.file) // there may be but so many; the first time there is none
	file, err := h.ann.BeginUpload(ctx, room.ID, "plan", 1)
	must(t, err)
	h.file = file.ID
	var made issued
	must(t, h.ann.Do(ctx, "POST", "/devices", map[string]any{"name": "Door"}, &made))
	pairs := append(slices.Clone(h.fixed), "{room}", room.ID, "{emoji}", "%F0%9F%91%8D", "{choice}", "1",
		"{file}", file.ID, "{seq}", message.Seq.String(), "{task}", "1", "{invite}", invite.ID, "{hook}", hook.ID,
		"{outgoing}", outgoing.ID, "{slash}", slash.ID, "{delivery}", room.ID+":1", "{code}", invite.Code,
		"{device}", made.Device.ID, "{key}", made.KeyID)
	return strings.NewReplacer(pairs...).Replace
}

// Every operation is called by nobody, by a device with its key, by a stranger and
// by a plain member, with a body that would do if it were theirs.
func TestCHK_DV_03_NobodyReachesWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	eve := h.User("eve")
	signedIn := time.Now()
	door := registerDevice(t, h.ann, "Door").Key
	table := rows()
	ids := map[string]bool{}
	for _, o := range operations(t, h.Server, h.fill(t)) {
		ids[o.id] = true
		r, ok := table[o.id]
		if !ok || r.open != o.open {
			t.Errorf("%s (%s %s): no row, or not the right one, in the table of idor_table_test.go: who may call it?", o.id,
				o.method, o.path)
			continue
		}
		if o.open {
			continue
		}
		fill := h.fill(t)
		o.path = fill(o.template + r.more)
		body := fill(r.body)
		if status, code := try(t, h.Server, o, body, ""); status != http.StatusUnauthorized ||
			code != domain.CodeNoCredentials {
			t.Errorf("%s by nobody: %d %s", o.id, status, code)
		}
		if status, code := try(t, h.Server, o, body, door); status != http.StatusUnauthorized ||
			code != domain.CodeBadToken {
			t.Errorf("%s by a device: %d %s", o.id, status, code)
		}
		if r.own {
			continue
		}
		if time.Since(signedIn) > time.Minute { // some operations want a sign-in of the last minutes
			must(t, eve.SignIn(t.Context(), "eve", live.Password))
			must(t, h.bob.SignIn(t.Context(), "bob", live.Password))
			signedIn = time.Now()
		}
		for _, c := range []struct {
			name, token string
			want        int
		}{{"a stranger", eve.Tokens().Access, r.eve}, {"a plain member", h.bob.Tokens().Access, max(r.bob, 0)}} {
			if c.want == 0 {
				c.want = r.eve
			}
			if status, code := try(t, h.Server, o, body, c.token); status != c.want {
				t.Errorf("%s by %s: %d %s, want %d", o.id, c.name, status, code, c.want)
			}
		}
	}
	for id := range table {
		if !ids[id] {
			t.Errorf("the table has %s, which there is not", id)
		}
	}
	h.untouched(t)
}

// Of a device, an administrator who is in no room with it reaches what the registry has, and ends it.
func TestCHK_DV_03_AdministratorsReachTheRegistryAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := administrator(t, h.Server).Tokens().Access
	table := rows()
	tried := 0
	first := h.fill(t)
	for _, o := range operations(t, h.Server, first) {
		if !strings.Contains(o.path, "/devices/"+first("{device}")) {
			continue
		}
		fill := h.fill(t)
		for _, now := range operations(t, h.Server, fill) {
			if now.id == o.id {
				o = now
			}
		}
		tried++
		r := table[o.id]
		if r.root == 0 {
			r.root = r.eve
		}
		if status, code := try(t, h.Server, o, fill(r.body), root); status != r.root {
			t.Errorf("%s by an administrator: %d %s, want %d", o.id, status, code, r.root)
		}
	}
	if tried < 20 {
		t.Errorf("only %d operations are on a device", tried)
	}
}

// untouched checks that what is Ann's is as it was.
func (h *house) untouched(t *testing.T) {
	t.Helper()
	var factors struct{ Passkeys, Remembered []any }
	must(t, h.ann.Do(t.Context(), "GET", "/me/factors", nil, &factors))
	if len(factors.Passkeys) != 1 || len(factors.Remembered) != 1 {
		t.Errorf("Ann's factors are %+v", factors)
	}
	for _, list := range []string{"/me/scheduled", "/me/reminders"} {
		var kept struct{ Items []any }
		must(t, h.ann.Do(t.Context(), "GET", list, nil, &kept))
		if len(kept.Items) != 1 {
			t.Errorf("Ann's %s are %+v", list, kept.Items)
		}
	}
	var rooms struct {
		Items []struct{ Name, Role string }
	}
	must(t, h.ann.Do(t.Context(), "GET", "/rooms", nil, &rooms))
	for _, r := range rooms.Items {
		if r.Name != "Den" || r.Role != "owner" {
			t.Errorf("a room of Ann's is %+v", r)
		}
	}
}

// What is about the caller alone shows nothing of Ann's.
func TestCHK_DV_03_ListsShowOnesOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	fill := h.fill(t)
	eve := h.User("eve")
	for _, path := range []string{"/search?q=secret", "/rooms", "/rooms/public", "/devices", "/me/factors"} {
		var raw json.RawMessage
		must(t, eve.Do(t.Context(), "GET", path, nil, &raw))
		for _, mine := range []string{fill("{room}"), fill("{device}"), "anns-key", "rem_anns", "a secret of Ann's"} {
			if strings.Contains(string(raw), mine) {
				t.Errorf("%s shows %s to a stranger", path, mine)
			}
		}
	}
	h.newcomers(t, eve)
}

// Mass assignment: no operation takes a field that it does not name, so that
// nobody makes themself an administrator on the way.
func TestCHK_RG_07_NoFieldBesideThoseThatAreNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	fill := h.fill(t)
	table := rows()
	tried := 0
	made, _ := makesBot(t, h.Server, h.ann, "clock", map[string]any{"scopes": []string{"write"}})
	for _, o := range operations(t, h.Server, fill) {
		if o.fields == nil {
			continue
		}
		bearer := h.ann.Tokens().Access
		if o.ofBots() {
			bearer = made.Tokens[0].Secret
		}
		for _, field := range []string{"role", "id", "disabled", "epoch", "owner", "is_admin"} {
			if slices.Contains(o.fields, field) {
				continue
			}
			tried++
			var body map[string]any
			must(t, json.Unmarshal([]byte(fill(max(table[o.id].body, "{}"))), &body))
			body[field] = "admin"
			b, err := json.Marshal(body)
			must(t, err)
			if status, code := try(t, h.Server, o, string(b), bearer); status != http.StatusBadRequest ||
				code != domain.CodeInvalidRequest {
				t.Errorf("%s with %q: %d %s", o.id, field, status, code)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d were tried", tried)
	}
	h.untouched(t)
}
