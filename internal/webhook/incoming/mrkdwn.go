package incoming

import (
	"regexp"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// Slack's own marks in text: <https://…|label>, <@U123>, <#C123|name>, <!here>, *bold*, ~struck~.
var (
	angled     = regexp.MustCompile(`<([^<>\n]+)>`)
	starred    = regexp.MustCompile(`(^|[\s(_~>"'\[{])\*([^*\s](?:[^*\n]*[^*\s])?)\*($|[\s.,:;!?)_~"'\]}])`)
	tilded     = regexp.MustCompile(`(^|[\s(_*>])~([^~\s](?:[^~\n]*[^~\s])?)~($|[\s.,:;!?)_*])`)
	inMarkdown = regexp.MustCompile(`\*\*[^*\n]+\*\*|\]\(https?://|~~[^~\n]+~~|(?m)^#{1,6} `)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#*$`) // messages have no headings
	named      = regexp.MustCompile(`(?:^|[\s(*_~>"'])@[\w.-]+`)
	entities   = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// gap stands for a span of code while the text around it is looked at. No message has it.
const gap = "\x00"

// maxSource is how much of a text in Slack's form is read, in bytes. Marks may take several times as much as the text
// that they become.
const maxSource = 8 * domain.MaxText

// mrkdwn makes Markdown of a text in Slack's form. A text that has Markdown already, as Mattermost wants it, keeps
// its marks; only what stands in angle brackets is read. What is behind maxSource bytes is left out.
func mrkdwn(s string) string {
	s = begin(s, maxSource)
	return marks(s, inMarkdown.MatchString(s))
}

// marks is mrkdwn of a text of which is known whether it has Markdown already.
func marks(s string, markdown bool) string {
	if s == "" {
		return ""
	}
	s = begin(s, maxSource)
	closed := strings.Count(s, "```")%2 == 0
	var b strings.Builder
	for i, part := range strings.Split(s, "```") {
		if i%2 == 1 && closed {
			b.WriteString("```\n" + strings.Trim(entities.Replace(part), "\n") + "\n```")
			continue
		}
		b.WriteString(spoken(part, markdown))
	}
	return b.String()
}

// spoken is mrkdwn outside blocks of code.
func spoken(s string, markdown bool) string {
	parts := strings.Split(strings.ReplaceAll(s, gap, ""), "`")
	var between []string
	for i := 0; i < len(parts); i += 2 {
		between = append(between, parts[i])
	}
	// What is bold may have code in it.
	text := strings.Join(between, gap)
	if !markdown {
		text = starred.ReplaceAllString(starred.ReplaceAllString(text, "$1**$2**$3"), "$1**$2**$3")
		text = tilded.ReplaceAllString(tilded.ReplaceAllString(text, "$1~~$2~~$3"), "$1~~$2~~$3")
	}
	between = strings.Split(heading.ReplaceAllString(text, "**$1**"), gap)
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteByte('`')
		}
		if i%2 == 1 {
			b.WriteString(entities.Replace(part))
			continue
		}
		part = between[i/2]
		b.WriteString(entities.Replace(angled.ReplaceAllStringFunc(named.ReplaceAllStringFunc(part, everyone), reference)))
	}
	return b.String()
}

// reference is what stands in angle brackets.
func reference(s string) string {
	inside, label, labelled := strings.Cut(s[1:len(s)-1], "|")
	inside = entities.Replace(inside)
	switch {
	case strings.HasPrefix(inside, "@"), strings.HasPrefix(inside, "#"):
		if !labelled {
			label = inside[1:]
		}
		return inside[:1] + strings.TrimLeft(label, "@#")
	case strings.HasPrefix(inside, "!"):
		return special(inside[1:], label)
	case strings.HasPrefix(inside, "mailto:"):
		if !labelled {
			label = inside[len("mailto:"):]
		}
		return label
	case web(inside) == "":
		return s
	}
	return link(label, inside)
}

// everyone is a mention as it is written in Mattermost. Those of everybody, whose names nobody can have here, are the
// house's @room.
func everyone(s string) string {
	before, name, _ := strings.Cut(s, "@")
	bare := strings.TrimRight(name, "._-")
	switch strings.ToLower(bare) {
	case "channel", "all", "here", "everyone":
		return before + "@room" + name[len(bare):]
	}
	return s
}

// special is a <!command> of Slack's. Those to everybody are the house's @room.
func special(command, label string) string {
	command, _, _ = strings.Cut(command, "^")
	switch {
	case command == "here", command == "channel", command == "everyone", command == "group":
		return "@room"
	case label != "":
		return label
	}
	return "@" + command
}
