package bot_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bot"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

const me = "usr_bot"

// world is the store and the log of a bot that may read.
type world struct {
	bot.Store
	rooms []domain.BotRoom
	only  []string // the rooms that its token is for; nil: all
	logs  map[string][]domain.Event
	read  int // events that were read of the logs
}

func (w *world) TokenByID(context.Context, string) (domain.BotToken, error) {
	return domain.BotToken{Read: true, Write: true, Rooms: w.only}, nil
}

func (w *world) BotRooms(context.Context, string) ([]domain.BotRoom, error) {
	return slices.Clone(w.rooms), nil
}

func (w *world) Replay(_ context.Context, v domain.View, after int64, limit int) ([]domain.Event, error) {
	var page []domain.Event
	for _, e := range w.logs[v.Room] {
		if e.Seq > after && len(page) < limit {
			page = append(page, e)
		}
	}
	w.read += len(page)
	return page, nil
}

// says appends an event to the log of the i-th room.
func (w *world) says(i int, who string) {
	r := &w.rooms[i]
	r.Head++
	w.logs[r.ID] = append(w.logs[r.ID], domain.Event{Room: r.ID, Seq: r.Head, Actor: domain.UserRef{ID: who}})
}

func newWorld(rooms int, head int64) (*world, *bot.Service) {
	w := &world{logs: make(map[string][]domain.Event)}
	for range rooms {
		w.rooms = append(w.rooms, domain.BotRoom{ID: domain.NewID(domain.RoomPrefix), Joined: head, Head: head})
	}
	return w, bot.New(bot.Deps{Store: w, RoomLog: w, Bus: bus.NewLocal()})
}

func events(t *testing.T, s *bot.Service, cursor string, wait time.Duration) ([]domain.Event, string) {
	t.Helper()
	found, next, err := s.Events(t.Context(), domain.Principal{ID: me, Kind: domain.KindBot}, cursor, wait)
	if err != nil {
		t.Fatal(err)
	}
	return found, next
}

// A bot goes on with its own cursor, in as many rooms as a bot may be in. Concurrent joins may exceed these by a few.
func TestABotInManyRoomsGoesOn(t *testing.T) {
	t.Parallel()
	w, s := newWorld(domain.MaxBotRooms+10, 1e12)
	_, cursor := events(t, s, "", 0)
	for i := range w.rooms {
		w.says(i, "usr_ann")
	}
	heard := 0
	for range w.rooms {
		var found []domain.Event
		if found, cursor = events(t, s, cursor, 0); len(found) == 0 {
			break
		}
		heard += len(found)
	}
	if heard != len(w.rooms) {
		t.Errorf("it heard %d events of %d", heard, len(w.rooms))
	}
}

// A token for some rooms reads these and no other, though its bot is in more.
func TestATokenReadsOnlyTheRoomsThatItIsFor(t *testing.T) {
	t.Parallel()
	w, s := newWorld(3, 1)
	w.only = []string{w.rooms[1].ID}
	_, cursor := events(t, s, "", 0)
	for i := range w.rooms {
		w.says(i, "usr_ann")
	}
	found, _ := events(t, s, cursor, 0)
	if len(found) != 1 || found[0].Room != w.only[0] {
		t.Errorf("it hears %+v", found)
	}
}

// However much a bot has written, one request reads a bounded part of the logs. It does not wait then, and the next
// ones go on until the bot hears what others said.
func TestARequestPassesOverSoMuchOfItsOwnAtMost(t *testing.T) {
	t.Parallel()
	const own, most, page = 2500, 1000, 100
	w, s := newWorld(2, 0)
	_, cursor := events(t, s, "", 0)
	for i := range own {
		w.says(i%2, me)
	}
	w.says(1, "usr_ann")
	for n := range own/most + 1 {
		before := w.read
		found, next := events(t, s, cursor, time.Hour)
		if w.read-before >= most+page {
			t.Fatalf("a request read %d events", w.read-before)
		}
		if len(found) == 1 && found[0].Actor.ID == "usr_ann" {
			return
		}
		if len(found) > 0 || next == cursor {
			t.Fatalf("request %d: %+v, cursor %s", n, found, next)
		}
		cursor = next
	}
	t.Error("it does not hear what others said")
}
