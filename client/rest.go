package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// Page is a page of a list. Next and Prev are the cursors of the adjacent pages, or empty.
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

// User returns a profile by id or username.
func (c *Client) User(ctx context.Context, user string) (p Profile, err error) {
	err = c.Do(ctx, http.MethodGet, "/users/"+url.PathEscape(user), nil, &p)
	return p, err
}

// Rooms returns the rooms that the user is a member of.
func (c *Client) Rooms(ctx context.Context) ([]RoomState, error) {
	var p Page[RoomState]
	err := c.into(ctx, "/rooms", &p)
	return p.Items, err
}

// Room returns a room that the user is a member of.
func (c *Client) Room(ctx context.Context, room string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodGet, roomPath(room), nil, &st)
	return st, err
}

func (c *Client) into(ctx context.Context, path string, out any) error {
	return c.Do(ctx, http.MethodGet, path, nil, out)
}

// NewRoom describes a new room. Kind is "public" or "private". Members are ids of users other than
// the creator.
type NewRoom struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Topic   string   `json:"topic,omitempty"`
	Members []string `json:"members,omitempty"`
}

// CreateRoom creates a room. The user becomes its owner.
func (c *Client) CreateRoom(ctx context.Context, n NewRoom) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/rooms", n, &st)
	return st, err
}

// Direct returns the direct room with these users. It creates the room if there is none.
func (c *Client) Direct(ctx context.Context, users ...string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/direct", map[string][]string{"users": users}, &st)
	return st, err
}

// PublicRoom is a room that everybody may join.
type PublicRoom struct {
	Room
	Joined bool     `json:"joined"`
	Last   *Message `json:"last"` // the latest message; a long text is cut
}

// PublicRooms searches public rooms by name. An empty cursor returns the first page.
func (c *Client) PublicRooms(ctx context.Context, q, cursor string) (p Page[PublicRoom], err error) {
	err = c.into(ctx, "/rooms/public?"+query("q", q, "cursor", cursor), &p)
	return p, err
}

// Join joins a public room.
func (c *Client) Join(ctx context.Context, room string) error {
	return c.Do(ctx, http.MethodPost, roomPath(room)+"/join", nil, nil)
}

// Leave leaves a room.
func (c *Client) Leave(ctx context.Context, room string) error {
	return c.Do(ctx, http.MethodPost, roomPath(room)+"/leave", nil, nil)
}

// Add adds a user, by id or username, to a room, or sends them a request if they must consent.
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

// Invite creates an invite link. 0 means no expiry, or no limit of uses.
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

// Accept joins a room by the code of an invite link.
func (c *Client) Accept(ctx context.Context, code string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/invites/"+url.PathEscape(code)+"/accept", nil, &st)
	return st, err
}

// Requests returns the pending requests to join rooms that others have sent to the user.
func (c *Client) Requests(ctx context.Context) ([]RoomRequest, error) {
	var p struct {
		Page[RoomRequest]
		AskedBy string `json:"asked_by"` // whose requests are needed: "strangers", "everyone" or "nobody"
	}
	err := c.into(ctx, "/requests", &p)
	return p.Items, err
}

// AcceptRequest joins the room of a request.
func (c *Client) AcceptRequest(ctx context.Context, room string) (st RoomState, err error) {
	err = c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(room)+"/accept", nil, &st)
	return st, err
}

// DeclineRequest declines a request. With block, its sender cannot send the user any others.
func (c *Client) DeclineRequest(ctx context.Context, room string, block bool) error {
	return c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(room)+"/decline", map[string]bool{"block": block}, nil)
}

// Block has the user not hear of somebody any longer, who is named by id or username and is not told: no requests, no
// notifications, no unread messages. Who is blocked stands in Hello.Blocked, for clients that fold their messages.
func (c *Client) Block(ctx context.Context, user string) error {
	return c.Do(ctx, http.MethodPut, "/me/blocked/"+url.PathEscape(user), nil, nil)
}

// Unblock takes that back.
func (c *Client) Unblock(ctx context.Context, user string) error {
	return c.Do(ctx, http.MethodDelete, "/me/blocked/"+url.PathEscape(user), nil, nil)
}

