package search_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// found searches until the index has caught up with n messages, which takes at
// most the two seconds that are promised.
func found(t *testing.T, db *all.Store, user, q string, order domain.SearchOrder, n int) []string {
	t.Helper()
	query, err := fulltext.Parse(q, time.UTC)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		hits, _, err := db.Search.Search(t.Context(), user, query, order, domain.SearchCursor{}, 50)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		var texts []string
		for _, h := range hits {
			texts = append(texts, h.Message.Text)
		}
		if len(texts) == n {
			return texts
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: found %q, want %d messages", q, texts, n)
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 3)
		other, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(1),
			domain.NewRoom{Kind: domain.PrivateRoom, Name: "Secret garden"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range []string{
			"Das Frühstück ist fertig", "breakfast is ready at https://example.org", "Привет, мир", "今日は天気がいいですね", "我喜欢喝茶",
			"don't panic", "the quick brown fox", "a brown quick thing", "tea tea tea",
			"one tea in a much longer message about other things",
		} {
			testkit.Say(t, db, testkit.UserID(i%2), room, fmt.Sprint("m", i), text)
		}
		testkit.Say(t, db, testkit.UserID(1), other.Room.ID, "s", "the secret tea")
		for q, n := range map[string]int{
			"fruhstuck": 1, "FRÜHSTÜCK": 1, "привет": 1, "мир привет": 1, "天気": 1, "喝茶": 1, "茶": 1, "喜": 1,
			`"quick brown"`: 1, "quick brown": 2, "quick -fox": 1, "bre*": 1, "has:link": 1, "don't": 1, "panic don": 0,
			"tea": 2, "tea from:user0": 1, "tea in:lobby": 2, "tea before:2001-01-01": 0, "tea after:2001-01-01": 2,
			"nothing": 0, "from:user2": 0, "lang:de": 1, "lang:ja": 1, "lang:zh": 1, "lang:fr": 0, "lang:en": 4,
			"lang:unknown": 3, "tea lang:en": 1, "tea lang:de": 0, "-fruhstuck lang:de": 0, "tea lang:unknown from:user0": 1,
		} {
			if q == "panic don" {
				n = 1 // both words are there
			}
			found(t, db, testkit.UserID(0), q, domain.Newest, n)
		}
		found(t, db, testkit.UserID(1), "tea", domain.Newest, 3) // who is in the other room finds it there as well
		if texts := found(t, db, testkit.UserID(0), "tea", domain.Relevance, 2); texts[0] != "tea tea tea" {
			t.Errorf("most relevant: %q", texts)
		}
		if texts := found(t, db, testkit.UserID(0), "tea", domain.Newest, 2); !strings.HasPrefix(texts[0], "one tea") {
			t.Errorf("newest: %q", texts)
		}
		for _, q := range []string{"tea in:garden", "tea from:nobody"} {
			query, _ := fulltext.Parse(q, time.UTC)
			if _, _, err := db.Search.Search(t.Context(), testkit.UserID(0), query, domain.Newest, domain.SearchCursor{},
				10); domain.KindOf(err) != domain.Invalid {
				t.Errorf("%s: %v", q, err)
			}
		}
	})
}

func TestSearchFindsMentions(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 3)
		say := func(user int, key, text string, everybody bool, names ...string) domain.Event {
			t.Helper()
			e, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(user),
				domain.Draft{Room: room, Key: key, Text: text}, names, everybody, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		say(1, "1", "tea, user0?", false, "user0")
		changed := say(1, "2", "coffee, user0?", false, "user0")
		say(0, "3", "all of you: tea", true)
		say(1, "4", "user2 makes tea", false, "user2")
		say(2, "5", "tea for nobody", false)
		for q, n := range map[string]int{
			"mentions:me": 2, "mentions:user0": 2, "MENTIONS:@user0": 2, "tea mentions:me": 1, "mentions:me -tea": 1,
			"mentions:me from:user2": 0, "mentions:me from:user1": 2, "mentions:me in:lobby": 2, "mentions:user2": 2,
			"mentions:user1": 1, "mentions:me before:2001-01-01": 0, "mentions:me has:link": 0, "from:me": 1,
		} {
			found(t, db, testkit.UserID(0), q, domain.Newest, n)
			found(t, db, testkit.UserID(0), q, domain.Relevance, n)
		}
		if texts := found(t, db, testkit.UserID(2), "mentions:me", domain.Newest, 2); texts[0] != "user2 makes tea" ||
			texts[1] != "all of you: tea" {
			t.Errorf("not the newest first: %q", texts)
		}
		if _, err := db.Messages.EditMessage(t.Context(), testkit.UserID(1), room, changed.Seq, "coffee", nil, false,
			time.Now()); err != nil {
			t.Fatal(err)
		}
		found(t, db, testkit.UserID(0), "mentions:me", domain.Newest, 1)
		if _, err := db.Departure.Leave(t.Context(), testkit.UserID(2), room, time.Now()); err != nil {
			t.Fatal(err)
		}
		found(t, db, testkit.UserID(2), "mentions:me", domain.Newest, 0) // not a member: nothing
		query, _ := fulltext.Parse("mentions:nobody", time.UTC)
		_, _, err := db.Search.Search(t.Context(), testkit.UserID(0), query, domain.Newest, domain.SearchCursor{}, 10)
		if domain.KindOf(err) != domain.Invalid || !strings.Contains(err.Error(), "mentions: there is no user") {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestMentionsComeInPages(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		const count = 7
		for i := range count {
			d := domain.Draft{Room: room, Key: fmt.Sprint(i), Text: fmt.Sprint("user0, number ", i)}
			if _, _, err := db.Messages.AppendMessage(t.Context(), testkit.UserID(1), d, []string{"user0"}, false,
				time.Now()); err != nil {
				t.Fatal(err)
			}
			testkit.Say(t, db, testkit.UserID(1), room, fmt.Sprint("other", i), "for nobody")
		}
		query, _ := fulltext.Parse("mentions:me", time.UTC)
		var texts []string
		for c, pages := (domain.SearchCursor{}), 0; ; pages++ {
			hits, next, err := db.Search.Search(t.Context(), testkit.UserID(0), query, domain.Newest, c, 3)
			if err != nil || pages > count {
				t.Fatal(pages, err)
			}
			for _, h := range hits {
				texts = append(texts, h.Message.Text)
			}
			if next == nil {
				break
			}
			c = *next
		}
		for i, text := range texts {
			if text != fmt.Sprint("user0, number ", count-1-i) {
				t.Errorf("%d is %q", i, text)
			}
		}
		if len(texts) != count {
			t.Errorf("%d of %d", len(texts), count)
		}
	})
}

