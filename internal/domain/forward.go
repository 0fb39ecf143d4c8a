package domain

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of forwarded messages. Together they fit into a message.
const (
	MaxForwardNote = 4 << 10  // bytes of what the forwarder says
	MaxForwardCopy = 11 << 10 // bytes of the copy, with the marks of a quotation
)

// ContentForward is the content type of a message that forwards another one. Its text, in Markdown, is what the
// forwarder says, and the copy as a quotation.
const ContentForward = "text/vnd.unhidra.forward"

// Forward is the copy of a message in another room, or elsewhere in the same one. It stays as it is when the original
// changes.
type Forward struct {
	Room   string // of the original
	Seq    int64
	Sender UserRef   // who said it
	At     time.Time // when they did
	Note   string    // what the forwarder says; empty: nothing
	Text   string    // what was said, in Markdown, with the names of files
	Cut    bool      // more was said
}

// ForwardOf returns the copy of m with a note, and the text of the message that it becomes.
func ForwardOf(m Message, note string) (f Forward, text string, err error) {
	if strings.TrimSpace(note) != "" {
		if note, err = CheckText(note); err != nil {
			return f, "", err
		}
		if len(note) > MaxForwardNote {
			e := TooLarge.Errorf(CodeTextTooLong, "with a forwarded message goes a text of at most %d bytes; this one has %d",
				MaxForwardNote, len(note))
			e.Fields = []Field{{"/text", e.Msg}}
			return f, "", e
		}
		text = note + "\n\n"
	} else {
		note = ""
	}
	f = Forward{Room: m.Room, Seq: m.Seq, Sender: m.Sender, At: m.At, Note: note, Text: m.Text}
	for _, file := range m.Files {
		f.Text = strings.TrimPrefix(f.Text+"\n\n📎 `"+strings.ReplaceAll(file.Name, "`", "'")+"`", "\n\n")
	}
	var quoted string
	if quoted, f.Cut = quote(f.Text); f.Cut {
		f.Text = unquote(quoted)
	}
	return f, text + quoted, nil
}

// ReadForward completes f by the text of the message that it became, of which the note has so many bytes.
func ReadForward(f *Forward, text string, note int) {
	if note < 0 || note > len(text) {
		return
	}
	f.Note, f.Text = text[:note], unquote(strings.TrimPrefix(text[note:], "\n\n"))
}

// quote returns a text as a quotation of bounded length. cut: it is not all of it.
func quote(text string) (quoted string, cut bool) {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("> ")
		if left := MaxForwardCopy - b.Len(); len(line) > left {
			for left = max(left-len("…"), 0); left > 0 && !utf8.RuneStart(line[left]); left-- {
			}
			return b.String() + line[:left] + "…", true
		}
		b.WriteString(line)
	}
	return b.String(), false
}

func unquote(quoted string) string {
	lines := strings.Split(quoted, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "> ")
	}
	return strings.Join(lines, "\n")
}
