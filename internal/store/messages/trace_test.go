package messages_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/otlptest"
	"github.com/unhidra/unhidra/internal/trace"
)

// waiting returns when as many writes wait as there are messages. It fails if they do not come.
func waiting(ctx context.Context, db *all.Store, messages int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for db.Load().Waiting < messages {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d messages wait", db.Load().Waiting, messages)
		}
	}
	return nil
}

// Messages that wait for the disk together are one commit: its span is a part of the first one's
// trace, and it and the others name each other by links.
func TestCommitLinksItsMessages(t *testing.T) {
	t.Parallel()
	db, otlp := testkit.Open(t, testkit.SQLite(t)), otlptest.Start(t)
	room := testkit.Room(t, db, 1)
	tracer, err := trace.New(trace.Options{URL: otlp.HTTP, Share: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	const messages = 5
	var wg sync.WaitGroup
	err = db.Write(t.Context(), func(context.Context, *store.Tx) error { // no other commit begins meanwhile
		for n := range messages {
			wg.Go(func() {
				ctx, r := tracer.Request(t.Context(), "ws", "message.send", "")
				_, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0),
					domain.Draft{Room: room, Key: fmt.Sprint("k", n), Text: "a"}, nil, false, time.Now())
				r.End(fmt.Sprint("req", n), err != nil)
				if err != nil {
					t.Error(err)
				}
			})
		}
		return waiting(t.Context(), db, messages)
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_ = tracer.Run(ctx) // exports what waits, and ends

	requests := make(map[string]otlptest.Span)
	var commits []otlptest.Span
	for _, s := range otlp.Spans() {
		if s.Name == "store.commit" {
			commits = append(commits, s)
		} else {
			requests[string(s.SpanId)] = s
		}
	}
	if len(commits) != 1 || len(requests) != messages {
		t.Fatalf("%d commits of %d messages", len(commits), len(requests))
	}
	if _, ok := requests[string(commits[0].ParentSpanId)]; !ok || len(commits[0].Links) != messages-1 {
		t.Errorf("the commit is a part of no message, or has %d links", len(commits[0].Links))
	}
	for _, l := range commits[0].Links {
		back := requests[string(l.SpanId)].GetLinks()
		if len(back) != 1 || !bytes.Equal(back[0].SpanId, commits[0].SpanId) {
			t.Errorf("a message of the commit links to %v", back)
		}
	}
}
