// Package incoming makes messages of the bodies that other programs send to webhooks: those of Slack and
// Mattermost, Alertmanager, Grafana, GitHub, GitLab and Uptime Kuma. It knows no rooms.
package incoming

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Post is the message that a body makes.
type Post struct {
	Sender string // what the body looks like: one of Senders
	Text   string // Markdown, of at most domain.MaxText bytes
	Name   string // as whom it wants to be shown, as it came; empty: as the webhook
	Emoji  string // that stands for it, or its name; empty: none
	Icon   string // address of a picture that stands for it; empty: none
	Key    string // what its sender names the delivery; empty: it has no name. The same key is the same message
}

// Senders are the forms of bodies that are known.
func Senders() []string {
	return []string{"slack", "alertmanager", "grafana", "github", "gitlab", "uptime_kuma"}
}

// A Refused body makes no message. Code is the word that Slack has for it.
type Refused struct {
	Code   string
	Detail string
}

func (r Refused) Error() string { return r.Code + ": " + r.Detail }

func invalid(format string, args ...any) error {
	return Refused{"invalid_payload", fmt.Sprintf(format, args...)}
}

// Parse returns the message of a body. What form the body has is seen by the headers of GitHub and GitLab, and
// otherwise by what is in it; its Content-Type does not matter. An error is a Refused.
func Parse(header http.Header, body []byte) (Post, error) {
	data, err := payload(body)
	if err != nil {
		return Post{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return Post{}, notJSON(err)
	}
	sender, read := reader(header, fields)
	text, err := read(data)
	if err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return Post{}, invalid("the field %q may not be a JSON %s in a body of %s", kind.Field, kind.Value, sender)
		}
		return Post{}, err
	}
	if text = clean(text); text == "" {
		return Post{}, Refused{"no_text", "the body has nothing to show; of Slack's fields, text, attachments or blocks " +
			"are needed"}
	}
	p := Post{Sender: sender, Text: text, Key: key(header)}
	if sender == "slack" {
		p.face(fields)
	}
	return p, nil
}

// reader says which sender a body is of, and what reads it.
func reader(header http.Header, fields map[string]json.RawMessage) (string, func([]byte) (string, error)) {
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := fields[name]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case header.Get("X-GitHub-Event") != "":
		event := header.Get("X-GitHub-Event")
		return "github", func(b []byte) (string, error) { return github(event, b) }
	case header.Get("X-Gitlab-Event") != "", has("object_kind"), has("event_name", "project"):
		return "gitlab", gitlab
	case has("alerts") && has("orgId"):
		return "grafana", grafana
	case has("alerts"):
		return "alertmanager", alertmanager
	case has("msg", "monitor", "heartbeat"):
		return "uptime_kuma", kuma
	default:
		return "slack", slack
	}
}

// payload returns the JSON object of a body: the whole of it, or the field "payload" of a form.
func payload(body []byte) ([]byte, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return nil, invalid("the body is empty")
	case body[0] == '{':
		return body, nil
	case !bytes.Contains(body, []byte("payload=")):
		return nil, invalid("the body is neither a JSON object nor a form with the field \"payload\"")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid("the form cannot be read: its values must be URL-encoded")
	}
	data := strings.TrimSpace(form.Get("payload"))
	if !strings.HasPrefix(data, "{") {
		return nil, invalid("the field \"payload\" of the form is no JSON object")
	}
	return []byte(data), nil
}

func notJSON(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return invalid("the JSON is broken at byte %d: %s", syntax.Offset, strings.TrimPrefix(err.Error(), "json: "))
	}
	return invalid("the body is no JSON object")
}

// key returns the name of a delivery. A sender that tries again sends the same one.
func key(header http.Header) string {
	for _, name := range []string{"Idempotency-Key", "X-GitHub-Delivery", "Webhook-Id"} {
		if v := header.Get(name); v != "" {
			return v
		}
	}
	return ""
}

const cut = "\n…"

// clean makes a text one that a message may have: valid UTF-8 without control characters, and not too long.
func clean(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) <= domain.MaxText {
		return text
	}
	return begin(text, domain.MaxText-len(cut)) + cut
}
