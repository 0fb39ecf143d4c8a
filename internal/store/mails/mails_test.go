package mails_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func queueMail(t *testing.T, db *all.Store, id, once string, now time.Time) bool {
	t.Helper()
	m := domain.QueuedMail{ID: id, To: "ann@example.org", Template: domain.MailLocked, Data: []byte("sealed"),
		Created: now, GiveUp: now.Add(time.Hour)}
	queued, err := db.Mails.QueueMail(t.Context(), m, once)
	if err != nil {
		t.Fatal(err)
	}
	return queued
}

func claim(t *testing.T, db *all.Store, now time.Time) *domain.QueuedMail {
	t.Helper()
	m, err := db.Mails.ClaimMail(t.Context(), time.Minute, now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMailIsClaimedByOneWorkerAtATime(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		const mails, workers = 40, 8
		for i := range mails {
			queueMail(t, db, fmt.Sprintf("mail_%03d", i), "", now)
		}
		var mu sync.Mutex
		seen := make(map[string]int)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for {
					m, err := db.Mails.ClaimMail(t.Context(), time.Minute, now)
					if err != nil {
						t.Error(err)
						return
					}
					if m == nil {
						return
					}
					mu.Lock()
					seen[m.ID]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
		for m := claim(t, db, now); m != nil; m = claim(t, db, now) {
			seen[m.ID]++ // a worker may have met another at the last row, and gone home
		}
		if len(seen) != mails {
			t.Errorf("%d of %d mails were claimed", len(seen), mails)
		}
	})
}

func TestMailIsClaimedAgainAfterItsLease(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.UnixMilli(1_800_000_000_000)
		queueMail(t, db, "mail_1", "", now)
		first := claim(t, db, now)
		if first == nil || first.To != "ann@example.org" || string(first.Data) != "sealed" || first.Attempts != 1 ||
			!first.GiveUp.Equal(now.Add(time.Hour)) {
			t.Fatalf("claimed %+v", first)
		}
		if m := claim(t, db, now.Add(59*time.Second)); m != nil {
			t.Errorf("claimed twice within the lease: %+v", m)
		}
		again := claim(t, db, now.Add(61*time.Second))
		if again == nil || again.Attempts != 2 {
			t.Fatalf("after the lease: %+v", again)
		}
		// The first worker wakes up, and no longer has a say.
		if err := db.Mails.RetryMail(t.Context(), "mail_1", first.Attempts, now); err != nil {
			t.Fatal(err)
		}
		if m := claim(t, db, now.Add(62*time.Second)); m != nil {
			t.Error("a worker whose claim had ended gave the mail away")
		}
		if err := db.Mails.FinishMail(t.Context(), "mail_1", true, now); err != nil {
			t.Fatal(err)
		}
		if m := claim(t, db, now.Add(time.Hour)); m != nil {
			t.Errorf("a mail that was sent is claimed again: %+v", m)
		}
		if n, err := db.Mails.WaitingMails(t.Context()); n != 0 || err != nil {
			t.Errorf("waiting: %d, %v", n, err)
		}
	})
}

func TestNoticesComeOnceADay(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.UnixMilli(1_800_000_000_000)
		for i, c := range []struct {
			once  string
			after time.Duration
			want  bool
		}{
			{"locked:ann", 0, true},
			{"locked:ann", time.Hour, false},
			{"locked:ben", time.Hour, true},
			{"", time.Hour, true},
			{"locked:ann", 23 * time.Hour, false},
			{"locked:ann", 24 * time.Hour, true},
			{"locked:ann", 25 * time.Hour, false},
		} {
			if got := queueMail(t, db, fmt.Sprintf("mail_%d", i), c.once, now.Add(c.after)); got != c.want {
				t.Errorf("%d: %q after %v: queued %v, want %v", i, c.once, c.after, got, c.want)
			}
		}
		if n, err := db.Mails.WaitingMails(t.Context()); n != 4 || err != nil {
			t.Errorf("waiting: %d, %v", n, err)
		}
		if err := db.Mails.PruneMails(t.Context(), now, now.Add(60*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n, _ := db.Mails.WaitingMails(t.Context()); n != 4 {
			t.Errorf("forgot mails that wait: %d are left", n)
		}
	})
}
