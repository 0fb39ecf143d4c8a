package domain

import (
	"fmt"
	"strings"
)

// How somebody may arrange their rooms.
const (
	MaxSections     = 50
	MaxSectionName  = 40   // characters
	MaxSectionRooms = 2000 // in the favourites and all sections together
)

// RoomSections is how somebody arranges their rooms. A room is in one of them at most, or in none.
type RoomSections struct {
	Version    int64       // higher with each change; 0: nothing was ever arranged
	Favourites RoomSection // without a name
	Sections   []RoomSection
}

// RoomSection is a part of somebody's list of rooms.
type RoomSection struct {
	Name   string   `json:"name,omitempty"`
	Closed bool     `json:"closed,omitempty"` // its rooms are not shown
	Rooms  []string `json:"rooms"`            // ids
}

// CheckRoomSections refuses what cannot be shown, and returns the rest with trimmed names.
func CheckRoomSections(s RoomSections) (RoomSections, error) {
	if len(s.Sections) > MaxSections {
		return s, InvalidField("/sections", "there can be at most %d sections", MaxSections)
	}
	names, seen := make(map[string]bool, len(s.Sections)), make(map[string]bool)
	if err := checkRooms("/favourites/rooms", s.Favourites.Rooms, seen); err != nil {
		return s, err
	}
	checked := make([]RoomSection, len(s.Sections))
	for i, one := range s.Sections {
		at := fmt.Sprint("/sections/", i)
		name, err := CheckLine(at+"/name", one.Name, MaxSectionName, true)
		if err != nil {
			return s, err
		}
		folded := strings.ToLower(name)
		if names[folded] {
			return s, InvalidField(at+"/name", "another section has this name; choose a different one")
		}
		names[folded] = true
		if err := checkRooms(at+"/rooms", one.Rooms, seen); err != nil {
			return s, err
		}
		one.Name = name
		checked[i] = one
	}
	s.Sections = checked
	if len(seen) > MaxSectionRooms {
		return s, InvalidField("/sections", "there can be at most %d rooms in sections", MaxSectionRooms)
	}
	return s, nil
}

// checkRooms refuses what is no room, and a room that was seen already.
func checkRooms(pointer string, rooms []string, seen map[string]bool) error {
	for _, room := range rooms {
		if !ValidID(RoomPrefix, room) {
			return InvalidField(pointer, "these are ids of rooms")
		}
		if seen[room] {
			return InvalidField(pointer, "the room %s is named twice; a room is in one section", room)
		}
		seen[room] = true
	}
	return nil
}
