package client

import (
	"context"
	"fmt"
	"net/url"
)

// Save keeps a message for the user, who finds it on all their devices. To save it again changes nothing. The error
// has the code CodeTooManySaved if the user has saved as many messages as they can.
func (c *Client) Save(ctx context.Context, room string, seq int64) error {
	return c.Do(ctx, "PUT", savedPath(room, seq), nil, nil)
}

// Unsave takes a message off the saved ones. To do so again changes nothing.
func (c *Client) Unsave(ctx context.Context, room string, seq int64) error {
	return c.Do(ctx, "DELETE", savedPath(room, seq), nil, nil)
}

// Saved returns a page of the user's saved messages, the one that was saved last first, and the cursor of the next
// page, which is empty on the last one. An empty cursor is the first page. A message that was deleted, or whose room
// the user has left, is not saved any longer.
func (c *Client) Saved(ctx context.Context, cursor string) (saved []Saved, next string, err error) {
	var page struct {
		Items []Saved `json:"items"`
		Next  string  `json:"next"`
	}
	path := "/me/saved"
	if cursor != "" {
		path += "?cursor=" + url.QueryEscape(cursor)
	}
	err = c.into(ctx, path, &page)
	return page.Items, page.Next, err
}

// SavedIn returns the numbers of the messages of a room that the user has saved.
func (c *Client) SavedIn(ctx context.Context, room string) ([]int64, error) {
	var list struct {
		Items []int64 `json:"items"`
	}
	err := c.into(ctx, "/me/saved/"+url.PathEscape(room), &list)
	return list.Items, err
}

func savedPath(room string, seq int64) string {
	return fmt.Sprint("/me/saved/", url.PathEscape(room), "/", seq)
}

// PutDraft keeps what the user has begun to write in a room or thread, on all their devices; an empty text deletes
// it. d.Version is the version that it replaces: if there is a newer one, that one stays, and the error has the code
// CodeDraftChanged. 0 replaces whatever there is. The answer has the new version.
func (c *Client) PutDraft(ctx context.Context, d StoredDraft) (kept StoredDraft, err error) {
	body := struct {
		Thread int64  `json:"thread,omitempty"`
		Text   string `json:"text"`
		Over   int64  `json:"over,omitempty"`
	}{d.Thread, d.Text, d.Version}
	err = c.Do(ctx, "PUT", "/me/drafts/"+url.PathEscape(d.Room), body, &kept)
	return kept, err
}

// Drafts returns what the user has begun to write, the draft that was changed last first.
func (c *Client) Drafts(ctx context.Context) ([]StoredDraft, error) {
	var list struct {
		Items []StoredDraft `json:"items"`
	}
	err := c.into(ctx, "/me/drafts", &list)
	return list.Items, err
}

// Sections returns how the user arranges their rooms.
func (c *Client) Sections(ctx context.Context) (RoomSections, error) {
	var s RoomSections
	err := c.into(ctx, "/me/sections", &s)
	return s, err
}

// PutSections has the user's rooms arranged as s says, on all their devices. s.Version is the version that it replaces:
// if there is a newer one, that one stays, and the error has the code CodeSectionsChanged. 0 replaces whatever there
// is. The answer has the new version, and no rooms in which the user is not.
func (c *Client) PutSections(ctx context.Context, s RoomSections) (kept RoomSections, err error) {
	body := struct {
		Favourites RoomGroup     `json:"favourites"`
		Sections   []RoomSection `json:"sections"`
		Over       int64         `json:"over,omitempty"`
	}{s.Favourites, append([]RoomSection{}, s.Sections...), s.Version}
	body.Favourites.Rooms = append([]string{}, body.Favourites.Rooms...)
	for i := range body.Sections {
		body.Sections[i].Rooms = append([]string{}, body.Sections[i].Rooms...)
	}
	err = c.Do(ctx, "PUT", "/me/sections", body, &kept)
	return kept, err
}
