package client

import (
	"context"
	"net/http"
	"net/url"
)

// CustomEmoji returns all emoji that people added to the server, by their names. Between colons a name is the emoji, in
// texts and in React.
func (c *Client) CustomEmoji(ctx context.Context) ([]CustomEmoji, error) {
	var all struct {
		Items  []CustomEmoji `json:"items"`
		MayAdd bool          `json:"may_add"`
	}
	err := c.into(ctx, "/emoji", &all)
	return all.Items, err
}

// AddEmoji adds an emoji to the server: a PNG, JPEG, GIF or WebP of at most 256 kB. The error has the code
// CodeEmojiTaken if there is one of this name.
func (c *Client) AddEmoji(ctx context.Context, name string, data []byte) (e CustomEmoji, err error) {
	err = c.Do(ctx, http.MethodPut, "/emoji/"+url.PathEscape(name), image(data), &e)
	return e, err
}

// DeleteEmoji deletes an emoji of the server, which whoever added it may do, and administrators. Messages and reactions
// keep its name.
func (c *Client) DeleteEmoji(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodDelete, "/emoji/"+url.PathEscape(name), nil, nil)
}
