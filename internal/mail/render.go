package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

//go:embed templates
var files embed.FS

// A mailTemplate is the template of one mail: a subject, and blocks that become paragraphs and
// buttons in the HTML part, and paragraphs in the text part.
type mailTemplate struct {
	subject *texttemplate.Template
	blocks  []blockTemplate
}

// A blockTemplate is a paragraph or, if it has a link, a button, or the rooms of a digest. Blocks are separated
// before values are filled in, so that no value can become a button.
type blockTemplate struct {
	text, link *texttemplate.Template // link may be nil
	rooms      bool                   // it is the rooms, and has neither
}

// A block is a blockTemplate with its values.
type block struct {
	Text, Link string
	Rooms      []digestRoom
}

// A digestRoom is what a digest says of a room, with its numbers as text.
type digestRoom struct {
	domain.SummaryRoom
	Counts string
}

// content is what the layouts are rendered with.
type content struct {
	Subject string
	Blocks  []block
	Footer  string
	// Unsubscribe is the page on which mails of this kind are ended; empty: they cannot be.
	Unsubscribe string
}

// A renderer renders templates.
type renderer struct {
	mails  map[domain.MailTemplate]*mailTemplate
	layout *template.Template
	server string // the server's name
	url    string // the server's URL
}

func newRenderer(server, url string) (*renderer, error) {
	r := &renderer{mails: make(map[domain.MailTemplate]*mailTemplate), server: oneLine(server), url: url}
	var err error
	if r.layout, err = template.ParseFS(files, "templates/layout.html"); err != nil {
		return nil, err
	}
	for _, name := range domain.MailTemplates() {
		text, err := files.ReadFile("templates/" + string(name) + ".txt")
		if err != nil {
			return nil, err
		}
		if r.mails[name], err = parse(string(text)); err != nil {
			return nil, fmt.Errorf("mail %s: %w", name, err)
		}
	}
	return r, nil
}

// parse parses a template: the first line is the subject, and blank lines separate the blocks. A
// block "-> label: link" is a button, and "-> rooms" stands for the rooms of a digest.
func parse(text string) (*mailTemplate, error) {
	var errs []error
	compile := func(s string) *texttemplate.Template {
		t, err := texttemplate.New("").Option("missingkey=error").Funcs(texttemplate.FuncMap{"time": longTime}).Parse(s)
		errs = append(errs, err)
		return t
	}
	subject, rest, _ := strings.Cut(text, "\n")
	m := &mailTemplate{subject: compile(subject)}
	for b := range strings.SplitSeq(strings.TrimSpace(rest), "\n\n") {
		button, ok := strings.CutPrefix(b, "-> ")
		if !ok {
			m.blocks = append(m.blocks, blockTemplate{text: compile(b)})
			continue
		}
		if button == "rooms" {
			m.blocks = append(m.blocks, blockTemplate{rooms: true})
			continue
		}
		label, link, ok := strings.Cut(button, ": ")
		if !ok {
			return nil, fmt.Errorf("the button %q has no link", b)
		}
		m.blocks = append(m.blocks, blockTemplate{text: compile(label), link: compile(link)})
	}
	return m, errors.Join(errs...)
}

// longTime formats a time for people in any time zone.
func longTime(t time.Time) string { return t.UTC().Format("2 January 2006 at 15:04 UTC") }

// render returns the subject and the two parts of a mail.
func (r *renderer) render(name domain.MailTemplate, d domain.MailData) (subject string, text, html []byte, err error) {
	m, ok := r.mails[name]
	if !ok {
		return "", nil, nil, fmt.Errorf("there is no mail %q", name)
	}
	data, err := r.data(d)
	if err != nil {
		return "", nil, nil, err
	}
	fill := func(t *texttemplate.Template) string {
		var b strings.Builder
		if e := t.Execute(&b, data); e != nil && err == nil {
			err = e
		}
		return b.String()
	}
	c := content{Subject: fill(m.subject), Footer: "This mail is from " + r.server + " at " + r.url +
		". Nobody reads answers to it."}
	if name == domain.MailDigest && d.Digest != nil {
		c.Unsubscribe = d.Digest.Unsubscribe
	}
	for _, b := range m.blocks {
		var filled block
		if b.rooms {
			filled.Rooms = digestRooms(d.Digest)
		} else if filled.Text = fill(b.text); b.link != nil {
			filled.Link = fill(b.link)
		}
		if filled.Text != "" || filled.Rooms != nil {
			c.Blocks = append(c.Blocks, filled)
		}
	}
	if err != nil {
		return "", nil, nil, err
	}
	var page bytes.Buffer
	if err := r.layout.Execute(&page, c); err != nil {
		return "", nil, nil, err
	}
	return c.Subject, c.text(), page.Bytes(), nil
}

