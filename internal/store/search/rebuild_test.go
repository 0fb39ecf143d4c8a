package search_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A store that another version of the program has indexed is indexed anew while it
// runs, says so until then, and keeps nothing of what was there.
func TestIndexOfAnotherVersion(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db, err := all.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		room := testkit.Room(t, db, 1)
		for i := range 500 { // more than one step
			testkit.Say(t, db, testkit.UserID(0), room, fmt.Sprint(i), fmt.Sprintf("apple number%d", i))
		}
		indexed(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		older := []string{`DELETE FROM search`,
			`INSERT INTO search (pos, words) SELECT pos, '''old'':1' FROM events WHERE type = 'message.created'`,
			`UPDATE search_build SET format = 1`}
		if o.URL == "" {
			older = []string{
				`INSERT INTO search (rowid, words, scope) SELECT pos, 'old', room_id FROM events WHERE type = 'message.created'`,
				`UPDATE search_head SET pos = (SELECT max(pos) FROM events)`,
			}
		}
		for _, statement := range older {
			if _, err := testkit.Raw(t, o).ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		left := o
		left.Tool = true
		tool := testkit.Open(t, left)
		if all, err := tool.Search.Indexed(t.Context()); o.URL != "" && (err != nil || all) {
			t.Errorf("before it is indexed anew: %v, %v", all, err)
		}
		db = testkit.Open(t, o)
		e := testkit.Say(t, db, testkit.UserID(0), room, "new", "a pear meanwhile")
		if _, err := db.Messages.EditMessage(t.Context(), testkit.UserID(0), room, e.Seq-1, "apple no more", nil, false,
			time.Now()); err != nil {
			t.Fatal(err)
		}
		indexed(t, db)
		if all, err := db.Search.Indexed(t.Context()); err != nil || !all {
			t.Errorf("afterwards: %v, %v", all, err)
		}
		for q, n := range map[string]int{"apple": 50, "number0": 1, "number250": 1, "number499": 0, "pear": 1, "more": 1,
			"old": 0} {
			found(t, db, testkit.UserID(0), q, domain.Newest, n)
		}
		for _, term := range indexTerms(t, o) {
			if !strings.ContainsAny(term, "_@#") {
				t.Errorf("the index still has %q", term)
			}
		}
	})
}

// What a server of an older version indexes beside newer ones is done again by them.
func TestEntriesOfAnOlderServerAreRebuilt(t *testing.T) {
	t.Parallel()
	o := testkit.Postgres(t)
	db := testkit.Open(t, o)
	room := testkit.Room(t, db, 1)
	testkit.Say(t, db, testkit.UserID(0), room, "1", "apples")
	indexed(t, db)
	raw := testkit.Raw(t, o)
	for _, statement := range []string{`DELETE FROM search`,
		`INSERT INTO search (pos, words) SELECT pos, '''apples'':1' FROM events WHERE type = 'message.created'`} {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if use, err := db.Use(t.Context()); err != nil || use.Unindexed != 1 {
		t.Fatalf("%d events are to be indexed, %v; want 1", use.Unindexed, err)
	}
	testkit.Open(t, o) // looks at once, and every few seconds
	indexed(t, db)
	found(t, db, testkit.UserID(0), "apples", domain.Newest, 1)
}

// Two rooms share no term of the index, so that what is said in one has no part in
// how long a search in the other takes.
func TestRoomsShareNoTermOfTheIndex(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		db := testkit.Open(t, o)
		room := testkit.Room(t, db, 2)
		other, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(1),
			domain.NewRoom{Kind: domain.PrivateRoom, Name: "Den"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range []string{"the same words", "今日は https://example.org"} {
			testkit.Say(t, db, testkit.UserID(1), room, fmt.Sprint("a", i), text)
			testkit.Say(t, db, testkit.UserID(1), other.Room.ID, fmt.Sprint("b", i), text)
		}
		indexed(t, db)
		rooms := make(map[string]int)
		for _, term := range indexTerms(t, o) {
			rooms[term[:strings.IndexAny(term, "_@#")]]++
		}
		if len(rooms) != 2 {
			t.Errorf("terms by room: %v", rooms)
		}
		for number, n := range rooms {
			if n != rooms["1"] {
				t.Errorf("%s has %d terms: %v", number, n, rooms)
			}
		}
	})
}

// indexTerms lists the terms of the search index.
func indexTerms(t *testing.T, o store.Options) (terms []string) {
	t.Helper()
	var rows *sql.Rows
	db := testkit.Raw(t, o)
	db.SetMaxOpenConns(1) // a temporary table is the connection's
	var err error
	if o.URL == "" {
		for _, index := range []string{"search", "search_words"} {
			if _, err := db.ExecContext(t.Context(), `CREATE VIRTUAL TABLE temp.terms_`+index+` USING fts5vocab(main, `+index+
				`, row)`); err != nil {
				t.Fatal(err)
			}
		}
		rows, err = db.QueryContext(t.Context(),
			`SELECT term FROM terms_search UNION ALL SELECT term FROM terms_search_words`)
	} else {
		rows, err = db.QueryContext(t.Context(), `SELECT word FROM ts_stat('SELECT words FROM search')`)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var term string
		if err := rows.Scan(&term); err != nil {
			t.Fatal(err)
		}
		terms = append(terms, term)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return terms
}
