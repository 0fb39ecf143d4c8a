package incoming

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

var update = flag.Bool("update", false, "write the messages that bodies make to testdata")

// Each testdata/NAME.http is a request as a sender makes it, by the fields that its documentation names;
// NAME.md is the message that it makes.
func TestBodiesOfSendersBecomeReadableMessages(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	var senders []string
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(bytes.NewReader(raw))
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil {
			t.Fatal(name, err)
		}
		body, _ := io.ReadAll(r)
		p, err := Parse(http.Header(header), body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		senders = append(senders, p.Sender)
		as := ""
		if p.Name+p.Emoji+p.Icon != "" {
			as = " as " + strings.Join([]string{p.Name, p.Emoji, p.Icon}, "|")
		}
		text := "<!-- " + p.Sender + " " + p.Key + as + " -->\n" + p.Text + "\n"
		golden := strings.TrimSuffix(name, ".http") + ".md"
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, _ := os.ReadFile(golden); text != string(want) {
			t.Errorf("%s makes\n%s\ninstead of\n%s", name, text, want)
		}
	}
	for _, s := range Senders() {
		if !slices.Contains(senders, s) {
			t.Errorf("no body of %s was tried", s)
		}
	}
}

func TestARefusedBodyIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"":                         "invalid_payload: the body is empty",
		"hello":                    "invalid_payload: the body is neither a JSON object nor a form",
		`["x"]`:                    "invalid_payload: the body is neither a JSON object nor a form",
		"payload=x":                `invalid_payload: the field "payload" of the form is no JSON object`,
		"payload=%zz":              "invalid_payload: the form cannot be read",
		`{"text":"x"`:              "invalid_payload: the JSON is broken at byte 11",
		`{"text":"x"} {`:           "invalid_payload: the JSON is broken at byte 14",
		`{}`:                       "no_text: ",
		`{"text":" \n "}`:          "no_text: ",
		`{"blocks":{}}`:            `invalid_payload: the field "blocks" may not be a JSON object in a body of slack`,
		`{"alerts":[]}`:            `no_text: the list "alerts" is empty`,
		`{"alerts":"x","orgId":1}`: `invalid_payload: the field "alerts" may not be a JSON string in a body of grafana`,
	} {
		_, err := Parse(http.Header{}, []byte(body))
		var refused Refused
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, not %q", body, err, want)
		}
	}
}

func TestTheTypeOfABodyIsSeenByTheBody(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"", "text/html", "application/json", "application/x-www-form-urlencoded"} {
		for _, body := range []string{`{"text":"hi"}`, "payload=%7B%22text%22%3A%22hi%22%7D", "\ufeff \n{\"text\":\"hi\"}"} {
			p, err := Parse(http.Header{"Content-Type": {contentType}}, []byte(body))
			if err != nil || p.Text != "hi" {
				t.Errorf("%s as %q: %q, %v", body, contentType, p.Text, err)
			}
		}
	}
}

// What strangers write at GitHub names nobody in the room, and a text that is too long is cut.
func TestTextsOfStrangersNameNobodyAndHaveAnEnd(t *testing.T) {
	t.Parallel()
	header := http.Header{"X-Github-Event": {"issues"}}
	p, err := Parse(header, []byte(`{"action":"opened","issue":{"number":1,"title":"@ann @room","body":"@bob <b>"},
		"sender":{"login":"@kim"}}`))
	if names, room := domain.Mentions(p.Text); err != nil || len(names) > 0 || room {
		t.Errorf("%q names %v, %v: %v", p.Text, names, room, err)
	}
	long, err := Parse(http.Header{}, []byte(`{"text":"`+strings.Repeat("ä", domain.MaxText)+`"}`))
	if err != nil || len(long.Text) > domain.MaxText || !utf8.ValidString(long.Text) ||
		!strings.HasSuffix(long.Text, "ä\n…") {
		t.Errorf("a long text has %d bytes: %v", len(long.Text), err)
	}
}

