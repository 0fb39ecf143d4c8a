package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// OutgoingHook is an address to which the server sends what happens in a room.
type OutgoingHook struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	URL       string     `json:"url"`
	Events    []string   `json:"events"` // types of events that it sends
	Programs  bool       `json:"programs"`
	Secret    string     `json:"secret,omitempty"` // only when it was made or replaced
	CreatedBy User       `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	RotatedAt *time.Time `json:"rotated_at,omitempty"`
	Off       string     `json:"off,omitempty"` // why it sends nothing: admin, failed, gone, left
	SentAt    *time.Time `json:"sent_at,omitempty"`
	FailedAt  *time.Time `json:"failed_at,omitempty"` // since when the receiver takes nothing
	Failure   string     `json:"failure,omitempty"`
	DueAt     *time.Time `json:"due_at,omitempty"`
	Waiting   int        `json:"waiting"`
}

// NewOutgoingHook describes an outgoing webhook to be made. Without Events it sends new messages; with Programs also
// what bots and webhooks do.
type NewOutgoingHook struct {
	Name     string   `json:"name"`
	URL      string   `json:"url"`
	Events   []string `json:"events,omitempty"`
	Programs bool     `json:"programs,omitempty"`
}

// HookChange is what changes of an outgoing webhook; nil leaves as it is.
type HookChange struct {
	URL      *string  `json:"url,omitempty"`
	Events   []string `json:"events,omitempty"`
	Programs *bool    `json:"programs,omitempty"`
	On       *bool    `json:"on,omitempty"`
}

// HookDelivery is one event that an outgoing webhook has to send, or has sent.
type HookDelivery struct {
	ID       string     `json:"id"`  // the header webhook-id, the same for each attempt
	Seq      int64      `json:"seq"` // of the event; 0: a test
	Type     string     `json:"type"`
	At       time.Time  `json:"at"`
	State    string     `json:"state"` // waiting, delivered, failed or dropped
	Tries    int        `json:"tries"`
	TriedAt  *time.Time `json:"tried_at,omitempty"`
	Duration int64      `json:"duration_ms,omitempty"`
	Status   int        `json:"status,omitempty"` // of the answer; 0: there was none
	Answer   string     `json:"answer,omitempty"`
	Failure  string     `json:"failure,omitempty"`
}

// OutgoingHooks returns the outgoing webhooks of a room, in the order in which they were made.
func (c *Client) OutgoingHooks(ctx context.Context, room string) ([]OutgoingHook, error) {
	var p Page[OutgoingHook]
	err := c.into(ctx, outgoingPath(room), &p)
	return p.Items, err
}

// CreateOutgoingHook makes an outgoing webhook. Its Secret is told this once.
func (c *Client) CreateOutgoingHook(ctx context.Context, room string, n NewOutgoingHook) (h OutgoingHook, err error) {
	err = c.Do(ctx, http.MethodPost, outgoingPath(room), n, &h)
	return h, err
}

// ChangeOutgoingHook changes what an outgoing webhook sends, and where to, or switches it on or off.
func (c *Client) ChangeOutgoingHook(ctx context.Context, room, hook string, n HookChange) (h OutgoingHook, err error) {
	err = c.Do(ctx, http.MethodPatch, outgoingPath(room, hook), n, &h)
	return h, err
}

// RotateOutgoingHook replaces the secret of an outgoing webhook. What it sends is signed by both for a day.
func (c *Client) RotateOutgoingHook(ctx context.Context, room, hook string) (h OutgoingHook, err error) {
	err = c.Do(ctx, http.MethodPost, outgoingPath(room, hook, "secret"), nil, &h)
	return h, err
}

// DeleteOutgoingHook ends an outgoing webhook, with what it had still to send.
func (c *Client) DeleteOutgoingHook(ctx context.Context, room, hook string) error {
	return c.Do(ctx, http.MethodDelete, outgoingPath(room, hook), nil, nil)
}

// TestOutgoingHook has something sent that tells of no event.
func (c *Client) TestOutgoingHook(ctx context.Context, room, hook string) error {
	return c.Do(ctx, http.MethodPost, outgoingPath(room, hook, "test"), nil, nil)
}

// HookDeliveries returns what an outgoing webhook has to send, and has sent, the newest first.
func (c *Client) HookDeliveries(ctx context.Context, room, hook string) ([]HookDelivery, error) {
	var p Page[HookDelivery]
	err := c.into(ctx, outgoingPath(room, hook, "deliveries"), &p)
	return p.Items, err
}

// Redeliver has a delivery that has ended sent once more.
func (c *Client) Redeliver(ctx context.Context, room, hook, delivery string) error {
	return c.Do(ctx, http.MethodPost, outgoingPath(room, hook, "deliveries", delivery), nil, nil)
}

func outgoingPath(room string, rest ...string) string {
	path := roomPath(room) + "/outgoing-hooks"
	for _, part := range rest {
		path += "/" + url.PathEscape(part)
	}
	return path
}
