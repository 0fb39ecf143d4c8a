package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestExpectedWait(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		name   string
		batch  time.Duration
		begun  time.Duration // before now; 0: no commit is under way
		before int
		want   time.Duration
	}{
		{"idle, after commits that were slow", 4 * time.Second, 0, 0, 0},
		{"behind one commit", 10 * time.Millisecond, 5 * time.Millisecond, 3, 10 * time.Millisecond},
		{"behind a full queue", 100 * time.Millisecond, time.Millisecond, queueLength, 900 * time.Millisecond},
		{"the disk hangs", 10 * time.Millisecond, 7 * time.Second, 0, 7 * time.Second},
	} {
		var l load
		l.commitTime.Store(int64(c.batch))
		if c.begun > 0 {
			l.commitStarted[0].Store(now.Add(-c.begun).UnixNano())
		}
		if got := l.expectedWait(c.before, now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A server that cannot keep up says so at once and names a time, instead of
// letting callers wait until they give up; reads go on.
func TestOverloadIsRefusedEarly(t *testing.T) {
	db := open(t)
	nothing := func(context.Context, *Tx) error { return nil }
	var rooms int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM rooms`).Scan(&rooms); err != nil { // connects
		t.Fatal(err)
	}
	held, release := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.Write(context.Background(), func(context.Context, *Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	db.writer.load.commitStarted[0].Store(time.Now().Add(-8 * time.Second).UnixNano()) // it hangs for eight seconds now
	start := time.Now()
	err := db.Write(t.Context(), nothing)
	var refused *domain.Error
	if !errors.As(err, &refused) || refused.Kind != domain.Unavailable || refused.Code != domain.CodeBusy ||
		refused.RetryAfter < 5*time.Second {
		t.Errorf("behind a commit that hangs: %v", err)
	}
	if l := db.Load(); l.Refused != 1 || l.Wait < maxExpectedWait {
		t.Errorf("load %+v", l)
	}
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM rooms`).Scan(&rooms); err != nil {
		t.Errorf("reading meanwhile: %v", err)
	}
	if took := time.Since(start); took > maxExpectedWait {
		t.Errorf("the refusal took %s", took)
	}

	// As many as may wait, and one more.
	db.writer.load.commitStarted[0].Store(0)
	ctx, cancel := context.WithCancel(t.Context())
	for range queueLength {
		j := &job{Item: &Item{}, ctx: ctx, done: make(chan struct{}), fn: nothing}
		if err := db.writer.enqueue(j); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Write(ctx, nothing); domain.CodeOf(err) != domain.CodeBusy {
		t.Errorf("behind a full queue: %v", err)
	}
	cancel()
	close(release)
	for end := time.Now().Add(30 * time.Second); db.Load().Waiting > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := db.Write(t.Context(), nothing); err != nil {
		t.Errorf("in time: %v", err)
	}
	if l := db.Load(); l.Waiting != 0 || l.Refused != 2 {
		t.Errorf("afterwards: %+v", l)
	}
}
