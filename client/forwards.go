package client

import (
	"context"
	"net/http"
)

// NewForward is a message that is to be forwarded: the one with the number Seq in From, to Room, with a text of at most
// 4 KiB if there is something to say. Thread is the number of the message whose thread it goes to; 0: to the room.
type NewForward struct {
	Room   string `json:"-"`
	Key    string `json:"key"` // empty: a fresh one is chosen
	From   string `json:"from"`
	Seq    int64  `json:"seq"`
	Text   string `json:"text,omitempty"`
	Thread int64  `json:"thread,omitempty"`
}

// Forward copies a message, which the user may read at that moment, to a room. The same key gives the same message. The
// copy has the text and the names of the files, not the files themselves, and stays when the original is changed or
// deleted.
func (c *Client) Forward(ctx context.Context, n NewForward) (s Sent, err error) {
	if n.Key == "" {
		n.Key = newKey()
	}
	err = c.Do(ctx, http.MethodPost, roomPath(n.Room)+"/forwards", n, &s)
	return s, err
}
