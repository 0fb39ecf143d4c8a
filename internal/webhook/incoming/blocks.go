package incoming

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// block is one of Slack's Block Kit.
type block struct {
	Type      string          `json:"type"`
	Text      blockText       `json:"text"`
	Fields    []blockText     `json:"fields"`
	Accessory *element        `json:"accessory"`
	Elements  []element       `json:"elements"`
	Title     blockText       `json:"title"`
	TitleURL  word            `json:"title_url"`
	VideoURL  word            `json:"video_url"`
	ImageURL  word            `json:"image_url"`
	AltText   word            `json:"alt_text"`
	Rows      json.RawMessage `json:"rows"`
}

// blockText is a text object of Slack's, or a bare string.
type blockText struct {
	Type string
	Text string
}

// UnmarshalJSON takes an object {"type", "text"} or a string.
func (t *blockText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '{' {
		var w word
		err := json.Unmarshal(b, &w)
		t.Text = string(w)
		return err
	}
	var v struct {
		Type string `json:"type"`
		Text word   `json:"text"`
	}
	err := json.Unmarshal(b, &v)
	t.Type, t.Text = v.Type, string(v.Text)
	return err
}

func (t blockText) markdown() string {
	if t.Type == "plain_text" {
		return plain(t.Text)
	}
	return mrkdwn(t.Text)
}

// element is what stands in a block, and in rich text inside that.
type element struct {
	Type      string    `json:"type"`
	Text      blockText `json:"text"`
	URL       word      `json:"url"`
	ImageURL  word      `json:"image_url"`
	AltText   word      `json:"alt_text"`
	Name      word      `json:"name"`
	Range     word      `json:"range"`
	UserID    word      `json:"user_id"`
	ChannelID word      `json:"channel_id"`
	GroupID   word      `json:"usergroup_id"`
	Value     word      `json:"value"`
	Timestamp word      `json:"timestamp"`
	Fallback  word      `json:"fallback"`
	Indent    word      `json:"indent"`
	Offset    word      `json:"offset"`
	Style     styles    `json:"style"`
	Elements  []element `json:"elements"`
}

// styles of a text; of lists, their kind.
type styles struct {
	Bold, Italic, Strike, Code bool
	Ordered                    bool
}

// UnmarshalJSON takes an object of booleans or the style of a list.
func (s *styles) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		s.Ordered = string(b) == `"ordered"`
		return nil
	}
	var v struct {
		Bold   bool `json:"bold"`
		Italic bool `json:"italic"`
		Strike bool `json:"strike"`
		Code   bool `json:"code"`
	}
	err := json.Unmarshal(b, &v)
	s.Bold, s.Italic, s.Strike, s.Code = v.Bold, v.Italic, v.Strike, v.Code
	return err
}

func blocks(bs []block) string {
	var parts []string
	for _, b := range bs {
		parts = append(parts, b.markdown())
	}
	return joined("\n", parts...)
}

func (b block) markdown() string {
	switch b.Type {
	case "header":
		return bold(plain(b.Text.Text))
	case "divider":
		return ""
	case "image":
		return link(joined(" ", "🖼", b.Title.markdown(), plain(string(b.AltText))), string(b.ImageURL))
	case "rich_text":
		return rich(b.Elements)
	case "markdown":
		return marks(b.Text.Text, true)
	case "table":
		return table(b.Rows)
	}
	var parts []string
	for _, e := range b.Elements {
		parts = append(parts, e.shown())
	}
	var fields []string
	for _, f := range b.Fields {
		fields = append(fields, f.markdown())
	}
	accessory := ""
	if b.Accessory != nil {
		accessory = b.Accessory.shown()
	}
	title := bold(link(plain(b.Title.Text), string(cmp.Or(b.TitleURL, b.VideoURL))))
	return joined("\n", title, b.Text.markdown(), joined("\n", fields...), joined(" · ", parts...), accessory)
}

