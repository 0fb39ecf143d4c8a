package client

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// React adds an emoji to a message. To add it again changes nothing: the answer then has no number.
func (l *Live) React(ctx context.Context, room string, seq int64, emoji string) (r Reacted, err error) {
	err = l.retry(ctx, wire.TypeReact, wire.React{Room: room, Seq: seq, Emoji: emoji}, &r)
	return r, err
}

// Unreact takes the user's own emoji away from a message. To take it away again changes nothing.
func (l *Live) Unreact(ctx context.Context, room string, seq int64, emoji string) (r Reacted, err error) {
	err = l.retry(ctx, wire.TypeUnreact, wire.React{Room: room, Seq: seq, Emoji: emoji}, &r)
	return r, err
}

// React adds an emoji to a message. To add it again changes nothing: the answer then has no number.
func (c *Client) React(ctx context.Context, room string, seq int64, emoji string) (r Reacted, err error) {
	err = c.Do(ctx, "PUT", reactionPath(room, seq, emoji), nil, &r)
	return r, err
}

// Unreact takes the user's own emoji away from a message. To take it away again changes nothing.
func (c *Client) Unreact(ctx context.Context, room string, seq int64, emoji string) (r Reacted, err error) {
	err = c.Do(ctx, "DELETE", reactionPath(room, seq, emoji), nil, &r)
	return r, err
}

// Reactor is a user who reacted to a message.
type Reactor struct {
	User User      `json:"user"`
	At   time.Time `json:"at"`
}

// Reactors returns a page of the users who gave an emoji to a message, who was first comes first. An empty
// cursor returns the first page.
func (c *Client) Reactors(
	ctx context.Context, room string, seq int64, emoji, cursor string,
) (p Page[Reactor], err error) {
	err = c.into(ctx, reactionPath(room, seq, emoji)+"?cursor="+url.QueryEscape(cursor), &p)
	return p, err
}

func reactionPath(room string, seq int64, emoji string) string {
	return fmt.Sprint("/rooms/", url.PathEscape(room), "/messages/", seq, "/reactions/", url.PathEscape(emoji))
}

// ApplyReaction changes the reactions to m, which the user me sees, as e says. It reports whether e is about
// them and newer than they are: an event that m has already changes nothing, so events may be replayed over a
// message that is newer.
func ApplyReaction(m *Message, e Event, me string) bool {
	remove := e.Type == string(domain.ReactionRemoved)
	if !remove && e.Type != string(domain.ReactionAdded) || e.Detail == nil || e.Detail.Of != m.Seq ||
		m.DeletedAt != nil || m.ReactionsSeq >= e.Seq {
		return false
	}
	m.ReactionsSeq = e.Seq
	all := slices.Clone(m.Reactions) // others may hold the message as it was
	i := slices.IndexFunc(all, func(r Reaction) bool { return r.Emoji == e.Detail.Emoji })
	switch {
	case i < 0 && remove:
		return true
	case i < 0:
		i, all = len(all), append(all, Reaction{Emoji: e.Detail.Emoji})
	}
	r := &all[i]
	if remove {
		r.Count--
		r.Users = slices.DeleteFunc(slices.Clone(r.Users), func(id string) bool { return id == e.Actor.ID })
	} else if r.Count++; r.Count == len(r.Users)+1 && len(r.Users) < domain.MaxReactors {
		r.Users = append(slices.Clip(r.Users), e.Actor.ID)
	}
	if e.Actor.ID == me {
		r.Mine = !remove
	}
	if r.Count <= 0 {
		all = slices.Delete(all, i, i+1)
	}
	m.Reactions = all
	return true
}