func (c content) text() []byte {
	var b strings.Builder
	for _, block := range c.Blocks {
		if block.Link != "" {
			fmt.Fprintf(&b, "%s:\r\n%s\r\n\r\n", block.Text, block.Link) // never folded: a link must stay on one line
			continue
		}
		for _, r := range block.Rooms {
			fmt.Fprintf(&b, "%s\r\n%s\r\n", fold(r.Name+" – "+r.Counts, 76), r.SummaryRoom.Link)
			for _, l := range r.Lines {
				b.WriteString("* " + strings.ReplaceAll(fold(l.From+": "+l.Text, 74), "\r\n", "\r\n  ") + "\r\n")
			}
			b.WriteString("\r\n")
		}
		if block.Rooms == nil {
			b.WriteString(fold(block.Text, 76) + "\r\n\r\n")
		}
	}
	b.WriteString("-- \r\n" + fold(c.Footer, 76) + "\r\n")
	if c.Unsubscribe != "" {
		b.WriteString("\r\nStop these mails:\r\n" + c.Unsubscribe + "\r\n")
	}
	return []byte(b.String())
}

// digestRooms returns the rooms of a digest as they are shown.
func digestRooms(d *domain.Summary) (rooms []digestRoom) {
	if d == nil {
		return nil
	}
	for _, r := range d.Rooms {
		shown := digestRoom{r, strconv.Itoa(r.Count)}
		if r.Capped {
			shown.Counts = "more than " + shown.Counts
		}
		if shown.Counts += " new"; r.Mentions > 0 && r.Mentions < r.Count {
			shown.Counts += fmt.Sprintf(", %d for you", r.Mentions)
		} else if r.Mentions > 0 {
			shown.Counts += ", for you"
		}
		shown.Name, shown.Lines = oneLine(r.Name), slices.Clone(r.Lines)
		for i, l := range shown.Lines {
			shown.Lines[i] = domain.SummaryLine{From: oneLine(l.From), Text: oneLine(l.Text)}
		}
		rooms = append(rooms, shown)
	}
	return rooms
}

// fold breaks text at spaces into lines of at most width characters.
func fold(text string, width int) string {
	var b strings.Builder
	n := 0
	for word := range strings.FieldsSeq(text) {
		length := len([]rune(word))
		switch {
		case n > 0 && n+1+length > width:
			b.WriteString("\r\n")
			n = 0
		case n > 0:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += length
	}
	return b.String()
}

// data returns the values for a template. If a template uses a missing value without testing for it
// first, rendering fails.
func (r *renderer) data(d domain.MailData) (map[string]any, error) {
	values := map[string]any{"Server": r.server, "Left": d.Left, "Address": "", "Device": ""}
	fields := reflect.ValueOf(d)
	for i := range fields.NumField() {
		name, f := fields.Type().Field(i).Name, fields.Field(i)
		if f.IsZero() {
			continue
		}
		if s, ok := f.Interface().(string); ok {
			values[name] = oneLine(s)
			continue
		}
		values[name] = f.Interface()
	}
	if d.Link != "" {
		u, err := url.Parse(d.Link)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, errors.New("the link of a mail is not an absolute http or https address")
		}
	}
	return values, nil
}

// oneLine replaces control and format characters in text that others wrote (names, browsers), so
// that it cannot pass for text of the server.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}
