package rooms_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// looks are the rooms of a test, whose pictures are files.
type looks struct {
	*testing.T
	db  *all.Store
	now time.Time
}

// file stores a file, and returns its hash.
func (l looks) file(of string) string {
	l.Helper()
	hash := strings.Repeat(of, 64)
	_, err := l.db.Blobs.AddBlob(l.Context(), domain.Blob{Hash: hash, Size: 1, Type: "image/jpeg", Object: of}, l.now)
	l.must(err)
	return hash
}

func (l looks) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l looks) change(user, room string, c domain.LookChange) (domain.RoomLook, error) {
	l.Helper()
	e, err := l.db.Rooms.UpdateRoom(l.Context(), user, room, domain.RoomChange{Look: &c}, l.now)
	if err != nil {
		return domain.RoomLook{}, err
	}
	r, err := l.db.Rooms.Room(l.Context(), room)
	l.must(err)
	if p, ok := e.Payload.(domain.RoomUpdatedPayload); !ok || p.Look == nil || *p.Look != r.Look {
		l.Errorf("the room is %+v, and its event says %+v", r.Look, e.Payload)
	}
	return r.Look, nil
}

// pictures are the files that anything refers to.
func (l looks) pictures(want ...string) {
	l.Helper()
	all, err := l.db.Blobs.ReferredBlobs(l.Context(), "", 10)
	l.must(err)
	var has []string
	for _, b := range all {
		has = append(has, b.Object)
		if p, err := l.db.Accounts.Avatar(l.Context(), domain.AvatarOf(b.Hash)); err != nil || p.Hash != b.Hash {
			l.Errorf("the picture %s is not served: %v", b.Object, err)
		}
	}
	if strings.Join(has, " ") != strings.Join(want, " ") {
		l.Errorf("there are references to %q; want %q", has, want)
	}
}

func (l looks) exec(query string, args ...any) {
	l.Helper()
	l.must(l.db.Write(l.Context(), func(ctx context.Context, t *store.Tx) error {
		t.Invalidate()
		_, err := t.ExecContext(ctx, query, args...)
		return err
	}))
}

// A room has a picture or an emoji, and a colour beside them. Its picture is kept as long as it has it, also if a node
// of an older version deletes the room.
func TestLooks(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room, ann, bob := testkit.Room(t, db, 2), testkit.UserID(0), testkit.UserID(1)
		l := looks{t, db, time.Now()}
		teal, none, tools, a, b := "teal", "", "🔧", l.file("a"), l.file("b")
		for _, step := range []struct {
			change domain.LookChange
			want   domain.RoomLook
			files  []string
		}{
			{domain.LookChange{Colour: &teal}, domain.RoomLook{Colour: teal}, nil},
			{domain.LookChange{Picture: &a}, domain.RoomLook{Colour: teal, Avatar: a[:32]}, []string{"a"}},
			{domain.LookChange{Picture: &b}, domain.RoomLook{Colour: teal, Avatar: b[:32]}, []string{"b"}},
			{domain.LookChange{Emoji: &none}, domain.RoomLook{Colour: teal, Avatar: b[:32]}, []string{"b"}},
			{domain.LookChange{Emoji: &tools}, domain.RoomLook{Colour: teal, Emoji: tools}, nil},
			{domain.LookChange{Picture: &none}, domain.RoomLook{Colour: teal, Emoji: tools}, nil},
			{domain.LookChange{Picture: &a, Colour: &none}, domain.RoomLook{Avatar: a[:32]}, []string{"a"}},
			{domain.LookChange{Picture: &none}, domain.RoomLook{}, nil},
			{domain.LookChange{Picture: &a}, domain.RoomLook{Avatar: a[:32]}, []string{"a"}},
		} {
			got, err := l.change(ann, room, step.change)
			if err != nil || got != step.want {
				t.Errorf("%+v makes %+v, %v; want %+v", step.change, got, err, step.want)
			}
			l.pictures(step.files...)
		}
		name := "Other"
		_, err := db.Rooms.UpdateRoom(t.Context(), ann, room, domain.RoomChange{Name: &name}, l.now)
		l.must(err)
		st, err := db.Rooms.RoomState(t.Context(), bob, room)
		if l.must(err); st.Room.Look.Avatar != a[:32] {
			t.Errorf("with another name it looks like %+v", st.Room.Look)
		}
		direct, _, err := db.Rooms.CreateRoom(t.Context(), ann,
			domain.NewRoom{Kind: domain.DirectRoom, Members: []string{bob}}, l.now)
		l.must(err)
		stranger := domain.NewID(domain.UserPrefix)
		for _, c := range []struct {
			user, room string
			code       domain.Code
		}{{bob, room, domain.CodeRoleTooLow}, {ann, direct.Room.ID, domain.CodeNotInDirect},
			{stranger, room, domain.CodeNotAMember}} {
			if _, err := l.change(c.user, c.room, domain.LookChange{Colour: &teal}); domain.CodeOf(err) != c.code {
				t.Errorf("%s changes %s: %v", c.user, c.room, err)
			}
		}
		l.must(db.Accounts.ReleaseAvatars(t.Context(), l.now))
		l.pictures("a")
		_, err = db.Rooms.DeleteRoom(t.Context(), ann, room, l.now)
		l.must(err)
		l.pictures()

		older, _, err := db.Rooms.CreateRoom(t.Context(), ann, domain.NewRoom{Kind: domain.PrivateRoom, Name: "Den"}, l.now)
		l.must(err)
		_, err = l.change(ann, older.Room.ID, domain.LookChange{Picture: &a})
		l.must(err)
		l.exec(`UPDATE rooms SET kind = 'gone' WHERE id = $1`, older.Room.ID) // as a node before looks does
		l.pictures("a")
		l.must(db.Accounts.ReleaseAvatars(t.Context(), l.now))
		l.pictures()
	})
}