func TestSearchFollowsChanges(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		e := testkit.Say(t, db, testkit.UserID(1), room, "1", "apples")
		found(t, db, testkit.UserID(0), "apples", domain.Newest, 1)
		if _, err := db.Messages.EditMessage(t.Context(), testkit.UserID(1), room, e.Seq, "pears", nil, false,
			time.Now()); err != nil {
			t.Fatal(err)
		}
		found(t, db, testkit.UserID(0), "apples", domain.Newest, 0)
		found(t, db, testkit.UserID(0), "pears", domain.Newest, 1)
		if _, err := db.Messages.DeleteMessage(t.Context(), testkit.UserID(1), room, e.Seq, time.Now()); err != nil {
			t.Fatal(err)
		}
		found(t, db, testkit.UserID(0), "pears", domain.Newest, 0)
		if _, err := db.Rooms.DeleteRoom(t.Context(), testkit.UserID(0), room, time.Now()); err != nil {
			t.Fatal(err)
		}
		again, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0),
			domain.NewRoom{Kind: domain.PublicRoom, Name: "New"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		testkit.Say(t, db, testkit.UserID(0), again.Room.ID, "2", "plums")
		found(t, db, testkit.UserID(0), "plums", domain.Newest, 1)
	})
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		for i := range 25 {
			testkit.Say(t, db, testkit.UserID(i%2), room, fmt.Sprint(i), fmt.Sprintf("word number %d", i))
		}
		found(t, db, testkit.UserID(0), "word", domain.Newest, 25)
		q, _ := fulltext.Parse("word", time.UTC)
		came := 0 // between the pages, and so not in them
		for _, order := range []domain.SearchOrder{domain.Newest, domain.Relevance} {
			all := 25 + came
			seen := make(map[int64]bool)
			cursor := &domain.SearchCursor{}
			for pages := 0; cursor != nil && pages < 10; pages++ {
				hits, next, err := db.Search.Search(t.Context(), testkit.UserID(0), q, order, *cursor, 10)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range hits {
					if seen[h.Message.Seq] {
						t.Errorf("%s: message %d twice", order, h.Message.Seq)
					}
					seen[h.Message.Seq] = true
				}
				cursor = next
				testkit.Say(t, db, testkit.UserID(0), room, fmt.Sprint(order, pages), "word word word between the pages")
				indexed(t, db)
				came++
			}
			if len(seen) != all {
				t.Errorf("%s: %d of %d", order, len(seen), all)
			}
		}
	})
}

// indexed waits until the index has caught up with the log.
func indexed(t *testing.T, db *all.Store) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; {
		use, err := db.Use(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if use.Unindexed == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d events are not indexed", use.Unindexed)
		}
		<-tick.C
	}
}

// What a server appended and did not live to index is found by the next one, as it
// is by then.
func TestIndexOfAStoppedServerIsCompleted(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		left := o
		left.Tool = true // has no indexer
		gone := testkit.Open(t, left)
		room := testkit.Room(t, gone, 1)
		testkit.Say(t, gone, testkit.UserID(0), room, "1", "kept")
		edited, deleted := testkit.Say(t, gone, testkit.UserID(0), room, "2", "before"),
			testkit.Say(t, gone, testkit.UserID(0), room, "3", "deleted")
		if _, err := gone.Messages.EditMessage(t.Context(), testkit.UserID(0), room, edited.Seq, "after", nil, false,
			time.Now()); err != nil {
			t.Fatal(err)
		}
		if _, err := gone.Messages.DeleteMessage(t.Context(), testkit.UserID(0), room, deleted.Seq, time.Now()); err != nil {
			t.Fatal(err)
		}
		db := testkit.Open(t, o)
		indexed(t, db)
		for q, n := range map[string]int{"kept": 1, "after": 1, "before": 0, "deleted": 0} {
			found(t, db, testkit.UserID(0), q, domain.Newest, n)
		}
	})
}

