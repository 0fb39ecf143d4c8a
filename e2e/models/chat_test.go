//go:build unix

package models

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A chat is two people in a room: one writes without a pause, the other reads.
type chat struct {
	room   string
	writer *client.Live
	sent   []string // acknowledged, in order

	mu  sync.Mutex
	got []string
}

func startChat(t *testing.T, s *live.Server) *chat {
	t.Helper()
	ann, bob := s.User("ann"), s.User("bob")
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Chat"})
	must(t, err)
	must(t, bob.Join(t.Context(), room.ID))
	c := &chat{room: room.ID}
	ctx := context.WithoutCancel(t.Context())
	reader := bob.Live(ctx, client.LiveOptions{OnEvent: func(e client.Event) {
		if e.Message == nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got = append(c.got, e.Message.Text)
	}})
	t.Cleanup(reader.Close)
	must(t, reader.Ready(t.Context()))
	c.writer = ann.Live(ctx, client.LiveOptions{})
	t.Cleanup(c.writer.Close)
	must(t, c.writer.Ready(t.Context()))
	return c
}

// during writes, and asks the model that does nothing wrong, while do runs. It returns how long both took.
func (c *chat) during(t *testing.T, m *steadyModel, do func()) (messages, answers took) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { messages = c.write(t, done) })
	running.Go(func() { answers = m.ask(t, done) })
	do()
	close(done)
	running.Wait()
	return messages, answers
}

// write sends one message after the other. Each must be acknowledged at the first attempt.
func (c *chat) write(t *testing.T, done <-chan struct{}) (acks took) {
	t.Helper()
	for {
		select {
		case <-done:
			return acks
		case <-time.After(5 * time.Millisecond): // people do not write faster
		}
		text := fmt.Sprint("message ", len(c.sent))
		began := time.Now()
		if _, err := c.writer.Send(context.WithoutCancel(t.Context()), client.Draft{Room: c.room, Text: text}); err != nil {
			t.Errorf("%s is not acknowledged: %v", text, err)
			return acks
		}
		acks = append(acks, time.Since(began))
		c.sent = append(c.sent, text)
	}
}

// check waits until the reader has everything, once and in order.
func (c *chat) check(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c.mu.Lock()
		same, n := slices.Equal(c.got, c.sent), len(c.got)
		c.mu.Unlock()
		if same {
			return
		}
		if time.Now().After(end) {
			t.Errorf("the reader has %d of %d messages, or in another order", n, len(c.sent))
			return
		}
	}
}

// A steadyModel is the model that nobody has go wrong.
type steadyModel struct{ s *site }

func (m *steadyModel) ask(t *testing.T, done <-chan struct{}) (answers took) {
	t.Helper()
	for {
		select {
		case <-done:
			return answers
		case <-time.After(20 * time.Millisecond): // it shares the processors
		}
		began := time.Now()
		if status, answer := m.s.ask(t, "steady", "hello", long); status != http.StatusOK ||
			!strings.Contains(answer, `"HELLO"`) {
			t.Errorf("the model beside those that go wrong answers %d %s", status, answer)
			return answers
		}
		answers = append(answers, time.Since(began))
		status, answer := m.s.askInChunks(t, "steady", "one two")
		if status != http.StatusOK || strings.Count(answer, "data:") != 2 || !strings.Contains(answer, `"ONE"`) ||
			!strings.Contains(answer, `"TWO"`) {
			t.Errorf("the model beside those that go wrong answers in chunks: %d %s", status, answer)
			return answers
		}
	}
}

// took is how long things took.
type took []time.Duration

func (d took) quantile(percent int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[(len(sorted)-1)*percent/100]
}

func (d took) String() string {
	return fmt.Sprintf("%d, p50 %v, p99 %v, longest %v", len(d), d.quantile(50).Round(10*time.Microsecond),
		d.quantile(99).Round(10*time.Microsecond), d.quantile(100).Round(10*time.Microsecond))
}
