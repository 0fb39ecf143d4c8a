package incoming

import (
	"cmp"
	"encoding/json"
	"strings"
)

// slackBody is what Slack and Mattermost take. The field that says where to post is not here: the hook says that. As
// whom to post, Post.face reads. Programs that know neither often have a title and a message, as Apprise and Grafana
// before version 9.
type slackBody struct {
	Text        word         `json:"text"`
	Message     word         `json:"message"`
	RuleURL     word         `json:"ruleUrl"`
	Attachments []attachment `json:"attachments"`
	Blocks      []block      `json:"blocks"`
	attachment               // bare, which some senders do
}

// attachment is a card below a message, as Slack has them since before there were blocks.
type attachment struct {
	Pretext    word     `json:"pretext"`
	AuthorName word     `json:"author_name"`
	AuthorLink word     `json:"author_link"`
	Title      word     `json:"title"`
	TitleLink  word     `json:"title_link"`
	Body       word     `json:"text"`
	Fallback   word     `json:"fallback"`
	Fields     []field  `json:"fields"`
	ImageURL   word     `json:"image_url"`
	ThumbURL   word     `json:"thumb_url"`
	Footer     word     `json:"footer"`
	Color      word     `json:"color"`
	Actions    []button `json:"actions"`
	Cards      []block  `json:"blocks"`
}

type field struct {
	Title word `json:"title"`
	Value word `json:"value"`
}

type button struct {
	Text word `json:"text"`
	Name word `json:"name"`
	URL  word `json:"url"`
}

func slack(data []byte) (string, error) {
	var b slackBody
	if err := json.Unmarshal(data, &b); err != nil {
		return "", err
	}
	parts := []string{mrkdwn(string(b.Text))}
	if shown := blocks(b.Blocks); shown != "" {
		parts[0] = shown // then text is only what notifications say
	}
	if parts[0] == "" {
		b.Body, b.TitleLink = b.Message, cmp.Or(b.TitleLink, b.RuleURL)
	}
	parts = append(parts, b.attachment.markdown())
	for _, a := range b.Attachments {
		shown := a.markdown()
		if shown == "" {
			shown = mrkdwn(string(a.Fallback))
		}
		parts = append(parts, shown)
	}
	if text := joined("\n\n", parts...); text != "" {
		return text, nil
	}
	return mrkdwn(string(b.Fallback)), nil
}

func (a attachment) markdown() string {
	var fields, actions []string
	for _, f := range a.Fields {
		value := mrkdwn(string(f.Value))
		if title := plain(string(f.Title)); title != "" && value != "" {
			value = bold(title+":") + " " + value
		}
		fields = append(fields, value)
	}
	for _, b := range a.Actions {
		if web(string(b.URL)) != "" {
			actions = append(actions, link(plain(string(cmp.Or(b.Text, b.Name))), string(b.URL)))
		}
	}
	var pictures []string
	for _, at := range []word{a.ImageURL, a.ThumbURL} {
		if web(string(at)) != "" {
			pictures = append(pictures, link("🖼", string(at)))
		}
	}
	return joined("\n",
		mrkdwn(string(a.Pretext)),
		link(plain(string(a.AuthorName)), string(a.AuthorLink)),
		joined(" ", a.sign(), bold(link(titled(string(a.Title)), string(a.TitleLink)))),
		mrkdwn(string(a.Body)),
		blocks(a.Cards),
		joined("\n", fields...),
		joined(" · ", actions...),
		joined(" ", pictures...),
		plain(string(a.Footer)))
}

// sign is the bar beside a card, whose colour may be all that says whether an alert begins or ends. Of colours, only
// those that have a meaning by their names are shown, above or before what the card says.
func (a attachment) sign() string {
	if a.Title == "" && a.Body == "" && len(a.Fields) == 0 && len(a.Cards) == 0 {
		return ""
	}
	return map[word]string{"good": "🟢", "warning": "🟡", "danger": "🔴"}[a.Color]
}

// titled is the title of a card, which may stand in a link.
func titled(s string) string {
	s = strings.TrimSpace(mrkdwn(line(s)))
	if strings.Contains(s, "](") {
		return s
	}
	return strings.NewReplacer("[", `\[`, "]", `\]`).Replace(s)
}
