package moderation

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/testkit"
)

// flagging is a store of one room, which notes what is flagged.
type flagging struct {
	Store
	since   time.Time // of the author's account
	flagged []domain.ReportReason
}

func (f *flagging) Screening(context.Context, string, string) (domain.Screening, time.Time, error) {
	return domain.Screening{Rough: 80, Spam: 80}, f.since, nil
}

func (f *flagging) Flag(
	_ context.Context, _ *domain.Message, flag domain.Flag, _ string, _ time.Time,
) (flagged bool, err error) {
	f.flagged = append(f.flagged, flag.Reason)
	return false, nil // nobody is told
}

// What reads like spam is flagged only if something else speaks for it; rough language is flagged as it stands; and
// what is not the author's own, or not new, is not looked at.
func TestSpamNeedsMoreThanItsText(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	const spam = "DM me to learn how I made 10k in one month trading forex"
	old := now.AddDate(-1, 0, 0)
	for name, c := range map[string]struct {
		since time.Time
		text  string
		same  int // messages with the same text before
		edit  func(*domain.Event)
		want  domain.ReportReason
	}{
		"an old account":      {since: old, text: spam},
		"a new account":       {since: now.Add(-time.Hour), text: spam, want: domain.ReportScored},
		"with a link":         {since: old, text: spam + " https://example.org", want: domain.ReportScored},
		"again":               {since: old, text: spam, same: 1, want: domain.ReportScored},
		"plain, from the new": {since: now, text: "are you home"},
		"plain, again":        {since: old, text: "the meeting moves to 10:30, same room", same: 1},
		"rough":               {since: old, text: "you stupid idiot", want: domain.ReportRough},
		"of a bot": {since: old, text: "you stupid idiot",
			edit: func(e *domain.Event) { e.Message.Sender.Kind = domain.KindBot }},
		"forwarded": {since: old, text: "you stupid idiot",
			edit: func(e *domain.Event) { e.Message.ContentType = domain.ContentForward }},
		"of yesterday": {since: old, text: "you stupid idiot",
			edit: func(e *domain.Event) { e.At = now.AddDate(0, 0, -1) }},
		"deleted": {since: old, text: "you stupid idiot",
			edit: func(e *domain.Event) { e.Message.DeletedAt = now }},
	} {
		store := &flagging{since: c.since}
		s := New(Deps{Store: store, Log: testkit.Logger(t), Metrics: prometheus.NewRegistry(),
			Now: func() time.Time { return now }})
		for seq := range c.same + 1 {
			e := domain.Event{Type: domain.MessageCreated, Room: "room_1", At: now, Message: &domain.Message{
				Room: "room_1", Seq: int64(seq + 1), Sender: domain.UserRef{ID: "usr_1", Kind: domain.KindUser},
				ContentType: domain.ContentMarkdown, Text: c.text}}
			if c.edit != nil {
				c.edit(&e)
			}
			store.flagged = nil
			if err := s.Consumer().Handle(t.Context(), []feed.Entry[domain.Event]{{Value: e}}); err != nil {
				t.Fatal(err)
			}
		}
		var got domain.ReportReason
		if len(store.flagged) > 0 {
			got = store.flagged[0]
		}
		if got != c.want {
			t.Errorf("%s: flagged as %q, want %q", name, got, c.want)
		}
	}
}
