package client

import (
	"context"
	"net/url"
	"time"
)

// GuestInvite is an invitation to the server for a guest.
type GuestInvite struct {
	Days  int      // of their access, 1 to 365, from when they register
	Rooms []string // ids of rooms that they are added to, all of which you may add people to
	Note  string   // whom it is for; may be empty
}

// ServerInvite is an invitation to the server.
type ServerInvite struct {
	ID        string    `json:"id"`
	Note      string    `json:"note"`
	Link      string    `json:"link"` // shown once, when it is made
	CreatedAt time.Time `json:"created_at"`
	Expires   time.Time `json:"expires_at"`
	MaxUses   int       `json:"max_uses"`
	Uses      int       `json:"uses"`
	GuestDays int       `json:"guest_days"`
	Rooms     []string  `json:"rooms"`
}

// InviteGuest makes an invitation, for administrators, by which one guest registers within a week.
func (c *Client) InviteGuest(ctx context.Context, i GuestInvite) (made ServerInvite, err error) {
	body := map[string]any{"guest_days": i.Days, "rooms": i.Rooms, "note": i.Note}
	err = c.Do(ctx, "POST", "/admin/invites", body, &made)
	return made, err
}

// SetGuest makes somebody a guest until a time, for administrators, or changes until when they are one. A time that has
// passed ends their access at once. The error has the code CodeStillOwns if they have rooms, devices or bots.
func (c *Client) SetGuest(ctx context.Context, user string, until time.Time) error {
	return c.Do(ctx, "PATCH", "/admin/users/"+url.PathEscape(user), map[string]any{"guest_until": until}, nil)
}
