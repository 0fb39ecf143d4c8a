package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/history"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/wire"
)

type records struct {
	mu sync.Mutex
	of []domain.AuditEvent
}

func (r *records) Record(_ context.Context, e domain.AuditEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of = append(r.of, e)
}

// retainedRooms creates rooms with different rules, with one message a day since start, and returns
// their ids by name.
func retainedRooms(t *testing.T, db *all.Store, start time.Time) (owner string, rooms map[string]string) {
	t.Helper()
	ctx := t.Context()
	user := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser,
		Username: "owner", DisplayName: "Owner"}
	if err := db.Accounts.CreateUser(ctx, user, "", domain.Signup{}, start); err != nil {
		t.Fatal(err)
	}
	rooms = map[string]string{}
	for name, keep := range map[string]*domain.RoomRetention{
		"server's": nil, "week": {Own: true, Retention: domain.Retention{Days: 7}},
		"five": {Own: true, Retention: domain.Retention{Lines: 5}},
		"all":  {Own: true}, "held": nil,
	} {
		s, _, err := db.Rooms.CreateRoom(ctx, user.ID, domain.NewRoom{Kind: domain.PrivateRoom, Name: name}, start)
		if err != nil {
			t.Fatal(err)
		}
		rooms[name] = s.Room.ID
		if keep != nil {
			if _, err := db.Rooms.UpdateRoom(ctx, user.ID, s.Room.ID, domain.RoomChange{Keep: keep}, start); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 40 { // one each day
			d := domain.Draft{Room: s.Room.ID, Key: fmt.Sprint(name, i), Text: "text"}
			if _, _, err := db.Messages.AppendMessage(ctx, user.ID, d, nil, false,
				start.Add(time.Duration(i)*24*time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := db.Rooms.HoldRoom(ctx, user.ID, rooms["held"], true, start); err != nil {
		t.Fatal(err)
	}
	return user.ID, rooms
}

// Each room is purged by its own rules or the server's, connected members are told, and the audit log
// records how much was purged.
func TestPurgeAll(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, start := t.Context(), time.Now()
		owner, rooms := retainedRooms(t, db, start)
		news := bus.NewLocal()
		told := make(chan wire.Purged, 10)
		stop, err := news.Subscribe(wire.RoomSubject(rooms["week"]), func(m bus.Message) {
			h, frame, err := wire.Unpack(m.Data)
			var v struct{ Data wire.Purged }
			if err != nil || h.Type != wire.TypePurged || json.Unmarshal(frame, &v) != nil {
				t.Errorf("%s: %v", m.Data, err)
			}
			told <- v.Data
		})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()

		log := &records{}
		now := start.Add(39*24*time.Hour + time.Minute)
		s := history.New(history.Deps{
			Store: history.Store{
				RoomStore: db.Rooms, LogStore: db.Log, SearchStore: db.Search, UserStore: db.Accounts, RetentionStore: db.Messages,
				SettingStore: db.Server, Database: db,
			},
			Bus: news, Audit: log, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
			Retention: domain.RetentionRules{Default: domain.Retention{Days: 30}},
		})
		kept := func(t *testing.T, name string) (n int) {
			es, err := db.Log.Replay(ctx, domain.WholeLog(rooms[name]), 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				if e.Type == domain.MessageCreated {
					n++
				}
			}
			return n
		}
		if err := s.PurgeAll(ctx); err != nil {
			t.Fatal(err)
		}
		t.Run("each room keeps what its rules say", func(t *testing.T) {
			for name, want := range map[string]int{"server's": 30, "week": 7, "five": 5, "all": 40, "held": 40} {
				if got := kept(t, name); got != want {
					t.Errorf("%s: %d messages are kept, want %d", name, got, want)
				}
			}
		})
		t.Run("members who are connected are told", func(t *testing.T) {
			select {
			case p := <-told:
				if p.Room != rooms["week"] || p.Floor != 36 { // created, joined, updated, and 33 messages
					t.Errorf("members are told %+v", p)
				}
			case <-time.After(2 * time.Minute):
				t.Error("nobody was told")
			}
		})
		t.Run("the audit log says how much went", func(t *testing.T) {
			if len(log.of) != 1 || log.of[0].Type != domain.AuditPurge || log.of[0].Details["rooms"] != "3" {
				t.Errorf("the audit log has %+v", log.of)
			}
		})
		t.Run("later bounds count for what rooms chose before", func(t *testing.T) {
			if err := db.Server.SetSetting(ctx, domain.Setting{Name: history.SettingRetentionMaxDays, Value: "20", By: owner,
				At: now}); err != nil {
				t.Fatal(err)
			}
			if err := s.PurgeAll(ctx); err != nil {
				t.Fatal(err)
			}
			if got := kept(t, "all"); got != 20 {
				t.Errorf("%d messages are kept of a room with a bound of 20 days", got)
			}
		})
		if err := db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestRoomChoosesRetention(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		s := live.Start(t, o, "UNHIDRA_RETENTION_MAX_DAYS=90")
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "public", Name: "Den"})
		if err != nil {
			t.Fatal(err)
		}
		in := "/rooms/" + room.ID
		for _, c := range []struct {
			who  *client.Client
			body any
			code domain.Code
		}{
			{ann, obj{"retention": obj{"days": 30, "lines": 1000}}, ""},
			{ann, obj{"retention": obj{"days": -1}}, domain.CodeInvalidRequest},
			{bob, obj{"retention": obj{"days": 1}}, domain.CodeNotAMember},
		} {
			err := c.who.Do(t.Context(), "PATCH", in, c.body, nil)
			var refused *client.Error
			var code domain.Code
			if errors.As(err, &refused) {
				code = refused.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if code != c.code {
				t.Errorf("%v: %q, want %q", c.body, code, c.code)
			}
		}
		var st struct {
			Retention *struct{ Days, Lines int }
		}
		get(t, ann, in, &st)
		if st.Retention == nil || st.Retention.Days != 30 || st.Retention.Lines != 1000 {
			t.Errorf("the room says %+v", st.Retention)
		}
		if err := ann.Do(t.Context(), "PATCH", in, obj{"retention": obj{"server": true}}, nil); err != nil {
			t.Fatal(err)
		}
		st.Retention = nil
		get(t, ann, in, &st)
		if st.Retention != nil {
			t.Errorf("back to the server's rules, the room says %+v", st.Retention)
		}
		var rules struct {
			MaxDays int `json:"max_days"`
		}
		get(t, ann, "/retention", &rules)
		if rules.MaxDays != 90 {
			t.Errorf("rules %+v", rules)
		}
		if code := get(t, ann, in+"/events?after=0", nil); code != "" {
			t.Error(code)
		}
	})
}

// A deleted room is purged soon, and not only in the next round.
func TestDeletedRoomIsPurged(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		owner := s.User("owner")
		room, err := owner.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Den"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Send(t.Context(), client.Draft{Room: room.ID, Key: "1", Text: "text"}); err != nil {
			t.Fatal(err)
		}
		if err := owner.Do(t.Context(), "DELETE", "/rooms/"+room.ID, nil, nil); err != nil {
			t.Fatal(err)
		}
		o := s.Store
		o.Tool = true
		db := testkit.Open(t, o)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(time.Minute); ; <-tick.C {
			left, err := db.Messages.Purgeable(t.Context(), "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("still there: %+v", left)
			}
		}
	})
}
