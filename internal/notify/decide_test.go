package notify

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
)

// A ledger is a store that knows which messages somebody was told of.
type ledger struct {
	Store
	told map[int64]bool
}

func (l ledger) Recipients(context.Context, string, []int64, time.Time) ([]domain.Recipient, error) {
	return []domain.Recipient{{User: "bob", Direct: true}}, nil
}

func (l ledger) Blocked(context.Context, []string, string) (map[string]bool, error) { return nil, nil }

var errFull = errors.New("the disk is full")

// Record stores the first of all, and fails for a second one.
func (l ledger) Record(_ context.Context, all []domain.Notification, _ time.Time) ([]domain.Notification, error) {
	if l.told[all[0].Seq] {
		return nil, nil
	}
	l.told[all[0].Seq] = true
	if len(all) > 1 {
		return all[:1], errFull
	}
	return all, nil
}

// The feed may hand over a message again: what counts is that somebody is told.
func TestOnlyNewNotificationsAreCounted(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s := sender(t, &queue{}, false, now)
	s.Store = ledger{told: map[int64]bool{}}
	entry := func(seq int64) feed.Entry[domain.Event] {
		return feed.Entry[domain.Event]{Value: domain.Event{Room: "room_1", Seq: seq, Type: domain.MessageCreated, At: now,
			Message: &domain.Message{Seq: seq, Text: "tea", At: now}}}
	}
	for _, c := range []struct {
		entries []feed.Entry[domain.Event]
		err     error
		counted float64
		wakes   int
	}{
		{[]feed.Entry[domain.Event]{entry(1)}, nil, 1, 1},
		{[]feed.Entry[domain.Event]{entry(1)}, nil, 1, 0},
		{[]feed.Entry[domain.Event]{entry(2), entry(3)}, errFull, 2, 1},
	} {
		err := s.handle(t.Context(), c.entries)
		counted := testutil.ToFloat64(s.metrics.decided.WithLabelValues(string(domain.NotifiedDirect)))
		if !errors.Is(err, c.err) || counted != c.counted || len(s.wake) != c.wakes {
			t.Errorf("counted are %v, wakes %d, %v", counted, len(s.wake), err)
		}
		for len(s.wake) > 0 {
			<-s.wake
		}
	}
}
