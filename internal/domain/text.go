package domain

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// CheckText returns the text of a message as it is kept: line ends are line
// feeds, and blanks around it are gone. What is empty, too long, not UTF-8 or
// has control characters (line feeds and tabs aside) is refused. Marks that
// turn the direction of text are allowed: every message is set apart where it
// is shown.
func CheckText(text string) (string, error) {
	if len(text) > MaxText {
		e := TooLarge.Errorf(CodeTextTooLong, "a message holds at most %d bytes; this one has %d", MaxText, len(text))
		e.Fields = []Field{{"/text", e.Msg}}
		return "", e
	}
	if !utf8.ValidString(text) {
		return "", InvalidField("/text", "the text is not valid UTF-8")
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }); i >= 0 {
		return "", InvalidField("/text", "the text has a control character at byte %d; remove it", i)
	}
	// Indented code may begin with blanks: only whole blank lines go.
	text = strings.TrimRightFunc(text, unicode.IsSpace)
	for line, rest, found := strings.Cut(text, "\n"); found && strings.TrimSpace(line) == ""; line, rest,
		found = strings.Cut(text, "\n") {
		text = rest
	}
	if text == "" {
		return "", ErrNoText()
	}
	return text, nil
}

// ErrNoText is the answer to a message without text and files.
func ErrNoText() error { return InvalidField("/text", "a message needs some text") }

// CheckTextBeside is CheckText for the text of a message that may have files, and then needs none.
func CheckTextBeside(text string, files bool) (string, error) {
	if files && strings.TrimSpace(text) == "" {
		return "", nil
	}
	return CheckText(text)
}

// CheckAttachments returns an error unless ids may be the files of a message.
func CheckAttachments(ids []string) error {
	if len(ids) > MaxAttachments {
		return InvalidField("/files", "a message has at most %d files; send the others in another one", MaxAttachments)
	}
	for i, id := range ids {
		if !ValidID(FilePrefix, id) {
			return InvalidField("/files", "%q is no id of a file", id)
		}
		if slices.Contains(ids[:i], id) {
			return InvalidField("/files", "the file %s is there twice", id)
		}
	}
	return nil
}

// CheckLine returns one line of text as it is kept: without blanks around it.
// limit is in characters; required refuses an empty one.
func CheckLine(pointer, text string, limit int, required bool) (string, error) {
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case !utf8.ValidString(text):
		return "", InvalidField(pointer, "this is not valid UTF-8")
	case strings.ContainsFunc(text, unicode.IsControl), strings.ContainsAny(text, "\u2028\u2029"):
		return "", InvalidField(pointer, "control characters and line breaks are not allowed here")
	case strings.ContainsAny(text, "\u202a\u202b\u202d\u202e"):
		return "", InvalidField(pointer, "characters that turn the direction of text are not allowed here")
	case n > limit:
		return "", InvalidField(pointer, "at most %d characters, this has %d", limit, n)
	case required && n == 0:
		return "", InvalidField(pointer, "this must not be empty")
	}
	return text, nil
}

// CheckProse is CheckLine for text that may have several lines.
func CheckProse(pointer, text string, limit int) (string, error) {
	lines := strings.Split(strings.ReplaceAll(strings.TrimSpace(text), "\r\n", "\n"), "\n")
	n := 0
	for i, line := range lines {
		line, err := CheckLine(pointer, strings.ReplaceAll(line, "\t", " "), limit, false)
		if err != nil {
			return "", err
		}
		lines[i] = line
		n += utf8.RuneCountInString(line) + 1
	}
	if n-1 > limit {
		return "", InvalidField(pointer, "at most %d characters, this has %d", limit, n-1)
	}
	return strings.Join(lines, "\n"), nil
}

// CheckKey refuses idempotency keys that are empty, longer than MaxKey or not
// printable ASCII.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return InvalidField("/key", "a key has 1 to %d printable ASCII characters without spaces; a fresh UUID will do",
			MaxKey)
	}
	return nil
}

var contentTypes = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*$`)

// CheckContentType refuses what is not a media type without parameters.
func CheckContentType(t string) error {
	if t != "" && (len(t) > 64 || !contentTypes.MatchString(t)) {
		return InvalidField("/content_type", "a content type looks like text/markdown")
	}
	if t == ContentPoll {
		return InvalidField("/content_type", "a poll is made by POST /rooms/{room}/polls")
	}
	if t == ContentForward {
		return InvalidField("/content_type", "a message is forwarded by POST /rooms/{room}/forwards")
	}
	if t == ContentAnswer {
		return InvalidField("/content_type", "only assistants write answers; leave the type out")
	}
	return nil
}

var usernames = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,30}[a-z0-9]$`)

// reservedNames would be read as something else where a name stands.
var reservedNames = map[string]bool{
	"room": true, "all": true, "here": true, "everyone": true, "channel": true, "me": true, "system": true,
	"unhidra": true,
}

// ReservedName reports whether name is the form of a reserved name: what looks like one
// has the same form.
func ReservedName(name string, form func(string) string) bool {
	for reserved := range reservedNames {
		if name == form(reserved) {
			return true
		}
	}
	return false
}

// CheckUsername returns a username in the form in which it is kept: lower case.
func CheckUsername(name string) (string, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if !usernames.MatchString(name) {
		return "", InvalidField("/username",
			"a username has 2 to 32 letters a-z, digits, dots, hyphens or underscores, "+
				"and begins and ends with a letter or digit")
	}
	// Where a name stands, an id may stand as well, and would be taken for somebody else's.
	if reservedNames[name] || ValidID(UserPrefix, name) || ValidID(DevicePrefix, name) || ValidID(UserGroupPrefix, name) {
		return "", InvalidField("/username", "%q is reserved; choose another", name)
	}
	return name, nil
}

// CheckProfile returns p as it is kept, but for the display name, which package names
// checks.
func CheckProfile(p Profile) (Profile, error) {
	var err error
	if p.About != nil {
		if *p.About, err = CheckProse("/about", *p.About, MaxAbout); err != nil {
			return p, err
		}
	}
	if p.Locale != nil && *p.Locale != "" && !locales.MatchString(*p.Locale) {
		return p, InvalidField("/locale", "a locale is a language tag such as en or de-AT")
	}
	if p.TimeZone != nil && *p.TimeZone != "" {
		if _, err := time.LoadLocation(*p.TimeZone); err != nil || *p.TimeZone == "Local" {
			return p, InvalidField("/time_zone", "a time zone is an IANA name such as Europe/Vienna")
		}
	}
	return p, nil
}

var locales = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$`)

// CheckStatus returns s as it is kept.
func CheckStatus(s Status, now time.Time) (Status, error) {
	var err error
	if s.Mode != "" && s.Mode != DoNotDisturb && s.Mode != Invisible {
		return s, InvalidField("/mode", "a mode is dnd, invisible or empty")
	}
	if s.Text, err = CheckLine("/text", s.Text, MaxStatusText, false); err != nil {
		return s, err
	}
	if s.Emoji, err = CheckLine("/emoji", s.Emoji, 8, false); err != nil {
		return s, err
	}
	return s, CheckEnd("/expires", s.Expires, now)
}

// CheckEnd checks the time at which something is to end, of the field at pointer: it lies after
// now, and its year has four digits in UTC, as RFC 3339 wants. The zero time means that there is
// no end.
func CheckEnd(pointer string, end, now time.Time) error {
	switch {
	case end.IsZero():
		return nil
	case !end.After(now):
		return InvalidField(pointer, "this time is past")
	case end.UTC().Year() > 9999:
		return InvalidField(pointer, "use a time before the year 10000 (UTC)")
	}
	return nil
}
