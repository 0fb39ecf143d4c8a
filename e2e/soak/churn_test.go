package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
)

const (
	users    = 32
	slots    = 150 // connections at a time
	halls    = 8
	password = "an old song about rain"
)

// churn is the load: connections that live for seconds, rooms for as long, and
// people who sign in and out.
type churn struct {
	url    string
	people []*client.Client
	halls  []string

	messages, connections, made, signed, failures atomic.Int64
}

func (w *churn) settle(ctx context.Context, t *testing.T) {
	t.Helper()
	for i := range users {
		c := client.New(w.url)
		if err := c.Register(ctx, client.Registration{Username: fmt.Sprint("user", i), Password: password}); err != nil {
			t.Fatal(err)
		}
		w.people = append(w.people, c)
	}
	for i := range halls {
		st, err := w.people[0].CreateRoom(ctx, client.NewRoom{Kind: "public", Name: fmt.Sprint("Hall ", i)})
		if err != nil {
			t.Fatal(err)
		}
		w.halls = append(w.halls, st.ID)
		for j, c := range w.people[1:] {
			if j%2 == i%2 {
				if err := c.Join(ctx, st.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// shows reports whether as much happened as must in a run of so many seconds.
func (w *churn) shows(seconds uint64) bool {
	return w.messages.Load() >= int64(seconds) && w.connections.Load() >= slots && w.made.Load() > 0 && w.signed.Load() > 0
}

// failed reports whether something failed. A refusal that should not be fails the
// test; no answer in time is the machine's, which may be busy with other things.
func (w *churn) failed(ctx context.Context, t *testing.T, what string, err error) bool {
	if err == nil || ctx.Err() != nil {
		return ctx.Err() != nil
	}
	var no *client.Error
	if errors.As(err, &no) && no.Kind != "rate_limited" && no.Kind != "unavailable" {
		t.Errorf("%s: %v", what, err)
	}
	w.failures.Add(1)
	return true
}

// pause waits for a random time around d, as people do. It reports whether the run
// goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(time.Duration(rand.ExpFloat64() * float64(d))):
		return true
	case <-ctx.Done():
		return false
	}
}

// keep keeps one connection after the other, each of which reads and writes for a
// while.
func (w *churn) keep(ctx context.Context, t *testing.T, slot int) {
	for i := slot; pause(ctx, 200*time.Millisecond); i++ {
		w.visit(ctx, t, w.people[i%users], w.halls[2*rand.IntN(halls/2)+(i%users+1)%2], i)
	}
}

func (w *churn) visit(ctx context.Context, t *testing.T, c *client.Client, hall string, i int) {
	life, cancel := context.WithTimeout(ctx, 2*time.Second+rand.N(28*time.Second))
	defer cancel()
	l := c.Live(life, client.LiveOptions{})
	defer l.Close()
	if err := l.Ready(life); err != nil {
		var no *client.Error
		if errors.As(err, &no) && no.Code == client.CodeSignedOut { // no answer to a refresh came in time
			w.failures.Add(1)
			err = c.SignIn(ctx, fmt.Sprint("user", i%users), password)
		}
		w.failed(life, t, "connect", err)
		return
	}
	w.connections.Add(1)
	for n := 0; pause(life, 4*time.Second); n++ {
		s, err := l.Send(life, client.Draft{Room: hall, Text: fmt.Sprintf("message %d of connection %d", n, i)})
		if w.failed(life, t, "send", err) {
			continue
		}
		w.messages.Add(1)
		switch rand.IntN(10) {
		case 0:
			_, err = l.Edit(life, hall, s.Seq, "another text")
		case 1:
			_, err = l.Delete(life, hall, s.Seq)
		case 2, 3:
			_, err = l.MarkRead(life, hall, s.Seq)
		case 4:
			_, err = c.Timeline(life, hall, "", 30)
		case 5:
			l.Typing(hall)
		}
		w.failed(life, t, "after sending", err)
	}
}

// rooms makes rooms, fills them a little, and leaves or deletes them.
func (w *churn) rooms(ctx context.Context, t *testing.T) {
	for i := 0; pause(ctx, time.Second); i++ {
		owner, guest := w.people[i%users], w.people[(i+7)%users]
		st, err := owner.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: fmt.Sprint("Project ", i)})
		if w.failed(ctx, t, "make a room", err) || w.failed(ctx, t, "join", guest.Join(ctx, st.ID)) {
			continue
		}
		w.made.Add(1)
		_, err = guest.Send(ctx, client.Draft{Room: st.ID, Text: "here I am"})
		w.failed(ctx, t, "send", err)
		w.failed(ctx, t, "leave", guest.Leave(ctx, st.ID))
		w.failed(ctx, t, "delete the room", owner.Do(ctx, http.MethodDelete, "/rooms/"+st.ID, nil, nil))
	}
}

// signIns is what a session costs, from its begin to its end.
func (w *churn) signIns(ctx context.Context, t *testing.T) {
	for i := 0; i == 0 || pause(ctx, 5*time.Second); i++ {
		c := client.New(w.url)
		if w.failed(ctx, t, "sign in", c.SignIn(ctx, fmt.Sprint("user", i%users), password)) {
			continue
		}
		w.signed.Add(1)
		w.failed(ctx, t, "sign out", c.SignOut(ctx))
	}
}
