package incoming

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

// ParseAnswer returns what the receiver of a slash command answers: a JSON object in the form of Slack and Mattermost,
// or a text, which is for who wrote the command alone. An empty body says nothing. An error is a Refused.
func ParseAnswer(contentType string, body []byte) (domain.SlashReply, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	kind, _, _ := mime.ParseMediaType(contentType)
	switch {
	case len(body) == 0:
		return domain.SlashReply{}, nil
	case body[0] == '{':
		return jsonAnswer(body)
	case kind == "application/json":
		return domain.SlashReply{}, invalid("the answer is no JSON object")
	case kind == "text/html" || body[0] == '<':
		return domain.SlashReply{}, invalid("the answer is a web page; it should be JSON or plain text")
	case !utf8.Valid(body):
		return domain.SlashReply{}, invalid("the answer is no text in UTF-8")
	}
	return domain.SlashReply{Text: clean(mrkdwn(string(body)))}, nil
}

// ParseLater is ParseAnswer for a later answer, which must say something.
func ParseLater(contentType string, body []byte) (domain.SlashReply, error) {
	reply, err := ParseAnswer(contentType, body)
	if err == nil && reply.Text == "" {
		err = Refused{"no_text", "the answer has nothing to show"}
	}
	return reply, err
}

func jsonAnswer(body []byte) (domain.SlashReply, error) {
	var to struct {
		Type string `json:"response_type"`
	}
	err := json.Unmarshal(body, &to)
	text := ""
	if err == nil {
		text, err = slack(body)
	}
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return domain.SlashReply{}, invalid("the field %q may not be a JSON %s", kind.Field, kind.Value)
	case err != nil:
		return domain.SlashReply{}, notJSON(err)
	case to.Type != "" && to.Type != "ephemeral" && to.Type != "in_channel":
		return domain.SlashReply{}, invalid("response_type is ephemeral or in_channel")
	}
	return domain.SlashReply{Text: clean(text), Room: to.Type == "in_channel"}, nil
}

// Attributed is an answer as it is posted to a room: below a line that says who has written which command.
// Names that are shown are not unique, usernames are.
func Attributed(command string, by domain.UserRef, text string) string {
	return clean("> /" + command + " · " + plain(by.DisplayName) + " (" + plain(by.Username) + ")\n\n" + text)
}
