package notify

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/fulltext"
)

const editedWithin = 24 * time.Hour // of a message: later edits tell nobody

// A told is what may be told of an event.
type told struct {
	room, actor string
	seq         int64 // of the message
	thread      int64 // of a reply; 0: it is in none
	main        bool  // a line of the room
	edited      bool  // only who is named is told
	named       []string
	all         bool // it names @room
	text        string
	at          time.Time
}

// toldOf returns what may be told of an event, and false if it is nothing.
func toldOf(e domain.Event) (t told, ok bool) {
	t = told{room: e.Room, actor: e.Actor.ID, seq: e.Seq, main: true, at: e.At}
	spec, _ := e.Type.Spec()
	switch {
	case e.Type == domain.AlarmRaised:
		return t, true
	case e.Type == domain.AlarmEscalated:
		p, _ := e.Payload.(domain.AlarmEscalatedPayload)
		if t.all = p.User == ""; !t.all {
			t.named = []string{p.User}
		}
		return t, true
	case e.Type == domain.MessagePreviewed, e.Type == domain.MessageFlagged, spec.Message == domain.NoMessage,
		e.Message == nil, !e.Message.DeletedAt.IsZero():
		return t, false
	}
	m := e.Message
	t.edited = spec.Message == domain.ChangedMessage
	if t.edited && e.At.Sub(m.At) > editedWithin {
		return t, false
	}
	t.seq, t.actor, t.thread, t.main = m.Seq, m.Sender.ID, m.Thread, m.Main()
	t.named, t.all, t.text = m.Mentions, m.MentionsRoom, m.Text
	return t, true
}

// ConsumerName is that of the consumer's cursor.
const ConsumerName = "notifications"

// Consumer returns the consumer of the feed that decides who is told of what.
func (s *Service) Consumer() feed.Consumer[domain.Event] {
	return feed.Consumer[domain.Event]{Name: ConsumerName, Handle: s.handle}
}

// Wanted returns when somebody gets pushes, or when ctx is done. Before, nobody need read the feed.
func (s *Service) Wanted(ctx context.Context) error {
	return feed.Await(ctx, s.wanted, func(ctx context.Context) bool {
		yes, err := s.Store.Anybody(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for subscriptions; will try again", "err", err)
		}
		return yes
	})
}

// handle decides on the events of a page of the feed. It may get them again: each notification is stored once.
func (s *Service) handle(ctx context.Context, entries []feed.Entry[domain.Event]) error {
	now := s.Now()
	byRoom := map[string][]told{}
	var rooms []string // in the order of the feed
	for _, e := range entries {
		if t, ok := toldOf(e.Value); ok && now.Sub(t.at) < domain.NotificationsKept {
			if byRoom[t.room] == nil {
				rooms = append(rooms, t.room)
			}
			byRoom[t.room] = append(byRoom[t.room], t)
		}
	}
	var all []domain.Notification
	for _, room := range rooms {
		some, err := s.inRoom(ctx, room, byRoom[room], now)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		return nil
	}
	added, err := s.Store.Record(ctx, all, now)
	for _, n := range added {
		s.metrics.decided.WithLabelValues(string(n.Reason)).Inc()
	}
	if len(added) > 0 {
		notify(s.wake)
	}
	return err
}

// inRoom decides on what happened in one room.
func (s *Service) inRoom(
	ctx context.Context, room string, of []told, now time.Time,
) (all []domain.Notification, err error) {
	var threads []int64
	for _, t := range of {
		if t.thread != 0 && !slices.Contains(threads, t.thread) {
			threads = append(threads, t.thread)
		}
	}
	members, err := s.Store.Recipients(ctx, room, threads, now)
	if err != nil || len(members) == 0 {
		return nil, err
	}
	for _, t := range of {
		n, err := s.recipients(ctx, t, members)
		if err != nil {
			return nil, err
		}
		all = append(all, n...)
	}
	return all, nil
}

// recipients returns the notifications of one message, for those of members who are told of it.
func (s *Service) recipients(
	ctx context.Context, t told, members []domain.Recipient,
) (all []domain.Notification, err error) {
	words := lazyWords(t.text)
	for _, m := range members {
		if m.User == t.actor {
			continue
		}
		reason := t.to(m, words).Reason()
		if reason == domain.NotNotified || t.edited && reason != domain.NotifiedMention && reason != domain.NotifiedRoom {
			continue
		}
		n := domain.Notification{User: m.User, Room: t.room, Seq: t.seq, Reason: reason, At: t.at}
		if !t.main {
			n.Thread = t.thread
		}
		all = append(all, n)
	}
	if len(all) == 0 {
		return nil, nil
	}
	users := make([]string, len(all))
	for i, n := range all {
		users[i] = n.User
	}
	blocked, err := s.Store.Blocked(ctx, users, t.actor)
	return slices.DeleteFunc(all, func(n domain.Notification) bool { return blocked[n.User] }), err
}

// to says what t is to a member.
func (t told) to(m domain.Recipient, words func() []string) domain.Addressed {
	a := domain.Addressed{
		Account: m.Settings.Level, Room: m.Room, Direct: m.Direct, Named: slices.Contains(t.named, m.User), NamesRoom: t.all,
		Main: t.main,
	}
	if t.thread != 0 {
		a.Thread, a.Follows = m.Threads[t.thread], m.Follows[t.thread]
	}
	a.Keyword = t.text != "" && slices.ContainsFunc(m.Settings.Keywords, func(keyword string) bool {
		return contains(words(), wordsOf(keyword))
	})
	return a
}

// lazyWords returns the words of a text, which it finds when it is asked first.
func lazyWords(text string) func() []string {
	var words []string
	return func() []string {
		if words == nil {
			words = wordsOf(text)
		}
		return words
	}
}

func wordsOf(text string) []string {
	words := []string{}
	for _, t := range fulltext.Tokens(text) {
		words = append(words, t.Word)
	}
	return words
}

// contains reports whether some words stand in a text, one after the other.
func contains(text, some []string) bool {
	for i := 0; len(some) > 0 && i+len(some) <= len(text); i++ {
		if slices.Equal(text[i:i+len(some)], some) {
			return true
		}
	}
	return false
}
