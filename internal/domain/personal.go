package domain

import (
	"strings"
	"time"
)

// What a person may keep for themselves.
const (
	MaxSaved  = 1000 // messages
	MaxDrafts = 200
)

// MaxVersion is the highest version that a draft, or sections, may replace: JSON of all clients has such numbers.
const MaxVersion = 1<<53 - 2

// Saved is a message that somebody saved for themselves.
type Saved struct {
	Message Message // as it is now
	At      time.Time
}

// SavedRef says which message somebody saved, and when.
type SavedRef struct {
	Room string
	Seq  int64
	At   time.Time
}

// Kept is one thing that somebody keeps: a saved message, a draft, a scheduled message, a reminder, the sections of
// their list of rooms, or an emoji that they added to the server.
type Kept struct {
	Saved     *SavedRef
	Draft     *PersonalDraft
	Scheduled *Scheduled
	Reminder  *Reminder
	Sections  *RoomSections
	Emoji     *CustomEmoji
}

// SavedCursor is the place in the list of saved messages after which the next page begins. The zero cursor is the
// beginning.
type SavedCursor struct {
	At   int64  `json:"a,omitempty"` // Unix milliseconds
	Room string `json:"r,omitempty"`
	Seq  int64  `json:"s,omitempty"`
}

// PersonalDraft is what somebody has begun to write in a room or thread.
type PersonalDraft struct {
	Room   string
	Thread int64  // number of its first message; 0: of the room
	Text   string // empty: there is none
	// Version is higher with each change of the draft, also after it was empty. It is the time of the change in Unix
	// milliseconds, unless the version before is as high.
	Version int64
}

// CheckDraft returns the text of a draft as it is kept: like that of a message, except that there may be none.
func CheckDraft(text string) (string, error) {
	if len(text) <= MaxText && strings.TrimSpace(text) == "" {
		return "", nil
	}
	return CheckText(text)
}
