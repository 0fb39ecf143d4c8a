package gateway

import (
	"cmp"
	"slices"
	"time"
)

const maxListed = 1000 // connections in Stats

// Stats is the operator's view of the gateway.
type Stats struct {
	Connections int64       `json:"connections"`
	Users       int         `json:"users"`
	Rooms       int         `json:"rooms"`
	QueuedBytes int         `json:"queued_bytes"`
	Draining    bool        `json:"draining,omitempty"`
	List        []ConnStats `json:"list"` // the first by age, at most 1000
}

// ConnStats is one connection.
type ConnStats struct {
	ID          string     `json:"id"`
	User        string     `json:"user"`
	Username    string     `json:"username"`
	Session     string     `json:"session,omitempty"`
	Addr        string     `json:"addr"`
	UserAgent   string     `json:"user_agent,omitempty"`
	Since       time.Time  `json:"since"`
	Heard       time.Time  `json:"heard"`
	Expires     *time.Time `json:"expires,omitempty"`
	Rooms       int        `json:"rooms"`
	MessagesIn  int64      `json:"messages_in"`
	MessagesOut int64      `json:"messages_out"`
	BytesIn     int64      `json:"bytes_in"`
	BytesOut    int64      `json:"bytes_out"`
	QueuedBytes int        `json:"queued_bytes"`
}

// Stats returns what the gateway holds at this moment.
func (g *Service) Stats() Stats {
	all := g.allConns()
	slices.SortFunc(all, func(a, b *conn) int { return cmp.Compare(a.since, b.since) })
	s := Stats{Connections: g.conns.count.Load(), Users: g.Hub.UserCount(), Rooms: g.Hub.RoomCount(),
		Draining: g.draining.Load(), List: []ConnStats{}}
	for i, c := range all {
		cs := c.stats()
		s.QueuedBytes += cs.QueuedBytes
		if i < maxListed {
			s.List = append(s.List, cs)
		}
	}
	return s
}

func (c *conn) stats() ConnStats {
	p := c.who()
	s := ConnStats{
		ID: c.id, User: c.user.ID, Username: c.user.Username, Session: p.SessionID, Addr: c.addr.String(), UserAgent: c.agent,
		Since: time.Unix(0, c.since), Heard: time.Unix(0, c.heard.Load()), MessagesIn: c.messagesIn.Load(),
		BytesIn: c.bytesIn.Load(),
	}
	if !p.Expires.IsZero() {
		s.Expires = &p.Expires
	}
	s.Rooms = c.member.Rooms()
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	s.MessagesOut, s.BytesOut, s.QueuedBytes = c.messagesOut, c.bytesOut, c.bytes
	return s
}
