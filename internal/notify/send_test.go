package notify

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/testkit/pushtest"
	"github.com/unhidra/unhidra/internal/webpush"
)

// A queue is a store with one push, which notes what becomes of it.
type queue struct {
	Store
	state  domain.PushState
	did    string
	until  time.Time
	reason string

	claimed []domain.Push // what Claim returns
	failing error         // of Claim
	looked  func()        // Claim was called
}

func (q *queue) Claim(context.Context, int, time.Duration, time.Time) ([]domain.Push, error) {
	q.looked()
	return q.claimed, q.failing
}

func (q *queue) State(context.Context, domain.Push, time.Time) (domain.PushState, error) {
	return q.state, nil
}

func (q *queue) Postpone(_ context.Context, _ domain.Push, _ int64, until time.Time) error {
	q.did, q.until = "postpone", until
	return nil
}

func (q *queue) Retry(_ context.Context, _ domain.Push, at time.Time) error {
	q.did, q.until = "retry", at
	return nil
}

func (q *queue) Finish(_ context.Context, _ domain.Push, sent bool, _ time.Time) error {
	q.did = "drop"
	if sent {
		q.did = "sent"
	}
	return nil
}

func (q *queue) Failed(_ context.Context, _, why string, _ time.Time) error {
	q.reason = why
	return nil
}

func (q *queue) Gone(context.Context, string) error {
	q.did = "gone"
	return nil
}

func (q *queue) TellReports(context.Context, time.Duration, time.Time) (int, error) { return 0, nil }

func (q *queue) Waiting(context.Context) (int, error) { return 0, nil }

type active bool

func (a active) Active(string) bool { return bool(a) }

func sender(t *testing.T, q *queue, there bool, now time.Time, allowed ...netip.Prefix) *Service {
	t.Helper()
	s, err := webpush.NewSender([]byte("secret"), "https://chat.example.org", outbound.Client(allowed, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return New(Deps{Store: q, Presence: active(there), Sender: s, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return now }})
}

func message(now time.Time) domain.PushState {
	return domain.PushState{Count: 1, Reason: domain.NotifiedMention, Last: domain.Event{Seq: 7, Type: domain.MessageCreated,
		At: now, Message: &domain.Message{Seq: 7, Text: strings.Repeat("\"long\" ", 2000)}}}
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// What a push service answers decides what becomes of a push, and of the next ones to it.
func TestAnswersDecideWhatBecomesOfAPush(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		status    int
		did, said string
		wait      time.Duration // at least
	}{
		{201, "sent", "", 0}, {404, "gone", "", 0}, {410, "gone", "", 0}, {413, "drop", "refuses", 0},
		{302, "retry", "not followed", minBackoff}, {403, "retry", "refuses", minBackoff},
		{429, "retry", "too much", 20 * time.Minute}, {503, "retry", "too much", 20 * time.Minute},
	} {
		service := pushtest.NewService(t)
		b := pushtest.NewBrowser(t, service.URL)
		q := &queue{state: message(now)}
		s := sender(t, q, false, now, loopback)
		service.Refuse(func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "1200")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
		})
		p := domain.Push{Subscription: domain.Subscription{ID: "sub_1", Endpoint: b.Endpoint, Key: b.Public(), Auth: b.Auth},
			Room: "room_1", Seq: 7, Since: now, Tries: 1}
		if err := s.attempt(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if q.did != c.did || !strings.Contains(q.reason, c.said) || c.wait > 0 && q.until.Before(now.Add(c.wait)) {
			t.Errorf("%d: %s until %s, %q", c.status, q.did, q.until, q.reason)
		}
		if err := s.attempt(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if busy := tryLater(c.status); busy != (q.did == "postpone") {
			t.Errorf("after %d the next one: %s", c.status, q.did)
		}
	}
}

// What waited for the end of a pause is old, but was not tried: one failure does not end it.
func TestAPushIsGivenUpAfterADayOfFailures(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		since, failing time.Time
		did            string
	}{
		"it waited, and fails for the first time": {ago(2 * giveUpAfter), time.Time{}, "retry"},
		"it waited, and fails since then":         {ago(2 * giveUpAfter), ago(time.Hour), "retry"},
		"it is new, others failed for long":       {ago(time.Minute), ago(2 * giveUpAfter), "retry"},
		"it failed for a day":                     {ago(giveUpAfter + time.Hour), ago(giveUpAfter + time.Minute), "drop"},
	} {
		service := pushtest.NewService(t)
		service.Refuse(func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) })
		b := pushtest.NewBrowser(t, service.URL)
		q := &queue{state: message(now)}
		p := domain.Push{Subscription: domain.Subscription{Endpoint: b.Endpoint, Key: b.Public(), Auth: b.Auth,
			FailedAt: c.failing}, Since: c.since, Tries: 1}
		if err := sender(t, q, false, now, loopback).attempt(t.Context(), p); err != nil || q.did != c.did {
			t.Errorf("%s: %s, %v", name, q.did, err)
		}
	}
}