// Blocked returns those whom the user has blocked.
func (c *Client) Blocked(ctx context.Context) ([]User, error) {
	var p Page[User]
	err := c.into(ctx, "/me/blocked", &p)
	return p.Items, err
}

// Timeline returns a page of a room's timeline, oldest first. An empty cursor returns the latest
// page; Prev and Next lead to others.
func (c *Client) Timeline(ctx context.Context, room, cursor string, limit int) (p Page[Event], err error) {
	err = c.into(ctx, roomPath(room)+"/timeline?"+query("cursor", cursor, "limit", number(limit)), &p)
	return p, err
}

// Events returns the events of a room after a sequence number, at most as many as one response may
// have.
func (c *Client) Events(ctx context.Context, room string, after int64, limit int) (r Replay, err error) {
	err = c.into(ctx, roomPath(room)+"/events?"+query("after", strconv.FormatInt(after, 10), "limit", number(limit)), &r)
	return r, err
}

// Hit is a message found by Search. Message.Room is the room's id.
type Hit struct {
	Message Message  `json:"message"`
	Snippet string   `json:"snippet"`
	Marks   [][2]int `json:"marks"` // matches in the snippet, as pairs of UTF-16 offsets
	// ByMeaning says that it was found by what it means, and need not have the words.
	ByMeaning bool `json:"by_meaning"`
}

// Found is a page of search results.
type Found struct {
	Page[Hit]
	Incomplete bool `json:"incomplete"` // older messages are not indexed yet and cannot be found
	Meaning    bool `json:"meaning"`    // in order of relevance, the server finds messages by what they mean, too
}

// Search searches the messages of the user's rooms. sort is "newest" or "relevance".
func (c *Client) Search(ctx context.Context, q, sort, cursor string) (f Found, err error) {
	err = c.into(ctx, "/search?"+query("q", q, "sort", sort, "cursor", cursor), &f)
	return f, err
}

// Send sends a message without a Live. If d.Key is empty, Send generates one. To retry after an
// error, set the key and send the same one.
func (c *Client) Send(ctx context.Context, d Draft) (s Sent, err error) {
	if d.Key == "" {
		d.Key = newKey()
	}
	return s, c.Do(ctx, http.MethodPost, roomPath(d.Room)+"/messages", struct {
		Key         string `json:"key"`
		Text        string `json:"text"`
		ContentType string `json:"content_type,omitempty"`
		ReplyTo     int64  `json:"reply_to,omitempty"`
		Thread      int64  `json:"thread,omitempty"`
		Broadcast   bool   `json:"broadcast,omitempty"`

		Files []string `json:"files,omitempty"`
	}{d.Key, d.Text, d.ContentType, d.ReplyTo, d.Thread, d.Broadcast, d.Files}, &s)
}

// MarkRead moves the user's read mark in a room.
func (c *Client) MarkRead(ctx context.Context, room string, seq int64) (m Mark, err error) {
	err = c.Do(ctx, http.MethodPut, roomPath(room)+"/read", map[string]int64{"seq": seq}, &m)
	return m, err
}

// MarkUnread has the message seq of a room, and those after it, be unread again; if it is only in a thread, those of
// the thread, which the user then follows.
func (c *Client) MarkUnread(ctx context.Context, room string, seq int64) (m Mark, err error) {
	err = c.Do(ctx, http.MethodPut, fmt.Sprintf("%s/messages/%d/unread", roomPath(room), seq), nil, &m)
	return m, err
}

// Message returns a message in its current state.
func (c *Client) Message(ctx context.Context, room string, seq int64) (m Message, err error) {
	err = c.into(ctx, fmt.Sprintf("%s/messages/%d", roomPath(room), seq), &m)
	return m, err
}

// RemovePreview takes the preview of a link of a message away for everybody; of all its links if link is empty. Whoever
// may delete the message may do so. To take it away again changes nothing.
func (c *Client) RemovePreview(ctx context.Context, room string, seq int64, link string) error {
	path := fmt.Sprintf("%s/messages/%d/previews", roomPath(room), seq)
	if link != "" {
		path += "?url=" + url.QueryEscape(link)
	}
	return c.Do(ctx, http.MethodDelete, path, nil, nil)
}

func roomPath(room string) string { return "/rooms/" + url.PathEscape(room) }

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// query encodes the pairs whose value is not empty.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v.Encode()
}
