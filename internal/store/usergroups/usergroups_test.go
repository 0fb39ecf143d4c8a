package usergroups_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func person(i int, name string) domain.User {
	return domain.User{ID: testkit.UserID(i), Kind: domain.KindUser, Role: domain.SystemUser, Username: name,
		DisplayName: name}
}

// group stores a group of some users.
func group(t *testing.T, db *all.Store, handle string, users ...int) (domain.UserGroup, error) {
	t.Helper()
	g := domain.UserGroup{ID: domain.NewID(domain.UserGroupPrefix), Handle: handle, Name: "Group " + handle,
		CreatedAt: time.Now().Truncate(time.Millisecond)}
	var people []string
	for _, i := range users {
		people = append(people, testkit.UserID(i))
	}
	return g, db.UserGroups.CreateUserGroup(t.Context(), g, people)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// made is a group of some users that there is now.
func made(t *testing.T, db *all.Store, handle string, users ...int) domain.UserGroup {
	t.Helper()
	g, err := group(t, db, handle, users...)
	must(t, err)
	return g
}

func refused(t *testing.T, what string, err error, want domain.Code) {
	t.Helper()
	if domain.CodeOf(err) != want {
		t.Errorf("%s: %v, not %s", what, err, want)
	}
}

// No group has a name that is a person's or looks like one, nor the other way round: also a name that another person
// has not confirmed yet, and one that a group had before.
func TestHandlesAreUsernames(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		join := func(u domain.User) error { return db.Accounts.CreateUser(ctx, u, "", domain.Signup{}, time.Now()) }
		waiting := person(1, "later")
		waiting.Pending = true
		must(t, join(person(0, "ann")))
		must(t, join(waiting))
		team := made(t, db, "team1", 0)
		for _, handle := range []string{"ann", "later", "team1", "teaml", "1ater"} {
			_, err := group(t, db, handle)
			refused(t, handle, err, domain.CodeNameTaken)
		}
		for _, name := range []string{"team1", "tearnl"} {
			refused(t, name, join(person(2, name)), domain.CodeNameTaken)
		}
		other, own, long := made(t, db, "frontend"), "teaml", "The first team"
		refused(t, "the handle of another group", db.UserGroups.ChangeUserGroup(ctx, other.ID, &own, nil),
			domain.CodeNameTaken)
		must(t, db.UserGroups.ChangeUserGroup(ctx, team.ID, &own, &long)) // looks only like its own
		g, members, err := db.UserGroups.UserGroup(ctx, testkit.UserID(0), "", own)
		if err != nil || g.ID != team.ID || g.Name != long || !g.Mine || g.Size != 1 || len(members) != 1 ||
			members[0].Username != "ann" || !g.CreatedAt.Equal(team.CreatedAt) {
			t.Errorf("the group is %+v with %v, %v", g, members, err)
		}
		_, _, err = db.UserGroups.UserGroup(ctx, "", "", "team1")
		refused(t, "the handle before", err, domain.CodeNoUserGroup)
		must(t, db.UserGroups.DeleteUserGroup(ctx, team.ID))
		refused(t, "deleted twice", db.UserGroups.DeleteUserGroup(ctx, team.ID), domain.CodeNoUserGroup)
		must(t, join(person(2, "team1")))
	})
}

// Only people who may sign in are in groups, each once, and no more than a group can have. Who deletes their account is
// in none.
func TestWhoIsInAGroup(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx := t.Context()
		testkit.Room(t, db, 3)
		g := made(t, db, "backend", 0, 1)
		bot := testkit.Bot(t, db, testkit.UserID(0), "deploy")
		out := person(9, "out")
		must(t, db.Accounts.CreateUser(ctx, out, "", domain.Signup{}, time.Now()))
		_, err := db.Accounts.SetUserDisabled(ctx, out.ID, true, time.Now())
		must(t, err)
		for _, id := range []string{bot, out.ID, "usr_nobody", ""} {
			refused(t, id, db.UserGroups.AddToUserGroup(ctx, g.ID, []string{testkit.UserID(2), id}),
				domain.CodeInvalidField)
		}
		must(t, db.UserGroups.AddToUserGroup(ctx, g.ID, []string{testkit.UserID(1), testkit.UserID(1)}))
		must(t, db.UserGroups.RemoveFromUserGroup(ctx, g.ID, testkit.UserID(2))) // is not in it
		refused(t, "no group", db.UserGroups.AddToUserGroup(ctx, "ugr_none", nil), domain.CodeNoUserGroup)
		must(t, db.Departure.DeleteUser(ctx, testkit.UserID(1), time.Now()))
		groups, err := db.UserGroups.UserGroups(ctx, testkit.UserID(2), "")
		if err != nil || len(groups) != 1 || groups[0].Size != 1 || groups[0].Mine {
			t.Errorf("groups are %+v, %v", groups, err)
		}
	})
}