// What could not be leased is sent by nobody: it would be sent again each second, and by other nodes.
func TestNothingIsSentThatIsNotLeased(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	q := &queue{claimed: []domain.Push{{Room: "room_1"}}, failing: errors.New("the disk is full"), looked: stop}
	if err := sender(t, q, false, time.Unix(1_800_000_000, 0)).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if q.did != "" {
		t.Errorf("what is not leased: %s", q.did)
	}
}

// What must not be sent now waits, without an attempt.
func TestAPushWaitsForItsReceiver(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	p := domain.Push{Subscription: domain.Subscription{Endpoint: "https://127.0.0.1:1/"}, Since: now, Tries: 1}
	for name, c := range map[string]struct {
		change func(*domain.PushState)
		there  bool
		did    string
		until  time.Time
	}{
		"read":      {func(st *domain.PushState) { st.Count = 0 }, false, "drop", time.Time{}},
		"elsewhere": {func(*domain.PushState) {}, true, "postpone", now.Add(holdActive)},
		"dnd":       {func(st *domain.PushState) { st.Mode = domain.DoNotDisturb }, false, "postpone", now.Add(holdMode)},
		"paused": {func(st *domain.PushState) { st.Settings.PausedUntil = now.Add(time.Hour) }, true, "postpone",
			now.Add(time.Hour)},
	} {
		q := &queue{state: message(now)}
		c.change(&q.state)
		if err := sender(t, q, c.there, now).attempt(t.Context(), p); err != nil || q.did != c.did || !q.until.Equal(c.until) {
			t.Errorf("%s: %s until %s, %v", name, q.did, q.until, err)
		}
	}
	b := pushtest.NewBrowser(t, "https://127.0.0.1:1/")
	p.Subscription.Key, p.Subscription.Auth = b.Public(), b.Auth
	q := &queue{state: message(now)}
	if err := sender(t, q, false, now).attempt(t.Context(), p); err != nil || q.did != "retry" ||
		!strings.Contains(q.reason, "private network") {
		t.Errorf("to this machine: %s, %q, %v", q.did, q.reason, err)
	}
}

// A push about reports says how many wait where, and nothing of what they say.
func TestAPushOfReportsSaysHowManyWait(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0).UTC()
	p := domain.Push{Subscription: domain.Subscription{ID: "sub_1", User: "usr_1"}, Room: "room_1", Reports: true, Since: now}
	s := sender(t, &queue{}, false, now)
	got, err := s.payload(p, domain.PushState{Count: 2, Name: "Garden", Reason: domain.NotifiedReport})
	if want := `{"kind":"report","user":"usr_1","room":"room_1","seq":0,"name":"Garden","sender":"","count":2,` +
		`"reason":"report","at":"2027-01-15T08:00:00Z"}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	message := p
	if message.Reports = false; topic(p) == topic(message) {
		t.Error("it replaces the push about messages of the room")
	}
}
