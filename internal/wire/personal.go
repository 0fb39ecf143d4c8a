package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Saved is a message that the user saved.
type Saved struct {
	Message Message   `json:"message"`
	At      time.Time `json:"at" doc:"when it was saved"`
}

// SavedChanged says of a message whether the user has saved it.
type SavedChanged struct {
	Room  string `json:"room"`
	Seq   int64  `json:"seq"`
	Saved bool   `json:"saved"`
}

// Draft is what the user has begun to write in a room or thread.
type Draft struct {
	Room    string `json:"room"`
	Thread  int64  `json:"thread,omitempty" doc:"seq of its first message; absent: of the room"`
	Text    string `json:"text,omitempty" doc:"absent: there is none any more"`
	Version int64  `json:"version" doc:"higher with each change of this draft"`
}

// RoomSections is how the user arranges their rooms.
type RoomSections struct {
	Version    int64         `json:"version" doc:"higher with each change; 0: nothing was ever arranged"`
	Favourites RoomGroup     `json:"favourites"`
	Sections   []RoomSection `json:"sections" nullable:"false" maxItems:"50" doc:"in the order in which they are shown"`
}

// RoomGroup is the favourites of the user.
type RoomGroup struct {
	Closed bool     `json:"closed,omitempty" doc:"its rooms are not shown"`
	Rooms  []string `json:"rooms" nullable:"false" maxItems:"2000" doc:"ids; a room is in one section, or in none"`
}

// RoomSection is a part of the user's list of rooms.
type RoomSection struct {
	Name   string   `json:"name" maxLength:"40"`
	Closed bool     `json:"closed,omitempty" doc:"its rooms are not shown"`
	Rooms  []string `json:"rooms" nullable:"false" maxItems:"2000" doc:"ids; a room is in one section, or in none"`
}

// FromRoomSections is the wire's view of s.
func FromRoomSections(s domain.RoomSections) RoomSections {
	v := RoomSections{Version: s.Version, Sections: make([]RoomSection, len(s.Sections)),
		Favourites: RoomGroup{s.Favourites.Closed, append([]string{}, s.Favourites.Rooms...)}}
	for i, one := range s.Sections {
		v.Sections[i] = RoomSection{one.Name, one.Closed, append([]string{}, one.Rooms...)}
	}
	return v
}

// SlashAnswer is what a program answers to a slash command. It is in no log.
type SlashAnswer struct {
	Room    string `json:"room"`
	Thread  int64  `json:"thread,omitempty" doc:"seq of the message in whose thread the command was written"`
	Command string `json:"command" doc:"its name, without the slash" example:"deploy"`
	Text    string `json:"text" doc:"Markdown"`
}

// Kept is a saved message, a draft, a scheduled message, a reminder, all sections or an emoji that one added, in the
// download of one's data.
type Kept struct {
	Saved     *SavedRef     `json:"saved,omitempty"`
	Draft     *Draft        `json:"draft,omitempty"`
	Scheduled *Scheduled    `json:"scheduled,omitempty"`
	Reminder  *ReminderRef  `json:"reminder,omitempty"`
	Sections  *RoomSections `json:"room_sections,omitempty"`
	Emoji     *CustomEmoji  `json:"emoji,omitempty"`
}

// ReminderRef is a reminder in the download of one's data. The text of the message is left out.
type ReminderRef struct {
	Reminder
	Room string `json:"room,omitempty"`
	Seq  int64  `json:"seq,omitempty"`
}

// SavedRef is a saved message in the download of one's data. Most are of others: their texts are left out.
type SavedRef struct {
	Room string    `json:"room"`
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
}

// FromKept is the wire's view of k.
func FromKept(k domain.Kept) Kept {
	v := Kept{Saved: (*SavedRef)(k.Saved), Draft: (*Draft)(k.Draft)}
	if k.Scheduled != nil {
		s := FromScheduled(*k.Scheduled)
		v.Scheduled = &s
	}
	if k.Reminder != nil {
		v.Reminder = &ReminderRef{Reminder: FromReminder(*k.Reminder), Room: k.Reminder.Room, Seq: k.Reminder.Seq}
		v.Reminder.Message = nil
	}
	if k.Sections != nil {
		s := FromRoomSections(*k.Sections)
		v.Sections = &s
	}
	if k.Emoji != nil {
		e := FromCustomEmoji(*k.Emoji, true)
		v.Emoji = &e
	}
	return v
}

// FromSaved is the wire's view of s.
func FromSaved(s domain.Saved) Saved { return Saved{Message: FromMessage(s.Message), At: s.At} }
