package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/unhidra/unhidra/internal/wire"
)

// ThreadPage is a page of the replies in a thread.
type ThreadPage struct {
	Page[Event]
	Thread Thread `json:"thread"`
}

// Thread returns a page of the replies in the thread of message root, the latest if cursor is empty.
func (c *Client) Thread(
	ctx context.Context, room string, root int64, cursor string, limit int,
) (p ThreadPage, err error) {
	err = c.into(ctx, threadPath(room, root)+"?"+query("cursor", cursor, "limit", number(limit)), &p)
	return p, err
}

// Threads returns a page of the threads that the user follows, with one in which something was said last first.
func (c *Client) Threads(ctx context.Context, cursor string, limit int) (p Page[Thread], err error) {
	err = c.into(ctx, "/threads?"+query("cursor", cursor, "limit", number(limit)), &p)
	return p, err
}

// MarkThread moves the user's read mark in a thread to the reply seq. A mark never moves back.
func (c *Client) MarkThread(ctx context.Context, room string, root, seq int64) (s ThreadState, err error) {
	err = c.Do(ctx, http.MethodPut, threadPath(room, root)+"/read", map[string]int64{"seq": seq}, &s)
	return s, err
}

// FollowThread has the user follow a thread, or not any longer.
func (c *Client) FollowThread(ctx context.Context, room string, root int64, following bool) (s ThreadState, err error) {
	err = c.Do(ctx, http.MethodPut, threadPath(room, root)+"/follow", map[string]bool{"following": following}, &s)
	return s, err
}

// FollowThreads has the user follow each thread of a room that gets a reply from now on, or not any longer.
func (c *Client) FollowThreads(ctx context.Context, room string, following bool) error {
	return c.Do(ctx, http.MethodPut, roomPath(room)+"/threads", map[string]bool{"following": following}, nil)
}

// MarkThread moves the user's read mark in a thread to the reply seq. A mark never moves back.
func (l *Live) MarkThread(ctx context.Context, room string, root, seq int64) (s ThreadState, err error) {
	err = l.retry(ctx, wire.TypeThreadRead, wire.ThreadMark{Room: room, Root: root, Seq: seq}, &s)
	return s, err
}

func threadPath(room string, root int64) string {
	return fmt.Sprint(roomPath(room), "/messages/", root, "/thread")
}