// A message that names a group mentions those of it who are in the room, each once and without who wrote it, as if each
// were named: they have an unread mention, and follow the thread. An edit mentions who is in the group then.
func TestAMessageMentionsAGroup(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 5)
		must(t, db.Accounts.CreateUser(ctx, person(7, "far"), "", domain.Signup{}, now)) // in no room
		g := made(t, db, "backend", 0, 1, 2, 7)
		made(t, db, "both", 2, 3)
		say := func(key, text string, thread int64) *domain.Message {
			t.Helper()
			names, _ := domain.Mentions(text)
			e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0), domain.Draft{Room: room, Key: key, Text: text,
				Thread: thread}, names, false, now)
			must(t, err)
			return e.Message
		}
		mentions := func(m *domain.Message, users ...int) {
			t.Helper()
			var want []string
			for _, i := range users {
				want = append(want, testkit.UserID(i))
			}
			if !slices.Equal(m.Mentions, want) {
				t.Errorf("%q mentions %v, not %v", m.Text, m.Mentions, want)
			}
		}
		first := say("1", "@Backend, see `@both`", 0)
		mentions(first, 1, 2)
		mentions(say("2", "@both and @backend and @user2 and @user0", 0), 0, 1, 2, 3)
		for i, want := range map[int]int{1: 2, 2: 2, 3: 1, 4: 0} {
			r, err := db.Rooms.RoomState(ctx, testkit.UserID(i), room)
			if err != nil || r.Mentions != want {
				t.Errorf("user %d has %d mentions, not %d: %v", i, r.Mentions, want, err)
			}
		}
		reply := say("3", "@backend?", first.Seq)
		follows, err := db.Messages.NewFollowers(ctx, room, first.Seq, reply.Seq)
		if must(t, err); !slices.Contains(follows, testkit.UserID(2)) || slices.Contains(follows, testkit.UserID(3)) {
			t.Errorf("the thread is followed by %v", follows)
		}
		must(t, db.UserGroups.RemoveFromUserGroup(ctx, g.ID, testkit.UserID(1)))
		e, err := db.Messages.EditMessage(ctx, testkit.UserID(0), room, first.Seq, "@backend!", []string{"backend"}, false,
			now)
		must(t, err)
		mentions(e.Message, 2)
		must(t, db.UserGroups.DeleteUserGroup(ctx, g.ID))
		mentions(say("4", "@backend", 0))
	})
}

// A message that would mention more people than one may is refused, and so is the person who would be one too many.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t)) // the bounds are no matter of the database
	ctx := t.Context()
	room := testkit.Room(t, db, domain.MaxFirst+1)
	var rest []string
	for i := domain.MaxFirst + 1; i <= domain.MaxMentioned+2; i++ {
		must(t, db.Accounts.CreateUser(ctx, person(i, fmt.Sprint("user", i)), "", domain.Signup{}, time.Now()))
		_, err := db.Rooms.Join(ctx, testkit.UserID(i), room, time.Now())
		must(t, err)
		rest = append(rest, testkit.UserID(i))
	}
	users := func(from, to int) (us []int) {
		for i := from; i <= to; i++ {
			us = append(us, i)
		}
		return us
	}
	a := made(t, db, "a1", users(1, 100)...)
	made(t, db, "b1", users(101, 200)...)
	made(t, db, "c1", 201)
	refused(t, "one too many", db.UserGroups.AddToUserGroup(ctx, a.ID, rest[:1]), domain.CodeUserGroupFull)
	_, err := group(t, db, "d1", users(1, 101)...)
	refused(t, "a group that begins with too many", err, domain.CodeUserGroupFull)
	send := func(key string, names ...string) (domain.Event, error) {
		e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0), domain.Draft{Room: room, Key: key, Text: "x"}, names,
			false, time.Now())
		return e, err
	}
	e, err := send("1", "a1", "b1")
	if err != nil || len(e.Message.Mentions) != domain.MaxMentioned {
		t.Errorf("two groups: %d, %v", len(e.Message.Mentions), err)
	}
	_, err = send("2", "a1", "b1", "c1")
	refused(t, "three groups", err, domain.CodeInvalidField)
	if err != nil && !strings.Contains(err.Error(), "201 people") {
		t.Error(err)
	}
	_, err = send("3", "c1")
	must(t, err)
}

// A server has so many groups. One more is refused, and is not there; a deleted one gives way.
func TestUserGroupsOfAServerAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t)) // the bound is no matter of the database
	testkit.Room(t, db, 1)
	var last domain.UserGroup
	for i := range domain.MaxUserGroups {
		last = made(t, db, fmt.Sprintf("group%03d", i))
	}
	_, err := group(t, db, "more", 0)
	refused(t, "one more", err, domain.CodeTooManyUserGroups)
	all, err := db.UserGroups.UserGroups(t.Context(), testkit.UserID(0), "")
	if err != nil || len(all) != domain.MaxUserGroups {
		t.Errorf("there are %d groups, %v", len(all), err)
	}
	must(t, db.UserGroups.DeleteUserGroup(t.Context(), last.ID))
	made(t, db, "more", 0)
}
