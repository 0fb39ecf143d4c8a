package client

import (
	"context"
	"net/http"
)

// LookChange is a change to the look of a room: nil leaves a value as it is, and an empty one takes it away.
type LookChange struct {
	Colour *string `json:"colour,omitempty"` // red, orange, amber, green, teal, cyan, blue, violet, pink or grey
	Emoji  *string `json:"emoji,omitempty"`  // it takes the picture away
}

// ChangeLook gives a room a colour, an emoji or both. Owners and admins of the room may do so.
func (c *Client) ChangeLook(ctx context.Context, room string, change LookChange) (e Event, err error) {
	err = c.Do(ctx, http.MethodPatch, roomPath(room), map[string]LookChange{"look": change}, &e)
	return e, err
}

// SetRoomPicture gives a room a picture, which takes its emoji away: the middle of a PNG, JPEG, GIF or WebP of at most
// 1 MiB. Without data it takes the picture away.
func (c *Client) SetRoomPicture(ctx context.Context, room string, data []byte) (e Event, err error) {
	if len(data) == 0 {
		err = c.Do(ctx, http.MethodDelete, roomPath(room)+"/avatar", nil, &e)
		return e, err
	}
	err = c.Do(ctx, http.MethodPut, roomPath(room)+"/avatar", image(data), &e)
	return e, err
}
