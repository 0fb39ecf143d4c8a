package roomlog_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/eventtest"
)

const storedForms = "testdata/stored.tsv"

// storedForm is a line of that file.
type storedForm struct {
	sample  string
	version int
	stored  string
}

func readStored(t *testing.T) (forms []storedForm) {
	t.Helper()
	file, err := os.ReadFile(storedForms)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(file) {
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		parts := strings.Split(strings.TrimSuffix(string(line), "\n"), "\t")
		if len(parts) != 3 {
			t.Fatalf("%s: %q", storedForms, line)
		}
		version, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		forms = append(forms, storedForm{parts[0], version, parts[2]})
	}
	return forms
}

// samples returns the samples of events for the users of a room.
func samples(t *testing.T, db *all.Store, room string) []eventtest.Sample {
	t.Helper()
	var refs map[string]domain.UserRef
	write(t, db, func(ctx context.Context, tx *store.Tx) (err error) {
		refs, err = accounts.Refs(ctx, tx, []string{testkit.UserID(0), testkit.UserID(1)})
		return err
	})
	return eventtest.Samples(room, refs[testkit.UserID(0)], refs[testkit.UserID(1)])
}

func write(t *testing.T, db *all.Store, fn func(context.Context, *store.Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// insert writes a row as another server may have done, and returns its number.
func insert(t *testing.T, db *all.Store, room string, typ domain.EventType, detail any) (seq int64) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx *store.Tx) error {
		tx.Invalidate()
		if err := tx.QueryRowContext(ctx, `UPDATE rooms SET head = head + 1 WHERE id = $1 RETURNING head`,
			room).Scan(&seq); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx,
			`INSERT INTO events (room_id, seq, type, actor_id, at, subject_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			room, seq, string(typ), testkit.UserID(0), store.Millis(eventtest.At()), testkit.UserID(1), detail)
		return err
	})
	return seq
}

// last returns the event with a number as a replay and as the timeline have it.
func last(t *testing.T, db *all.Store, room string, seq int64) domain.Event {
	t.Helper()
	events, err := db.Log.Replay(t.Context(), domain.WholeLog(room), seq-1, 1)
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	if events[0].Type.Timeline() {
		page, err := db.Log.Timeline(t.Context(), domain.WholeLog(room), domain.PageQuery{After: seq - 1, Limit: 1})
		if err != nil || len(page.Events) != 1 || !reflect.DeepEqual(page.Events[0], events[0]) {
			t.Errorf("the timeline has %+v, %v; a replay %+v", page.Events, err, events[0])
		}
	}
	return events[0]
}

// TestEveryEventIsReadBack holds that an event of each type is read as it was appended,
// and that its stored form is one that is written down.
func TestEveryEventIsReadBack(t *testing.T) {
	t.Parallel()
	known := make(map[storedForm]bool)
	for _, f := range readStored(t) {
		known[f] = true
	}
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		for _, s := range samples(t, db, room) {
			e := s.Event
			spec, _ := e.Type.Spec()
			if spec.Audience != domain.ForMembers || spec.Message != domain.NoMessage {
				continue
			}
			var target any
			if !spec.Timeline {
				target = 1
			}
			write(t, db, func(ctx context.Context, tx *store.Tx) error { return roomlog.Append(ctx, tx, &e, target) })
			if got := last(t, db, room, e.Seq); !reflect.DeepEqual(got, e) {
				t.Errorf("%s: wrote %+v, read %+v", s.Name, e, got)
			}
			var detail string
			err := db.QueryRowContext(t.Context(), `SELECT COALESCE(detail, '') FROM events WHERE room_id = $1 AND seq = $2`,
				room, e.Seq).Scan(&detail)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Payload == nil {
				if detail != "" {
					t.Errorf("%s has no payload, and stores %s", s.Name, detail)
				}
			} else if f := (storedForm{s.Name, spec.Version, detail}); !known[f] {
				t.Errorf("%s lacks the line\n%s\t%d\t%s", storedForms, f.sample, f.version, f.stored)
			}
		}
		readMessages(t, db, room)
	})
}

// readMessages writes a message, edits and deletes it.
func readMessages(t *testing.T, db *all.Store, room string) {
	t.Helper()
	me, now := testkit.UserID(0), time.Now()
	created := testkit.Say(t, db, me, room, "k", "hello")
	if got := last(t, db, room, created.Seq); !reflect.DeepEqual(got, created) {
		t.Errorf("wrote %+v, read %+v", created, got)
	}
	edited, err := db.Messages.EditMessage(t.Context(), me, room, created.Seq, "hello all", nil, false, now)
	if err != nil {
		t.Fatal(err)
	}
	deleted, err := db.Messages.DeleteMessage(t.Context(), me, room, created.Seq, now)
	if err != nil {
		t.Fatal(err)
	}
	for typ, e := range map[domain.EventType]domain.Event{domain.MessageEdited: edited, domain.MessageDeleted: deleted} {
		got := last(t, db, room, e.Seq)
		if e.Type != typ || got.Type != typ || got.Payload != nil || !reflect.DeepEqual(got.Message, deleted.Message) {
			t.Errorf("%s is read as %+v with %+v", typ, got, got.Message)
		}
	}
}

// TestStoredFormsAreReadForEver holds that payloads of every version are read as what they
// were written from.
func TestStoredFormsAreReadForEver(t *testing.T) {
	t.Parallel()
	forms := readStored(t)
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		byName := make(map[string]domain.Event)
		for _, s := range samples(t, db, room) {
			byName[s.Name] = s.Event
		}
		versions := make(map[domain.EventType][]int)
		for _, f := range forms {
			want, ok := byName[f.sample]
			if !ok {
				t.Fatalf("%s: there is no sample %s", storedForms, f.sample)
			}
			got := last(t, db, room, insert(t, db, room, want.Type, f.stored))
			if !reflect.DeepEqual(got.Payload, want.Payload) {
				t.Errorf("%s, version %d: read %#v, want %#v", f.sample, f.version, got.Payload, want.Payload)
			}
			versions[want.Type] = append(versions[want.Type], f.version)
		}
		for _, spec := range domain.EventSpecs() {
			for v := 1; v <= spec.Version; v++ {
				if !slices.Contains(versions[spec.Type], v) {
					t.Errorf("%s has no form of %s in version %d", storedForms, spec.Type, v)
				}
			}
		}
	})
}

// TestNewerEventsAreKept holds what becomes of events that a newer server stored: they
// are read, and their payloads stay as they are.
func TestNewerEventsAreKept(t *testing.T) {
	t.Parallel()
	newer := []struct {
		typ     domain.EventType
		stored  any
		payload domain.Payload
	}{
		{"reading.taken", `{"v":1,"celsius":21.5}`, domain.UnknownPayload{Version: 1, Stored: `{"v":1,"celsius":21.5}`}},
		{"reading.taken", `{"celsius":21.5}`, domain.UnknownPayload{Stored: `{"celsius":21.5}`}},
		{"reading.taken", nil, nil},
		{domain.MemberKicked, `{"v":2,"reasons":["loud"]}`,
			domain.UnknownPayload{Version: 2, Stored: `{"v":2,"reasons":["loud"]}`}},
		{domain.MemberLeft, `{"v":1,"why":"tired"}`, domain.UnknownPayload{Version: 1, Stored: `{"v":1,"why":"tired"}`}},
		{domain.MemberKicked, `{"v":1,"reason":"loud","more":1}`, domain.MemberKickedPayload{Reason: "loud"}},
		{domain.MemberKicked, nil, nil},
	}
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		for _, n := range newer {
			got := last(t, db, room, insert(t, db, room, n.typ, n.stored))
			if got.Type != n.typ || got.Subject == nil || !reflect.DeepEqual(got.Payload, n.payload) {
				t.Errorf("%s %v is read as %+v", n.typ, n.stored, got)
			}
		}
	})
}

// TestBrokenPayloadIsAnError holds that what no version wrote is not taken for nothing.
func TestBrokenPayloadIsAnError(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	room := testkit.Room(t, db, 2)
	for typ, broken := range map[domain.EventType][]string{
		domain.MemberKicked: {``, `{`, `[]`, `{"reason":7}`, `{"v":1,`, `{"v":0}`, `{"v":-1}`, `{"v":"1"}`,
			`{"v":99999999999999999999}`},
		"reading.taken": {`{`, `{"v":1`, `{"v":x}`},
	} {
		for _, stored := range broken {
			seq := insert(t, db, room, typ, stored)
			_, err := db.Log.Replay(t.Context(), domain.WholeLog(room), seq-1, 1)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("event %d of %s", seq, room)) {
				t.Errorf("%s %s: %v", typ, stored, err)
			}
		}
	}
}

// TestAppendKnowsTheCatalogue holds that nothing gets into a log that its type's row does
// not describe.
func TestAppendKnowsTheCatalogue(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	room := testkit.Room(t, db, 2)
	ref := domain.UserRef{ID: testkit.UserID(0)}
	event := domain.Event{Room: room, Actor: ref, Subject: &ref, At: eventtest.At()}
	for what, change := range map[string]func(*domain.Event) any{
		"of an unknown type":     func(e *domain.Event) any { e.Type = "reading.taken"; return nil },
		"that belongs in no log": func(e *domain.Event) any { e.Type = domain.MemberAsked; return nil },
		"with the payload of another": func(e *domain.Event) any {
			e.Type, e.Payload = domain.MemberKicked, domain.MemberRolePayload{}
			return nil
		},
		"with a payload and none asked": func(e *domain.Event) any {
			e.Type, e.Payload = domain.MemberLeft, domain.MemberKickedPayload{}
			return nil
		},
		"without its payload": func(e *domain.Event) any { e.Type = domain.MemberKicked; return nil },
		"with an unknown payload": func(e *domain.Event) any {
			e.Type, e.Payload = domain.MemberKicked, domain.UnknownPayload{}
			return nil
		},
		"without its subject":       func(e *domain.Event) any { e.Type, e.Subject = domain.MemberLeft, nil; return nil },
		"a line with a target":      func(e *domain.Event) any { e.Type = domain.MemberLeft; return 1 },
		"a change without a target": func(e *domain.Event) any { e.Type, e.Subject = domain.MessageEdited, nil; return nil },
	} {
		e := event
		target := change(&e)
		err := db.Write(t.Context(), func(ctx context.Context,
			tx *store.Tx) error {
			return roomlog.Append(ctx, tx, &e, target)
		})
		if err == nil || !strings.HasPrefix(err.Error(), "append "+string(e.Type)) {
			t.Errorf("an event %s is appended: %v", what, err)
		}
	}
}