// table is Slack's table. Its first row is the head, as it is there. Rows of another form are not shown.
func table(data []byte) string {
	var rows [][]element
	if json.Unmarshal(data, &rows) != nil {
		return ""
	}
	var lines []string
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = plain(cmp.Or(cell.Text.Text, string(cell.Value)))
			if cell.Type == "rich_text" {
				cells[j] = strings.ReplaceAll(strings.ReplaceAll(line(rich(cell.Elements)), `\|`, "|"), "|", `\|`)
			}
		}
		lines = append(lines, "| "+strings.Join(cells, " | ")+" |")
		if i == 0 {
			lines = append(lines, "|"+strings.Repeat(" --- |", len(cells)))
		}
	}
	return strings.Join(lines, "\n")
}

// shown is an element of a block that is no rich text: a text, a picture or a button that leads somewhere.
func (e element) shown() string {
	switch {
	case e.Type == "image":
		return link(joined(" ", "🖼", plain(string(e.AltText))), string(e.ImageURL))
	case e.Type == "mrkdwn", e.Type == "plain_text":
		return blockText{e.Type, e.Text.Text}.markdown()
	case web(string(e.URL)) != "":
		return link(plain(e.Text.Text), string(e.URL))
	}
	return ""
}

// rich is Slack's rich text.
func rich(es []element) string {
	var parts []string
	depth := 0 // of a list that comes next: at most in the last item of the one before
	for _, e := range es {
		inside := e.inline()
		if e.Type != "rich_text_list" {
			depth = 0
		}
		switch e.Type {
		case "rich_text_list":
			depth = min(depth, number(e.Indent), maxIndent)
			inside = e.list(depth)
			depth++
		case "rich_text_quote":
			inside = quote(inside)
		case "rich_text_preformatted":
			inside = fenced(e.raw())
		}
		parts = append(parts, inside)
	}
	return joined("\n", parts...)
}

func (e element) list(depth int) string {
	var items []string
	before := number(e.Offset)
	for i, item := range e.Elements {
		mark := strings.Repeat("    ", depth)
		if e.Style.Ordered {
			mark += fmt.Sprintf("%d. ", before+i+1)
		} else {
			mark += "- "
		}
		items = append(items, mark+item.inline())
	}
	return strings.Join(items, "\n")
}

// maxIndent is how deep a list stands at most in Slack.
const maxIndent = 8

// number is a small number of a body, or 0.
func number(w word) int {
	n, err := strconv.ParseUint(string(w), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// inline is what is in a section.
func (e element) inline() string {
	var b strings.Builder
	for _, in := range e.Elements {
		b.WriteString(in.run())
	}
	return strings.TrimSpace(b.String())
}

// raw is the same without marks.
func (e element) raw() string {
	var b strings.Builder
	for _, in := range e.Elements {
		b.WriteString(in.Text.Text)
	}
	return b.String()
}

// moment is a time in seconds since 1970, in UTC.
func moment(seconds word) string {
	n, err := strconv.ParseInt(string(seconds), 10, 40)
	if err != nil {
		return ""
	}
	return time.Unix(n, 0).UTC().Format("2006-01-02 15:04 UTC")
}

// run is one piece of a section.
func (e element) run() string {
	switch e.Type {
	case "link":
		return link(escaper.Replace(e.Text.Text), string(e.URL))
	case "emoji":
		return ":" + string(e.Name) + ":"
	case "broadcast":
		return special(string(e.Range), "")
	case "user":
		return "@" + string(e.UserID)
	case "usergroup":
		return "@" + string(e.GroupID)
	case "channel":
		return "#" + string(e.ChannelID)
	case "color":
		return plain(string(e.Value))
	case "date":
		return plain(cmp.Or(string(e.Fallback), moment(e.Timestamp)))
	}
	text := e.Text.Text
	if e.Style.Code {
		return "`" + strings.ReplaceAll(text, "`", "'") + "`"
	}
	text = escaper.Replace(text)
	bare := strings.TrimSpace(text)
	if bare == "" {
		return text
	}
	styled := bare
	if e.Style.Strike {
		styled = "~~" + styled + "~~"
	}
	if e.Style.Italic {
		styled = "_" + styled + "_"
	}
	if e.Style.Bold {
		styled = bold(styled)
	}
	return strings.Replace(text, bare, styled, 1)
}
