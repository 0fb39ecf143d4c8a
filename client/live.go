package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

// State is the state of a Live.
type State int

// The states.
const (
	Connecting State = iota
	Online           // connected, all missed events delivered or requested
	Waiting          // for the next attempt
	Ended            // closed, or refused permanently: see Err
)

func (s State) String() string {
	return [...]string{"connecting", "online", "waiting", "ended"}[s]
}

// LiveOptions are the options of a Live. Its functions may be nil. They are called one at a time,
// in order, and nothing else is received while one runs.
type LiveOptions struct {
	// Rooms are the sequence numbers of the last known events, by room. Later ones are delivered.
	// Other rooms begin with the first event after connecting.
	Rooms map[string]int64

	OnEvent    func(Event)                   // each event of each room once, in order
	OnHello    func(Hello)                   // at each connection, with all rooms, before events
	OnJoined   func(RoomState)               // the user has become a member
	OnLeft     func(Left)                    // the user is no longer a member
	OnAsked    func(RoomRequest)             // someone wants to add the user to a room: see Client.AcceptRequest
	OnReset    func(room string)             // missed events were purged: load the room again
	OnTyping   func(Typing)                  // somebody is typing
	OnPresence func(Presence)                // of a watched user
	OnRead     func(Mark)                    // the user's read mark has moved, on any device
	OnBlocked  func(Blocking)                // the user has blocked somebody, or not any longer, on any device
	OnEmoji    func(EmojiChanged)            // one was added to the server, or deleted
	OnReport   func(ReportChanged)           // one decides on a report, or made one: see Client.RoomReports
	OnSlash    func(SlashAnswer)             // a program answers a command of the user later: see RunSlashCommand
	OnThread   func(ThreadState)             // the user has read a thread or follows it, on any device
	OnState    func(State, error)            // with the reason
	OnOther    func(string, json.RawMessage) // frames of other types
}

// Live is a connection that reconnects by itself.
type Live struct {
	c      *Client
	o      LiveOptions
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	state   State
	err     error         // why it has ended
	moved   chan struct{} // closed when the state changes
	link    *link         // nil while not online
	last    map[string]int64
	highest map[string]int64 // highest number seen, by room
}

// Live connects in the background, and stays connected until ctx ends or Close is called. It
// returns at once.
func (c *Client) Live(ctx context.Context, o LiveOptions) *Live {
	ctx, cancel := context.WithCancel(ctx)
	l := &Live{
		c: c, o: o, cancel: cancel, done: make(chan struct{}), moved: make(chan struct{}),
		last: make(map[string]int64), highest: make(map[string]int64),
	}
	maps.Copy(l.last, o.Rooms)
	go l.run(ctx)
	return l
}

// Close closes the connection and waits for its end. It must not be called from a function of
// LiveOptions.
func (l *Live) Close() {
	l.cancel()
	<-l.done
}

// Ready waits until the connection is online. It returns an error if the state is Ended.
func (l *Live) Ready(ctx context.Context) error {
	_, err := l.online(ctx)
	return err
}

// State returns the current state.
func (l *Live) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// Err returns why the connection has ended, or nil if it has not.
func (l *Live) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Positions returns the sequence numbers of the last delivered events, by room, for
// LiveOptions.Rooms.
func (l *Live) Positions() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.last)
}

var errClosed = errors.New("the connection was closed")

const (
	minBackoff       = 500 * time.Millisecond
	maxBackoff       = 30 * time.Second
	requestTimeout   = 60 * time.Second // without a response
	handshakeTimeout = 20 * time.Second
)

// run connects again until ctx ends or the server refuses permanently.
func (l *Live) run(ctx context.Context) {
	defer close(l.done)
	if l.c.bad != nil {
		l.setState(Ended, l.c.bad)
		return
	}
	refused := "" // the last token that was refused
	good := ""    // the last token that was let in
	for failures := 0; ; failures++ {
		l.setState(Connecting, nil)
		begin := time.Now()
		token, served, err := l.serve(ctx, refused)
		if ctx.Err() != nil {
			l.setState(Ended, errClosed)
			return
		}
		next := after(err)
		if served {
			refused, good = "", token
		}
		if token == good && strings.HasPrefix(token, domain.DeviceKeyPrefix) && rests(err) {
			next = plan{}
		}
		// A server that ends each new token at once counts as failing.
		if served && (!next.token || time.Since(begin) > maxBackoff) {
			failures = 0
		}
		if next.final {
			l.setState(Ended, err)
			return
		}
		if next.token {
			if refused == token && token != "" && !served { // the new one was refused too
				l.setState(Ended, err)
				return
			}
			refused = token
			if failures == 0 {
				continue
			}
		}
		// Full jitter spreads the reconnections of clients after a restart of the server.
		wait := mrand.N(min(maxBackoff, minBackoff<<min(failures, 10)) + 1)
		if next.wait > 0 {
			wait = next.wait + mrand.N(next.wait/2+1)
		}
		l.setState(Waiting, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// plan is what to do after a connection has ended.
type plan struct {
	final bool          // do not reconnect
	token bool          // reconnect with another token, the first time at once
	wait  time.Duration // set by the server
}

// rests reports whether an error may be that of a device key which opens nothing now, but may again: its device is
// suspended, or its owner's account disabled.
func rests(err error) bool {
	var refused *ws.Refused
	var closed *closedBy
	switch {
	case errors.As(err, &refused):
		return problem(refused.Status, refused.Body).Code == CodeBadDeviceKey
	case errors.As(err, &closed):
		return closed.code == wire.CloseRevoked && (closed.reason == "suspended" || closed.reason == "owner_disabled")
	}
	return false
}

func after(err error) plan {
	var no *Error
	var refused *ws.Refused
	var closed *closedBy
	switch {
	case errors.As(err, &refused):
		no = problem(refused.Status, refused.Body)
		fallthrough
	case errors.As(err, &no):
		switch no.Status {
		case http.StatusUnauthorized:
			return plan{token: no.Code != CodeSignedOut, final: no.Code == CodeSignedOut}
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusUpgradeRequired:
			return plan{final: true}
		}
		return plan{wait: no.RetryAfter}
	case errors.As(err, &closed):
		switch closed.code {
		case wire.CloseToken:
			return plan{token: true}
		case wire.CloseBadFrame, wire.CloseForbidden, wire.CloseRevoked:
			return plan{final: true}
		}
		if s, err := strconv.Atoi(closed.reason); err == nil {
			return plan{wait: time.Duration(s) * time.Second}
		}
	}
	return plan{}
}

// closedBy is a close frame from the server.
type closedBy struct {
	code   int
	reason string
}

func (e *closedBy) Error() string {
	return fmt.Sprintf("the server closed the connection: %s (%d)", e.reason, e.code)
}

// setState changes the state and notifies waiters.
func (l *Live) setState(s State, err error) {
	l.mu.Lock()
	if s == Ended {
		l.err = err
	}
	same := l.state == s && s != Ended
	l.state = s
	close(l.moved)
	l.moved = make(chan struct{})
	l.mu.Unlock()
	if !same && l.o.OnState != nil {
		l.o.OnState(s, err)
	}
}

// online waits until the connection is online.
func (l *Live) online(ctx context.Context) (*link, error) {
	for {
		l.mu.Lock()
		link, state, err, moved := l.link, l.state, l.err, l.moved
		l.mu.Unlock()
		switch {
		case state == Online && link != nil:
			return link, nil
		case state == Ended:
			return nil, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// newKey returns a random idempotency key.
func newKey() string { return rand.Text() }
