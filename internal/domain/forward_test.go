package domain_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestForwardsAreReadAsTheyWereMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ note, said, text string }{
		{"", "hello", "> hello"},
		{"  \n", "> tea\n\n```\n> x\n```", "> > tea\n> \n> ```\n> > x\n> ```"},
		{"see @ben\n\n> this", "a\nb", "see @ben\n\n> this\n\n> a\n> b"},
		{"", "", "> 📎 `plan'b.pdf`"},
		{"look", "tea\n", "look\n\n> tea\n> \n> \n> 📎 `plan'b.pdf`"},
	} {
		m := domain.Message{Room: "room_1", Seq: 7, Text: c.said, At: time.Unix(1, 0), Sender: domain.UserRef{ID: "usr_1"}}
		if strings.Contains(c.text, "plan") {
			m.Files = []domain.File{{Name: "plan`b.pdf"}}
		}
		f, text, err := domain.ForwardOf(m, c.note)
		if err != nil || text != c.text || f.Cut || f.Room != m.Room || f.Seq != 7 || f.Sender != m.Sender || f.At != m.At {
			t.Errorf("%q: %q, %+v, %v", c.said, text, f, err)
		}
		read := domain.Forward{}
		domain.ReadForward(&read, text, len(f.Note))
		if read.Note != f.Note || read.Text != f.Text {
			t.Errorf("%q is read as %q and %q", text, read.Note, read.Text)
		}
	}
}

func TestForwardsAreBounded(t *testing.T) {
	t.Parallel()
	for _, said := range []string{strings.Repeat("\n", domain.MaxText), strings.Repeat("ä", domain.MaxText/2), "x" +
		strings.Repeat("ä", domain.MaxText/2-1), strings.Repeat("x", domain.MaxForwardCopy-1)} {
		f, text, err := domain.ForwardOf(domain.Message{Text: said}, strings.Repeat("x", domain.MaxForwardNote))
		if err != nil || !f.Cut || !strings.HasSuffix(text, "…") || !utf8.ValidString(text) || len(text) > domain.MaxText ||
			!strings.HasPrefix(said, strings.TrimSuffix(f.Text, "…")) {
			t.Errorf("%.20q: %d bytes, cut: %v, %v", said, len(text), f.Cut, err)
		}
	}
	fits := domain.Message{Text: strings.Repeat("x", domain.MaxForwardCopy-2)}
	if f, _, err := domain.ForwardOf(fits, ""); f.Cut || err != nil {
		t.Errorf("what fits is cut: %v", err)
	}
	_, _, err := domain.ForwardOf(domain.Message{Text: "x"}, strings.Repeat("x", domain.MaxForwardNote+1))
	if domain.CodeOf(err) != domain.CodeTextTooLong {
		t.Errorf("a long note: %v", err)
	}
}
