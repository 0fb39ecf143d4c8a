package domain

import (
	"slices"
	"strings"
)

// RoomLook is by what a room is told from others at a glance. It has a picture or an emoji, not both; without either
// it is shown by its name. A direct conversation has none: it shows the people in it.
type RoomLook struct {
	Colour string `json:"colour,omitempty"` // one of RoomColours; empty: one by the room's id
	Emoji  string `json:"emoji,omitempty"`
	Avatar string `json:"avatar,omitempty"` // of its picture, as User.Avatar
}

// LookChange is a change to the look of a room: nil leaves a value as it is, and an empty one takes it away.
type LookChange struct {
	Colour  *string
	Emoji   *string
	Picture *string // hash of its file
}

// RoomColours are the names of the colours that a room may have. How they look is the client's choice.
var RoomColours = []string{"red", "orange", "amber", "green", "teal", "cyan", "blue", "violet", "pink", "grey"}

// CheckLook returns a change in its stored form, or what is wrong with it.
func CheckLook(c LookChange) (LookChange, error) {
	if c.Colour != nil && *c.Colour != "" && !slices.Contains(RoomColours, *c.Colour) {
		return c, InvalidField("/look/colour", "this is no colour of rooms; choose one of %s, or an empty one for none",
			strings.Join(RoomColours, ", "))
	}
	if c.Emoji != nil && *c.Emoji != "" {
		emoji, err := CheckEmoji("/look/emoji", *c.Emoji)
		if err != nil {
			return c, err
		}
		c.Emoji = &emoji
	}
	return c, nil
}

// With returns the look after a change.
func (l RoomLook) With(c LookChange) RoomLook {
	if c.Colour != nil {
		l.Colour = *c.Colour
	}
	if c.Emoji != nil {
		if l.Emoji = *c.Emoji; l.Emoji != "" {
			l.Avatar = ""
		}
	}
	if c.Picture != nil {
		if l.Avatar = AvatarOf(*c.Picture); l.Avatar != "" {
			l.Emoji = ""
		}
	}
	return l
}
