package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// Page is one page of a list. Next and Prev, if set, name the pages beside it.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
	Prev  string `json:"prev"`
}

// Me returns the user's own account.
func (c *Client) Me(ctx context.Context) (me Me, err error) {
	err = c.Do(ctx, http.MethodGet, "/me", nil, &me)
	return me, err
}

// User returns someone's profile, by id or username.
func (c *Client) User(ctx context.Context, user string) (p Profile, err error) {
	err = c.Do(ctx, http.MethodGet, "/users/"+url.PathEscape(user), nil, &p)
	return p, err
}

// Rooms returns the rooms that the user is in.
func (c *Client) Rooms(ctx context.Context) ([]RoomState, error) {
	var p Page[RoomState]
	err := c.into(ctx, "/rooms", &p)
	return p.Items, err
}

// Room returns one of the user's rooms.
func (c *Client) Room(ctx context.Context, room string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodGet, roomPath(room), nil, &st)
	return st, err
}

func (c *Client) into(ctx context.Context, path string, out any) error {
	return c.Do(ctx, http.MethodGet, path, nil, out)
}

// NewRoom is a room to be created. Kind is "public" or "private"; Members are
// ids of users besides the creator.
type NewRoom struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Topic   string   `json:"topic,omitempty"`
	Members []string `json:"members,omitempty"`
}

// CreateRoom creates a room that the user owns.
func (c *Client) CreateRoom(ctx context.Context, n NewRoom) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/rooms", n, &st)
	return st, err
}

// Direct returns the conversation with these users, and opens it if there is
// none.
func (c *Client) Direct(ctx context.Context, users ...string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/direct", map[string][]string{"users": users}, &st)
	return st, err
}

// PublicRoom is a room that anyone may join.
type PublicRoom struct {
	Room
	Joined bool     `json:"joined"`
	Last   *Message `json:"last"` // its latest message; a long one is cut
}

// PublicRooms finds public rooms by name. An empty cursor is the first page.
func (c *Client) PublicRooms(ctx context.Context, q, cursor string) (p Page[PublicRoom], err error) {
	err = c.into(ctx, "/rooms/public?"+query("q", q, "cursor", cursor), &p)
	return p, err
}

// Join enters a public room.
func (c *Client) Join(ctx context.Context, room string) error {
	return c.Do(ctx, http.MethodPost, roomPath(room)+"/join", nil, nil)
}

// Leave leaves a room.
func (c *Client) Leave(ctx context.Context, room string) error {
	return c.Do(ctx, http.MethodPost, roomPath(room)+"/leave", nil, nil)
}

// Add makes someone, by id or username, a member of a room, or has them asked.
func (c *Client) Add(ctx context.Context, room, user string) error {
	return c.Do(ctx, http.MethodPost, roomPath(room)+"/members", map[string]string{"user": user}, nil)
}

// Kick removes a member.
func (c *Client) Kick(ctx context.Context, room, user, reason string) error {
	return c.Do(ctx, http.MethodDelete, roomPath(room)+"/members/"+url.PathEscape(user)+"?"+query("reason", reason), nil,
		nil)
}

// Members returns the members of a room.
func (c *Client) Members(ctx context.Context, room, cursor string) (p Page[Member], err error) {
	err = c.into(ctx, roomPath(room)+"/members?"+query("cursor", cursor), &p)
	return p, err
}

// Invite makes a link into a room. Zeros mean no end and no limit.
func (c *Client) Invite(ctx context.Context, room string, seconds, uses int) (i Invite, err error) {
	in := map[string]int{}
	if seconds > 0 {
		in["expires_in"] = seconds
	}
	if uses > 0 {
		in["max_uses"] = uses
	}
	err = c.Do(ctx, http.MethodPost, roomPath(room)+"/invites", in, &i)
	return i, err
}

// Accept enters the room that an invitation's code leads to.
func (c *Client) Accept(ctx context.Context, code string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/invites/"+url.PathEscape(code)+"/accept", nil, &st)
	return st, err
}

// Requests returns the rooms that strangers want the caller in.
func (c *Client) Requests(ctx context.Context) ([]RoomRequest, error) {
	var p struct {
		Page[RoomRequest]
		AskedBy string `json:"asked_by"` // who has to ask: "strangers", "everyone" or "nobody"
	}
	err := c.into(ctx, "/requests", &p)
	return p.Items, err
}

// AcceptRequest enters such a room.
func (c *Client) AcceptRequest(ctx context.Context, room string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(room)+"/accept", nil, &st)
	return st, err
}

// DeclineRequest answers no. With block, who asked cannot ask again for any room.
func (c *Client) DeclineRequest(ctx context.Context, room string, block bool) error {
	return c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(room)+"/decline", map[string]bool{"block": block}, nil)
}

// Timeline returns a page of a room's history, oldest first: the latest
// without a cursor, and others by Prev and Next.
func (c *Client) Timeline(ctx context.Context, room, cursor string, limit int) (p Page[Event], err error) {
	err = c.into(ctx, roomPath(room)+"/timeline?"+query("cursor", cursor, "limit", number(limit)), &p)
	return p, err
}

// Events returns all events of a room after a sequence number, as many as fit
// in one answer.
func (c *Client) Events(ctx context.Context, room string, after int64, limit int) (r Replay, err error) {
	err = c.into(ctx, roomPath(room)+"/events?"+query("after", strconv.FormatInt(after, 10), "limit", number(limit)), &r)
	return r, err
}

// Hit is a message that a search found. Message.Room is the room's id.
type Hit struct {
	Message Message  `json:"message"`
	Snippet string   `json:"snippet"`
	Marks   [][2]int `json:"marks"` // matched stretches of the snippet, in UTF-16 code units
}

// Found is a page of what a search found.
type Found struct {
	Page[Hit]
	Incomplete bool `json:"incomplete"` // older messages are still being indexed, and not found yet
}

// Search finds messages in the user's rooms. Sort is "newest" or "relevance".
func (c *Client) Search(ctx context.Context, q, sort, cursor string) (f Found, err error) {
	err = c.into(ctx, "/search?"+query("q", q, "sort", sort, "cursor", cursor), &f)
	return f, err
}

// Send writes a message without a Live. With an empty key one is made up; to
// try again after a failure, send the same key.
func (c *Client) Send(ctx context.Context, d Draft) (s Sent, err error) {
	if d.Key == "" {
		d.Key = newKey()
	}
	return s, c.Do(ctx, http.MethodPost, roomPath(d.Room)+"/messages", struct {
		Key         string `json:"key"`
		Text        string `json:"text"`
		ContentType string `json:"content_type,omitempty"`
		ReplyTo     int64  `json:"reply_to,omitempty"`
	}{d.Key, d.Text, d.ContentType, d.ReplyTo}, &s)
}

// MarkRead tells how far the user has read in a room.
func (c *Client) MarkRead(ctx context.Context, room string, seq int64) (m Mark, err error) {
	err = c.Do(ctx, http.MethodPut, roomPath(room)+"/read", map[string]int64{"seq": seq}, &m)
	return m, err
}

// Message returns one message as it is now.
func (c *Client) Message(ctx context.Context, room string, seq int64) (m Message, err error) {
	err = c.into(ctx, fmt.Sprintf("%s/messages/%d", roomPath(room), seq), &m)
	return m, err
}

func roomPath(room string) string { return "/rooms/" + url.PathEscape(room) }

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// query joins the pairs whose value is not empty.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Encode()
}