// Control characters, those after ASCII among them, are left out; they refuse no message.
func TestControlCharactersAreLeftOut(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for r := range rune(0x100) {
		if unicode.IsControl(r) {
			fmt.Fprintf(&all, `\u%04x`, r)
		}
	}
	body := `{"text":"a` + all.String() + "b\u0085\u009fc\u2028d" + `"}`
	p, err := Parse(http.Header{}, []byte(body))
	if err != nil || p.Text != "a\t\nbc\u2028d" {
		t.Fatalf("%q: %v", p.Text, err)
	}
	if _, err := domain.CheckText(p.Text); err != nil {
		t.Error(err)
	}
}

// The largest bodies are read in a moment. What looks at all of a text again for each part of it takes minutes.
func TestTheLargestBodiesAreReadOnce(t *testing.T) {
	t.Parallel()
	const most = 1<<20 - 200
	full := func(part string) string { return strings.Repeat(part, most/len(part)) }
	const inBlock = `{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_preformatted","elements":[`
	bodies := map[string]string{
		"fences":       `{"text":"` + strings.Repeat("```", 349_000) + `"}`,
		"open fences":  `{"text":"` + strings.Repeat("```", 349_001) + `"}`,
		"spans":        `{"text":"` + full("*a*`") + `"}`,
		"references":   `{"text":"` + full("<") + `"}`,
		"preformatted": inBlock + `{"text":"` + full("`") + `"}]}]}]}`,
		"attachments":  `{"text":"x","attachments":[` + full("{},") + `{}]}`,
		"blocks":       `{"text":"x","blocks":[` + full("{},") + `{}]}`,
	}
	done := make(chan string, len(bodies))
	for name, body := range bodies {
		go func() {
			p, err := Parse(http.Header{}, []byte(body))
			if err != nil || p.Text == "" || len(p.Text) > domain.MaxText {
				t.Errorf("%s: %d bytes, %v", name, len(p.Text), err)
			}
			done <- name
		}()
	}
	late := time.After(time.Minute)
	for range len(bodies) {
		select {
		case name := <-done:
			delete(bodies, name)
		case <-late:
			t.Fatalf("still read after a minute: %v", slices.Collect(maps.Keys(bodies)))
		}
	}
}

// A block of code has a fence that is longer than any inside it. It is found in one pass, not tried.
func TestTheFenceOfABlockIsLongerThanThoseInIt(t *testing.T) { // not parallel: it counts allocations
	for text, want := range map[string]string{
		"a":             "```\na\n```",
		"`` a":          "```\n`` a\n```",
		"```` b ``` `a": "`````\n```` b ``` `a\n`````",
	} {
		if got := fenced(text); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
	ticks := strings.Repeat("`", 10_000)
	if n := testing.AllocsPerRun(1, func() { fenced(ticks) }); n > 10 {
		t.Errorf("%v allocations for the fence of %d backticks", n, len(ticks))
	}
}

// Whatever comes is refused or makes a message that a room takes.
func FuzzParse(f *testing.F) {
	f.Add("push", `{"text":"*a* <b|c> ~d~"}`)
	f.Add("", `payload=%7B%22blocks%22%3A%5B%5D%7D`)
	f.Add("", `{"attachments":[{"blocks":[{"elements":[{"style":"ordered"}]}],"fields":[null]}]}`)
	f.Add("", `{"text":"a\u0085b\u009f"}`)
	f.Fuzz(func(t *testing.T, event, body string) {
		p, err := Parse(http.Header{"X-Github-Event": {event}}, []byte(body))
		var refused Refused
		if err != nil {
			if !errors.As(err, &refused) {
				t.Errorf("%v", err)
			}
			return
		}
		if text, err := domain.CheckText(p.Text); err != nil || text == "" {
			t.Errorf("%q: %v", p.Text, err)
		}
	})
}
