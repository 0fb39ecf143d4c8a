package domain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Names are trimmed. What cannot be shown is refused, and the answer says where it is.
func TestCheckRoomSections(t *testing.T) {
	t.Parallel()
	room := func(n int) string { return fmt.Sprintf("room_%026d", n) }
	section := func(name string, rooms ...string) RoomSection { return RoomSection{Name: name, Rooms: rooms} }
	many := make([]RoomSection, MaxSections+1)
	for i := range many {
		many[i] = section(fmt.Sprint("s", i))
	}
	full := make([]string, MaxSectionRooms+1)
	for i := range full {
		full[i] = room(i)
	}
	for name, c := range map[string]struct {
		s  RoomSections
		at string
	}{
		"all":        {RoomSections{Favourites: section("", room(1)), Sections: many[:MaxSections]}, ""},
		"longest":    {RoomSections{Sections: []RoomSection{section(strings.Repeat("ü", MaxSectionName))}}, ""},
		"most rooms": {RoomSections{Favourites: section("", full[1:]...)}, ""},
		"too many":   {RoomSections{Sections: many}, "/sections"},
		"no name":    {RoomSections{Sections: []RoomSection{section("a"), section(" ")}}, "/sections/1/name"},
		"long":       {RoomSections{Sections: []RoomSection{section(strings.Repeat("u", 41))}}, "/sections/0/name"},
		"two lines":  {RoomSections{Sections: []RoomSection{section("a\nb")}}, "/sections/0/name"},
		"same name":  {RoomSections{Sections: []RoomSection{section("Über"), section("über ")}}, "/sections/1/name"},
		"no room":    {RoomSections{Favourites: section("", "usr_1")}, "/favourites/rooms"},
		"twice":      {RoomSections{Sections: []RoomSection{section("a", room(1), room(1))}}, "/sections/0/rooms"},
		"in two": {RoomSections{Favourites: section("", room(1)), Sections: []RoomSection{section("a", room(1))}},
			"/sections/0/rooms"},
		"too many room": {RoomSections{Favourites: section("", full...)}, "/sections"},
	} {
		_, err := CheckRoomSections(c.s)
		var refused *Error
		if c.at == "" && err == nil {
			continue
		}
		if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Pointer != c.at {
			t.Errorf("%s: %v, wanted a fault at %q", name, err, c.at)
		}
	}
	got, err := CheckRoomSections(RoomSections{Sections: []RoomSection{section(" Work ", room(2))}})
	if err != nil || got.Sections[0].Name != "Work" || got.Sections[0].Rooms[0] != room(2) {
		t.Errorf("checked is %+v, %v", got, err)
	}
}
