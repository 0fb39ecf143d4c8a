package moderation

import (
	"context"
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/classifier"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
)

const (
	newcomer       = 7 * 24 * time.Hour // an account that is not older is a sign of spam
	repeatWithin   = time.Hour          // so is what the same person wrote in another message within that time
	maxRemembered  = 10_000             // texts that were written lately
	screenedWithin = time.Hour          // of being written; older messages are not screened any more
)

// ConsumerName is that of the consumer's cursor.
const ConsumerName = "screening"

// Consumer returns the consumer of the feed that screens messages. A message is acknowledged and delivered before.
func (s *Service) Consumer() feed.Consumer[domain.Event] {
	return feed.Consumer[domain.Event]{Name: ConsumerName, From: feed.Now, Handle: s.screenAll}
}

// Wanted returns when a room has its messages screened, or when ctx is done. Before, nobody need read the feed.
func (s *Service) Wanted(ctx context.Context) error {
	return feed.Await(ctx, nil, func(ctx context.Context) bool {
		yes, err := s.Store.Screens(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for rooms whose messages are screened; will try again", "err", err)
		}
		return yes
	})
}

func (s *Service) screenAll(ctx context.Context, entries []feed.Entry[domain.Event]) error {
	for _, e := range entries {
		if err := s.screen(ctx, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// screen flags the message of e if its text scores high enough for its room. Nothing is asked of the store for the
// many that score nothing.
func (s *Service) screen(ctx context.Context, e domain.Event) error {
	m := e.Message
	if e.Type != domain.MessageCreated && e.Type != domain.MessageEdited || m == nil || !m.DeletedAt.IsZero() ||
		m.Sender.Kind != domain.KindUser || m.ContentType == domain.ContentForward || // what others said is theirs
		s.Now().Sub(e.At) > screenedWithin {
		return nil
	}
	repeated := s.lately.repeats(m, s.Now())
	score, words := classifier.Rough(m.Text)
	rough := domain.Flag{Reason: domain.ReportRough, Score: percent(score)}
	spam := domain.Flag{Reason: domain.ReportScored, Score: percent(classifier.Spam(m.Text))}
	if max(rough.Score, spam.Score) < domain.MinScreening {
		return nil
	}
	room, since, err := s.Store.Screening(ctx, m.Room, m.Sender.ID)
	switch {
	case err != nil:
		return err
	case room.Flags(rough):
		return s.flag(ctx, m, rough, strings.Join(words, ", "))
	case room.Flags(spam) && (repeated || s.Now().Sub(since) < newcomer || len(domain.Links(m.Text, 1)) > 0):
		return s.flag(ctx, m, spam, "")
	}
	return nil
}

// percent is a score in whole per cent. Nothing is wholly sure.
func percent(score float64) int { return min(int(100*score), 99) }

func (s *Service) flag(ctx context.Context, m *domain.Message, f domain.Flag, note string) error {
	if r := []rune(note); len(r) > domain.MaxReportNote {
		note = string(r[:domain.MaxReportNote])
	}
	flagged, err := s.Store.Flag(ctx, m, f, note, s.Now())
	if err != nil || !flagged {
		return err
	}
	s.flagged.WithLabelValues(string(f.Reason)).Inc()
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditReport, Actor: domain.AuditActor{Kind: domain.ActorSystem},
		Target:  domain.AuditTarget{Kind: "room", ID: m.Room},
		Details: map[string]string{"seq": strconv.FormatInt(m.Seq, 10), "reason": string(f.Reason)},
	})
	s.tellDesk(ctx, InMessage{m.Room, m.Seq}, false, domain.ReportOpen, "")
	return nil
}

func (s *Service) postAppeal(ctx context.Context, in *InMessage) (*struct{}, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	first, err := s.Store.Appeal(ctx, p.ID, in.Room, in.Seq, s.Now())
	if err != nil || !first {
		return nil, err
	}
	s.Audit.Record(ctx, event(ctx, domain.AuditAppeal, string(domain.KindUser), *in, map[string]string{}))
	s.tellDesk(ctx, *in, false, domain.ReportOpen, "")
	return nil, nil
}

// lately remembers who wrote which text in the last hour, up to a bound. It belongs to the one consumer.
type lately struct {
	seen map[[sha256.Size]byte]written
}

type written struct {
	room string
	seq  int64
	at   time.Time
}

// repeats reports whether who wrote m wrote the same text in another message lately. Short texts do not count: people
// say yes often.
func (l *lately) repeats(m *domain.Message, now time.Time) bool {
	if len(m.Text) < 20 {
		return false
	}
	if l.seen == nil || len(l.seen) >= maxRemembered {
		l.seen = map[[sha256.Size]byte]written{}
	}
	key := sha256.Sum256([]byte(m.Sender.ID + "\x00" + m.Text))
	before, found := l.seen[key]
	l.seen[key] = written{m.Room, m.Seq, now}
	return found && (before.room != m.Room || before.seq != m.Seq) && now.Sub(before.at) < repeatWithin
}
