package bot

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	pageEvents = 100
	// maxLooked bounds the events that are read in one go. Not all of them are told: a bot's own are not.
	maxLooked = 10 * pageEvents
	// maxCursor holds the places in domain.MaxBotRooms rooms; the route says it too.
	maxCursor = 8 << 10
	// The bus may lose that there is something new.
	lookAgain = 3 * time.Second
)

// places are how far a bot has read, by room.
type places map[string]int64

// Events returns events of others in the rooms of a bot, each room's in its order, and a cursor. With none, it waits
// for some, as long as wait; not if it has passed over as many of the bot's own as it reads at once. A call with an
// earlier cursor returns the same again; with the newer one these are done with. Without a cursor the bot begins now.
// In a room that is new to it, it begins with its arrival.
func (s *Service) Events(
	ctx context.Context, p domain.Principal, cursor string, wait time.Duration,
) ([]domain.Event, string, error) {
	read := places{}
	if cursor != "" {
		if err := httpx.DecodeLongCursor(cursor, &read, maxCursor); err != nil {
			return nil, "", err
		}
	}
	leave, err := s.polls.Enter(httpx.ClientAddr(ctx))
	if err != nil {
		return nil, "", err
	}
	defer leave()
	news := make(chan struct{}, 1)
	listening := listener{bus: s.Bus, news: news, ends: make(map[string]func())}
	defer listening.end()
	if err := listening.to(wire.UserSubject(p.ID)); err != nil {
		return nil, "", err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for first := cursor == ""; ; first = false {
		rooms, err := s.readable(ctx, p)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rooms {
			if err := listening.to(wire.RoomSubject(r.ID)); err != nil {
				return nil, "", err
			}
		}
		read = begin(read, rooms, first)
		events, more, err := s.since(ctx, p.ID, rooms, read)
		if err != nil || len(events) > 0 || more || first {
			return events, httpx.EncodeCursor(read), err
		}
		select {
		case <-news:
		case <-time.After(lookAgain):
		case <-deadline.C:
			return nil, httpx.EncodeCursor(read), nil
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

// readable returns the rooms that the token of a bot may read now.
func (s *Service) readable(ctx context.Context, p domain.Principal) ([]domain.BotRoom, error) {
	k, err := s.token(ctx, p)
	if err != nil {
		return nil, err
	}
	if !k.Read {
		return nil, errScope(domain.ScopeRead)
	}
	rooms, err := s.Store.BotRooms(ctx, p.ID)
	return slices.DeleteFunc(rooms, func(r domain.BotRoom) bool { return !k.Covers(r.ID) }), err
}

// token returns the token that a bot came with, unless it has been revoked since.
func (s *Service) token(ctx context.Context, p domain.Principal) (domain.BotToken, error) {
	k, err := s.Store.TokenByID(ctx, p.Key)
	if domain.CodeOf(err) == domain.CodeNoBot {
		err = errToken()
	}
	return k, err
}

// begin returns how far a bot has read in the rooms that it is in.
func begin(read places, rooms []domain.BotRoom, now bool) places {
	next := make(places, len(rooms))
	for _, r := range rooms {
		at, known := read[r.ID]
		switch {
		case now:
			at = r.Head
		case !known:
			at = r.Joined
		}
		next[r.ID] = at
	}
	return next
}

// since returns what others did after what is read, at most about a page, and moves read on. It reads maxLooked
// events, or less than a page more, and then says that there may be others.
func (s *Service) since(
	ctx context.Context, bot string, rooms []domain.BotRoom, read places,
) (events []domain.Event, more bool, err error) {
	looked := 0
	for _, r := range rooms {
		for read[r.ID] < r.Head && len(events) < pageEvents && looked < maxLooked {
			page, err := s.RoomLog.Replay(ctx, domain.View{Room: r.ID, Since: r.Since}, read[r.ID], pageEvents)
			if err != nil {
				return nil, false, err
			}
			if len(page) == 0 {
				break
			}
			looked += len(page)
			for _, e := range page {
				if read[r.ID] = e.Seq; e.Actor.ID != bot {
					events = append(events, e)
				}
			}
		}
	}
	return events, looked >= maxLooked, nil
}

// A listener hears that there is something new.
type listener struct {
	bus  bus.Bus
	news chan<- struct{}
	ends map[string]func()
}

func (l *listener) to(subject string) error {
	if l.ends[subject] != nil {
		return nil
	}
	end, err := l.bus.Subscribe(subject, func(bus.Message) {
		select {
		case l.news <- struct{}{}:
		default:
		}
	})
	if err == nil {
		l.ends[subject] = end
	}
	return err
}

func (l *listener) end() {
	for _, end := range l.ends {
		end()
	}
}

// Send writes a message of a bot, if its token may.
func (s *Service) Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error) {
	if err := s.Require(ctx, p, domain.ScopeWrite, d.Room); err != nil {
		return domain.Event{}, err
	}
	if len(d.Files) > 0 {
		if err := s.Require(ctx, p, domain.ScopeFiles, d.Room); err != nil {
			return domain.Event{}, err
		}
	}
	return s.Chat.Send(ctx, p, d)
}
