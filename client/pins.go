package client

import (
	"context"
	"fmt"
	"net/url"
)

// Pin pins a message in its room. To pin it again changes nothing: the answer then has no number. The error has the
// code CodeTooManyPins if the room has as many pinned messages as it can have.
func (c *Client) Pin(ctx context.Context, room string, seq int64) (p PinChanged, err error) {
	err = c.Do(ctx, "PUT", pinPath(room, seq), nil, &p)
	return p, err
}

// Unpin takes a message off the pinned ones. To do so again changes nothing: the answer then has no number.
func (c *Client) Unpin(ctx context.Context, room string, seq int64) (p PinChanged, err error) {
	err = c.Do(ctx, "DELETE", pinPath(room, seq), nil, &p)
	return p, err
}

// Pins returns the pinned messages of a room, at most 100. The one that was pinned last comes first.
func (c *Client) Pins(ctx context.Context, room string) ([]Pin, error) {
	var list struct {
		Items []Pin `json:"items"`
	}
	err := c.into(ctx, "/rooms/"+url.PathEscape(room)+"/pins", &list)
	return list.Items, err
}

func pinPath(room string, seq int64) string {
	return fmt.Sprint("/rooms/", url.PathEscape(room), "/messages/", seq, "/pin")
}