// Messages that are edited and deleted while they are being indexed are found by
// what they say in the end, and by nothing else.
func TestIndexFollowsEdits(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		const people, each = 4, 60
		room := testkit.Room(t, db, people)
		var wg sync.WaitGroup
		for who := range people {
			wg.Go(func() {
				for i := range each {
					e := testkit.Say(t, db, testkit.UserID(who), room, fmt.Sprint(i), fmt.Sprintf("old%dx%d", who, i))
					if _, err := db.Messages.EditMessage(t.Context(), testkit.UserID(who), room, e.Seq,
						fmt.Sprintf("new%dx%d everywhere", who, i), nil, false, time.Now()); err != nil {
						t.Error(err)
					}
					if i%3 > 0 {
						continue
					}
					if _, err := db.Messages.DeleteMessage(t.Context(), testkit.UserID(who), room, e.Seq, time.Now()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		indexed(t, db)
		for who := range people {
			for i := range each {
				found(t, db, testkit.UserID(0), fmt.Sprintf("old%dx%d", who, i), domain.Newest, 0)
				found(t, db, testkit.UserID(0), fmt.Sprintf("new%dx%d", who, i), domain.Newest, min(i%3, 1))
			}
		}
	})
}

// People, members and rooms are found without case and accents in every script, on both
// databases.
func TestNamesAreFoundInEveryScript(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 1)
		people := map[string]string{"mesut": "Mesut Özil", "anna": "Анна Каренина", "xm": "王小明", "lodz": "Łukasz",
			"stra": "Straßer"}
		for username, display := range people {
			u := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser,
				Username: username, DisplayName: display}
			if err := db.Accounts.CreateUser(t.Context(), u, "", domain.Signup{}, time.Now()); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), room, u.ID, time.Now()); err != nil {
				t.Fatal(err)
			}
			testkit.Say(t, db, u.ID, room, username, "hello")
		}
		for q, want := range map[string]string{"öz": "mesut", "OZ": "mesut", "анна": "anna", "КАРЕН": "anna", "小明": "xm",
			"lukasz": "lodz", "strasser": "stra", "!": "", "nobody": ""} {
			var got []string
			users, err := db.Accounts.SearchUsers(t.Context(), q, "", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range users {
				got = append(got, u.Username)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("people %q: %q, want %q", q, got, want)
			}
			members, err := db.Rooms.Members(t.Context(), room, q, "", 10)
			if err != nil || len(members) != len(got) {
				t.Errorf("members %q: %d, %v", q, len(members), err)
			}
			if want != "" {
				found(t, db, testkit.UserID(0), "from:"+q, domain.Newest, 1)
			}
		}
		garden, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0),
			domain.NewRoom{Kind: domain.PublicRoom, Name: "Кофейня Łódź", Topic: "Über alles"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		testkit.Say(t, db, testkit.UserID(0), garden.Room.ID, "1", "tea")
		for _, q := range []string{"кофе", "lodz", "uber", "ФЕЙН"} {
			rooms, _, err := db.Rooms.PublicRooms(t.Context(), testkit.UserID(0), q, "", 10)
			if err != nil || len(rooms) != 1 {
				t.Errorf("rooms %q: %d, %v", q, len(rooms), err)
			}
		}
		found(t, db, testkit.UserID(0), `in:"кофейня lodz" tea`, domain.Newest, 1)
	})
}

// A username that could be taken for another's is taken.
func TestUsernamesThatLookAlike(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		for _, c := range []struct {
			name string
			code domain.Code
		}{{"bill", ""}, {"bi11", domain.CodeNameTaken}, {"modern", ""}, {"modem", domain.CodeNameTaken}, {"bill2",
			""}} {
			u := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser,
				Username: c.name, DisplayName: c.name}
			if err := db.Accounts.CreateUser(t.Context(), u, "", domain.Signup{}, time.Now()); domain.CodeOf(err) != c.code {
				t.Errorf("%s: %v, want %q", c.name, err, c.code)
			}
		}
	})
}

// Names that a program from before has written are found once this one has started.
func TestNamesFromBeforeAreFound(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db, err := all.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Room(t, db, 3)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		raw := testkit.Raw(t, o)
		for _, statement := range []string{`UPDATE users SET folded = '', skeleton = ''`,
			`UPDATE users SET display_name = 'Özil' WHERE username = 'user1'`, `UPDATE rooms SET folded = ''`} {
			if _, err := raw.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		db = testkit.Open(t, o)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(time.Minute); ; <-tick.C {
			users, err := db.Accounts.SearchUsers(t.Context(), "oz", "", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			rooms, _, err := db.Rooms.PublicRooms(t.Context(), testkit.UserID(0), "lobby", "", 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(users) == 1 && len(rooms) == 1 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("found %d users and %d rooms", len(users), len(rooms))
			}
		}
	})
}
