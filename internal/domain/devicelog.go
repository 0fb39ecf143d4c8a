package domain

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of the log of a device.
const (
	MaxDeviceLog    = 100 // different things that are kept of a device, those that happened last
	maxNoteSubject  = 128 // bytes
	maxNoteDetail   = 300
	DeviceLogKept   = 30 * 24 * time.Hour // after the last time
	DeviceLogWaits  = 50                  // different things of a device that wait to be stored
	DeviceLogMost   = 20_000              // of all devices
	deviceLogCutOff = "…"
)

// NoteKind is what of a device went wrong.
type NoteKind string

// The kinds of notes.
const (
	NoteReading    NoteKind = "reading"    // a reading was refused; the subject is its name
	NoteTopic      NoteKind = "topic"      // a message of MQTT was refused; the subject is its topic
	NoteRequest    NoteKind = "request"    // a request by WebSocket was refused; the subject is its type
	NoteCommand    NoteKind = "command"    // a command failed or expired; the subject is its action
	NoteConnection NoteKind = "connection" // the device was not let in, or its key was copied
	NoteSetting    NoteKind = "setting"    // the device did not take a setting; the subject is its name
	NoteDevice     NoteKind = "device"     // the device says so itself
)

// DeviceNote says what of a device was refused or went wrong, and how often.
type DeviceNote struct {
	Device      string
	Kind        NoteKind
	Subject     string
	Reason      string // a code, if there is one
	Detail      string // in words
	Count       int64
	First, Last time.Time
}

// Cut returns n with texts that are short, printable and valid.
func (n DeviceNote) Cut() DeviceNote {
	n.Subject, n.Reason, n.Detail = CutText(n.Subject, maxNoteSubject), CutText(n.Reason, maxNoteSubject),
		CutText(n.Detail, maxNoteDetail)
	return n
}

// CutText returns a text of at most so many bytes, and a sign if it was longer. What is not UTF-8, ends a
// line, controls a terminal or turns the direction of text is a blank.
func CutText(s string, most int) string {
	long := len(s) > most
	if long {
		s = s[:most]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, _ := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && len(s) > 0 {
			s = s[:len(s)-1]
		}
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	if long {
		s += deviceLogCutOff
	}
	return s
}
